/** Answers are written as zod would write them, and never contain what their schema does not list. */
import { serializerCompiler } from 'fastify-type-provider-zod';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { batchAnswer, enqueued, page, verification, verificationWithHistory } from '../../../src/server/api/schemas.ts';
import { answerSerializer } from '../../../src/server/api/serialize.ts';

const AT = '2026-11-29T10:00:00.000Z';

const REASON = {
  code: 'FailedOperation.ImageBlur',
  class: 'rejected',
  title: 'The "photo" is blurred\n',
  advice: 'Take it again',
  personAdvice: null,
  audience: 'person',
  stage: 'detect',
  field: null,
  requestId: 'f0a1',
  answeredAt: null,
  dependency: null,
  waitedFor: { code: 'HTTP_5XX', class: 'transient', dependency: null },
  similarity: 12.5,
  threshold: 70,
};
const ANSWER = {
  id: `v${'0'.repeat(25)}`,
  key: 'session-1042 ü "quoted"',
  tenant: null,
  mode: 'test',
  action: 'DetectReflectLivenessAndCompare',
  region: 'ap-singapore',
  upload: 'own-bucket',
  lane: 'interactive',
  state: 'completed',
  next: 'refuse',
  decision: 'no_match',
  similarity: 12.5,
  similarityThreshold: 70,
  reason: REASON,
  retake: 'none',
  pausedBy: null,
  retryAfter: null,
  frame: 'stored',
  bestFrame: { bytes: 7, md5: 'd41d8cd98f00b204e9800998ecf8427e' },
  paidCalls: 1,
  possiblyPaidCalls: 0,
  cost: { currency: 'USD', paid: 0.15, possiblyPaid: 0 },
  requestIds: ['f0a1', 'f0a2'],
  stage: 'download',
  stages: [{ name: 'upload', attempts: 1, ms: 12.25 }],
  secondOpinion: null,
  session: null,
  createdAt: AT,
  deadline: AT,
  decidedAt: AT,
  decidedBy: 'vendor',
  heldUntil: null,
  lateAnswer: false,
  endedAt: null,
  evidence: null,
  retries: 0,
  webhook: null,
  metadata: { a: '1', '"b"': '\u2028' },
  subject: null,
  purpose: null,
  consent: { ref: 'r', version: '1', at: AT },
  legalHold: null,
  traceId: null,
};
const ENTRY = {
  at: AT,
  event: 'done',
  stage: null,
  code: null,
  requestId: null,
  billed: true,
  possiblyBilled: false,
  cost: null,
  ms: 3,
  by: null,
  why: null,
};
const SESSION = {
  startedAt: null,
  startBy: null,
  resultUntil: null,
  toldAt: null,
  chargeCount: null,
  tries: 0,
  deviceRisk: null,
  livenessTags: [],
  wanted: [],
  media: [],
};

function serializers(schema: z.ZodType) {
  const route = { schema, method: 'GET', url: '/', httpStatus: '200' };
  return { write: answerSerializer(route), check: serializerCompiler(route) };
}

it.each([
  { name: 'a verification', schema: verification, answer: ANSWER },
  { name: 'one with a session', schema: verification, answer: { ...ANSWER, session: SESSION, metadata: {} } },
  {
    name: 'one with a second opinion',
    schema: verification,
    answer: {
      ...ANSWER,
      secondOpinion: {
        status: 'suspected',
        level: 'High',
        attacks: ['SuspectedSynthesisImage'],
        code: null,
        requestId: 'f0a3',
        paidCalls: 1,
        possiblyPaidCalls: 0,
        cost: null,
      },
    },
  },
  {
    name: 'one with evidence',
    schema: verification,
    answer: {
      ...ANSWER,
      evidence: { state: 'pending', lockedUntil: AT, objects: ['liveData'], missing: [{ name: 'image', code: 'X' }] },
    },
  },
  { name: 'one with its history', schema: verificationWithHistory, answer: { ...ANSWER, history: [ENTRY, ENTRY] } },
  { name: 'a submission', schema: enqueued, answer: { ...ANSWER, reason: null, enqueued: 'new' } },
  { name: 'a page', schema: page, answer: { verifications: [ANSWER], cursor: null } },
  {
    name: 'a batch',
    schema: batchAnswer,
    answer: { mode: 'test', results: [{ status: 'new', key: 'k', id: 'v', state: 'queued', problem: null }] },
  },
])('writes $name as zod does', ({ schema, answer }) => {
  const { write, check } = serializers(schema);
  expect(write(answer)).toBe(check(answer));
  expect(JSON.parse(write(answer))).toEqual(answer);
});

it('leaves out what the schema does not list, at any depth', () => {
  const { write } = serializers(verification);
  const leaky = {
    ...ANSWER,
    link: 'https://secret',
    bestFrame: { ...ANSWER.bestFrame, path: '/frames/secret' },
    stages: [{ ...ANSWER.stages[0], secret: 1 }],
  };
  expect(JSON.parse(write(leaky))).toEqual(ANSWER);
});

it.each([
  ['a missing field', { ...ANSWER, state: undefined }],
  ['a word that is not in its enumeration', { ...ANSWER, state: 'lost' }],
  ['a number as text', { ...ANSWER, paidCalls: '1' }],
  ['a fraction', { ...ANSWER, paidCalls: 1.5 }],
  ['not a number', { ...ANSWER, similarity: Number.NaN }],
  ['an object in place of a list', { ...ANSWER, requestIds: {} }],
  ['a wrong value inside a list', { ...ANSWER, requestIds: [null] }],
  ['a wrong value inside a record', { ...ANSWER, metadata: { a: 1 } }],
])('refuses %s', (_what, answer) => {
  const { write } = serializers(verification);
  expect(() => write(answer)).toThrow();
});

it.each([
  ['a verification', verification, ANSWER],
  ['one with its history', verificationWithHistory, { ...ANSWER, history: [] }],
  ['a submission', enqueued, { ...ANSWER, enqueued: 'new' }],
  ['a page', page, { verifications: [ANSWER], cursor: null }],
])('writes %s without zod, which would look at the formats of strings', (_what, schema, answer) => {
  const odd = JSON.stringify(answer).replaceAll(AT, 'later');
  expect(serializers(schema).write(JSON.parse(odd))).toBe(odd);
});

it('leaves schemas that do more than list values to zod', () => {
  const doubled = z.object({ n: z.codec(z.number(), z.number(), { decode: (n) => n / 2, encode: (n) => n * 2 }) });
  expect(serializers(doubled).write({ n: 2 })).toBe('{"n":4}');
  const refined = z.object({ n: z.number() }).refine(({ n }) => n > 1, 'too small');
  expect(() => serializers(refined).write({ n: 1 })).toThrow();
  const strict = z.strictObject({ n: z.number() });
  expect(() => serializers(strict).write({ n: 1, m: 1 })).toThrow();
  const optional = z.object({ n: z.number().optional() });
  expect(serializers(optional).write({})).toBe('{}');
});
