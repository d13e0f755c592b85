/** The oracle by itself: evidence of a good run breaks nothing, and each way to be bad is found under its own name. */
import { describe, expect, it } from 'vitest';
import type { VerificationView } from '../../../src/domain/view.ts';
import type { CallEntry } from '../../../src/emulator/control.ts';
import type { Accepted, Evidence } from '../../chaos/evidence.ts';
import { INVARIANTS, judge } from '../../chaos/invariants.ts';
import type { Seen, Write } from '../../chaos/witness.ts';

const PREFIX = '{p}';
const ID = `v${'1'.repeat(25)}`;
const OTHER = `v${'2'.repeat(25)}`;
const JOURNAL = `${PREFIX}:v:${ID}`;
const JOB = `${PREFIX}:verify-ap-singapore:${ID}`;
const FRAME = { md5: 'f'.repeat(32), bytes: 10 };
const accepted: Accepted = {
  id: ID,
  key: 'key',
  status: 'new',
  at: 0,
  upload: 'own-bucket',
  lane: 'batch',
  card: 'match',
  told: true,
  liveData: { md5: 'a'.repeat(32), bytes: 100 },
  image: { md5: 'b'.repeat(32), bytes: 200 },
};
const view = {
  id: ID,
  state: 'completed',
  decision: 'match',
  upload: 'own-bucket',
  frame: 'stored',
  bestFrame: { path: '/frames/one.jpg', ...FRAME },
  paidCalls: 1,
  possiblyPaidCalls: 0,
  history: [{ at: 1, event: 'done', stage: 'detect' }],
} as unknown as VerificationView;

const hset = (...args: string[]): Write => ({ command: 'hset', key: JOURNAL, args });
const ats: Write = { command: 'hincrby', key: JOB, args: ['ats', '1'] };

function seen(
  at: number,
  script: string | null,
  args: readonly string[],
  writes: readonly Write[],
  source = 'w1',
): Seen {
  return { at, script, source, keys: [JOURNAL, `${JOB}:lock`, JOB], args, writes: [...writes] };
}

const put = (resource: string, bytes: number): CallEntry => ({
  seq: 1,
  at: 1,
  event: 'call',
  service: 'cos',
  action: 'PutObject',
  code: 'OK',
  bytes,
  objects: [`bucket/bestframe/${ID}/0/${resource}`],
});
const detect: CallEntry = {
  seq: 2,
  at: 1_500,
  event: 'call',
  service: 'faceid',
  action: 'DetectReflectLivenessAndCompare',
  code: 'Success',
  billed: true,
  objects: [`bucket/bestframe/${ID}/0/liveData`],
};

const SEEN = [
  seen(1, 'claim', [ID], [hset('fp', 'x', 'state', 'queued')]),
  seen(2, null, [], [{ command: 'hmset', key: JOB, args: [] }]),
  seen(3, null, [], [ats]),
  seen(4, 'begin', ['t', '1'], [hset('begun', 't/1'), hset('state', 'active')]),
  seen(5, 'intent', ['t', '1'], [hset('open', '{"iid":"i","until":2000}')]),
  seen(6, 'outcome', [ID], [hset('decision', 'match')]),
  seen(7, 'settle', ['t', '1'], [hset('endedAt', '7', 'state', 'completed')]),
  seen(8, null, [], [{ command: 'hmset', key: `${PREFIX}:erase:erase-${ID}-1`, args: [] }]),
];

const GOOD: Evidence = {
  prefix: PREFIX,
  limits: { qps: 10, callMs: 1_000, resumeMs: 15_000, standstillMs: 20_000, maxPayments: 2, crashBudget: 5 },
  accepted: [accepted],
  views: new Map([[ID, view]]),
  calls: [put('liveData', 100), put('image', 200), detect],
  objects: [{ bucket: 'faceid-result-sg', key: 'one.jpg', sizeBytes: FRAME.bytes, md5: FRAME.md5 }],
  frames: new Map([['/frames/one.jpg', FRAME]]),
  forged: new Set(),
  seen: SEEN,
  gaps: [],
  kills: [],
  windows: [],
  left: [
    { key: JOURNAL, type: 'hash', size: 10 },
    { key: `${PREFIX}:notify:notify-${ID}-ended`, type: 'hash', size: 5 },
  ],
  texts: new Map([['the log', 'nothing']]),
  canaries: ['canary'],
  startedAt: 0,
  settledAt: 100_000,
  settled: true,
  excused: new Set(),
  erased: new Set(),
  lossy: false,
  saturated: false,
  findings: [],
};

const begun = (at: number, token: string, source: string) =>
  seen(at, 'begin', [token, '1'], [hset('begun', `${token}/1`)], source);

const BAD: Readonly<Record<string, [string, Partial<Evidence>][]>> = {
  I1: [
    ['unknown to Redis', { views: new Map([[ID, null]]) }],
    ['still active', { views: new Map([[ID, { ...view, state: 'active' }]]) }],
    ['ended twice', { seen: [...SEEN, seen(9, 'settle', ['t', '1'], [hset('endedAt', '9')])] }],
  ],
  I2: [
    ['billed twice, nothing unknown', { calls: [...GOOD.calls, { ...detect, at: 1_600 }] }],
    ['billed and not counted', { views: new Map([[ID, { ...view, paidCalls: 0 }]]) }],
    [
      'billed three times',
      {
        calls: [...GOOD.calls, detect, detect],
        views: new Map([
          [
            ID,
            {
              ...view,
              paidCalls: 3,
              history: [
                { at: 1, event: 'unknown' },
                { at: 2, event: 'unknown' },
              ],
            },
          ],
        ]),
      },
    ],
  ],
  I3: [
    [
      'another decision',
      { seen: [...SEEN.slice(0, 6), seen(6, 'outcome', [ID], [hset('decision', 'no_match')]), ...SEEN.slice(6)] },
    ],
    ['written after its end', { seen: [...SEEN, seen(9, 'begin', ['t', '1'], [hset('state', 'active')])] }],
    ['read otherwise', { views: new Map([[ID, { ...view, decision: 'no_match' }]]) }],
  ],
  I4: [
    [
      'a zombie commits',
      {
        seen: [...SEEN.slice(0, 5), seen(5, null, [], [ats]), seen(6, 'commit', ['t', '1'], [hset('s:upload', '{}')])],
      },
    ],
  ],
  I5: [['late and billed', { calls: [put('liveData', 100), put('image', 200), { ...detect, at: 5_000 }] }]],
  I6: [
    [
      'picked up late',
      {
        seen: [begun(4, 't', 'dead'), begun(60_000, 'u', 'w2')],
        kills: [{ at: 10, sources: ['dead'], freeAt: 10 }],
      },
    ],
    ['never picked up', { seen: [begun(4, 't', 'dead')], kills: [{ at: 10, sources: ['dead'], freeAt: 10 }] }],
  ],
  I7: [
    ['waits without end', { settled: false, views: new Map([[ID, { ...view, state: 'delayed' }]]) }],
    ['stands still', { seen: [...SEEN.slice(0, 6), seen(60_000, 'settle', ['t', '1'], [hset('endedAt', '7')])] }],
  ],
  I8: [
    ['other bytes at the vendor', { calls: [put('liveData', 99), detect] }],
    [
      'an object of no source',
      { objects: [...GOOD.objects, { bucket: 'b', key: 'k', sizeBytes: 1, md5: 'c'.repeat(32) }] },
    ],
    ['another frame', { frames: new Map([['/frames/one.jpg', { md5: 'e'.repeat(32), bytes: 1 }]]) }],
    ['a forged frame', { forged: new Set([FRAME.md5]) }],
    ['no frame', { frames: new Map() }],
  ],
  I9: [
    ['two ids', { accepted: [accepted, { ...accepted, id: OTHER }] }],
    ['claimed twice', { seen: [...SEEN, seen(9, 'claim', [ID], [hset('fp', 'x')])] }],
  ],
  I10: [['throttled', { calls: [...GOOD.calls, { ...detect, billed: false, code: 'RequestLimitExceeded' }] }]],
  I11: [
    [
      'begun again and again',
      { seen: [...SEEN, ...Array.from({ length: 6 }, (_, run) => begun(10 + run, `t${run}`, 'w1'))] },
    ],
  ],
  I12: [['a canary', { texts: new Map([['the log', 'key canary']]) }]],
  I13: [
    ['a place of nobody', { left: [...GOOD.left, { key: `${PREFIX}:live`, type: 'zset', size: 1 }] }],
    ['a lock', { left: [...GOOD.left, { key: `${JOB}:lock`, type: 'string', size: 1 }] }],
  ],
  I14: [
    ['nobody is told', { left: GOOD.left.filter(({ key }) => !key.includes('notify')) }],
    [
      'objects are left',
      {
        objects: [
          ...GOOD.objects,
          { bucket: 'b', key: `bestframe/${ID}/0/image`, sizeBytes: 200, md5: accepted.image.md5 },
        ],
      },
    ],
    [
      'two names',
      { seen: [...SEEN, seen(9, null, [], [{ command: 'hmset', key: `${PREFIX}:erase:erase-${ID}-2`, args: [] }])] },
    ],
    [
      'erased, and there',
      {
        erased: new Set([ID]),
        frames: new Map([
          [`/frames/${ID}.jpg`, FRAME],
          ['/frames/one.jpg', FRAME],
        ]),
      },
    ],
  ],
};

it('finds nothing in a good run', () => {
  expect(judge(GOOD)).toEqual([]);
});

it('has bad runs of every invariant', () => {
  expect(Object.keys(BAD)).toEqual([...INVARIANTS]);
});

describe.each(Object.entries(BAD))('%s', (invariant, cases) => {
  it.each(cases)('%s', (_name, bad) => {
    expect(judge({ ...GOOD, ...bad }).map((violation) => violation.invariant)).toContain(invariant);
  });
});

it('asks nothing of a time in which Redis was away', () => {
  const still = { seen: [...SEEN.slice(0, 6), seen(60_000, 'settle', ['t', '1'], [hset('endedAt', '7')])] };
  const windows = [{ from: 1_000, to: 58_000, why: 'redis' as const }];
  expect(judge({ ...GOOD, ...still, windows })).toEqual([]);
});

it('asks a Redis that lost acknowledged writes for what it can hold', () => {
  const twice = { calls: [...GOOD.calls, { ...detect, at: 1_600 }], lossy: true };
  expect(judge({ ...GOOD, ...twice })).toEqual([]);
});
