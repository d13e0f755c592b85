/**
 * Compares the product with Tencent's documentation: the table of calls, the requests that are sent, the replies that
 * are read.
 */
import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { createFaceId, type FaceIdClient } from '../../../src/adapters/faceid/face-id.ts';
import {
  parseDetectReply,
  parseOpinionReply,
  parseSequenceReply,
  parseUploadUrlReply,
} from '../../../src/adapters/faceid/replies.ts';
import type { DetectInput } from '../../../src/domain/ports.ts';
import {
  ACTIONS,
  CHECK_NAMES,
  livenessParameters,
  OPINION,
  resourcesOf,
} from '../../../src/domain/verification/actions.ts';
import { encodeBody } from '../../../src/domain/verification/call-body.ts';
import { REGIONS } from '../../../src/domain/verification/regions.ts';
import { checkReply } from '../../../src/domain/verification/reply-shape.ts';
import {
  bytesBeforeBase64,
  type FieldKind,
  type OutputRule,
  VENDOR_CALLS,
  type VendorCall,
  type VendorCallName,
} from '../../../src/domain/verification/vendor-calls.ts';
import { factsOf, parameterDifferences, VENDOR_FACTS } from '../../support/vendor-facts.ts';
import { type Bench, neverAborted, openBench, REGION, type ScriptedServer, startScriptedServer } from './support.ts';

const CALLS = Object.keys(VENDOR_CALLS) as VendorCallName[];
const [LINK, MD5] = ['https://a-1250000000.cos.ap-singapore.myqcloud.com/a?q-sign=1', '0'.repeat(32)];
async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Buffer.from([byte]);
}
const rowsOf = (call: VendorCallName) => Object.entries((VENDOR_CALLS[call] as VendorCall).parameters);

/** The JSON types of the kinds that are no strings. */
const JSON_TYPES: Readonly<Record<string, string>> = {
  ...{ percent: 'number', integer: 'number', number: 'number', object: 'Encryption' },
};

function leavesOf(name: string, rule: OutputRule): (readonly [string, FieldKind])[] {
  if (typeof rule === 'string') return [[name, rule]];
  if (Array.isArray(rule)) return leavesOf(`${name}[]`, rule[0]);
  return Object.entries(rule).flatMap(([inner, of]) => leavesOf(`${name}.${inner}`, of as OutputRule));
}

it('has only documented calls', () => {
  expect(Object.keys(VENDOR_FACTS)).toEqual(expect.arrayContaining(CALLS));
});

describe.each(CALLS)('the table of %s', (call) => {
  const facts = factsOf(call);

  it('has the documented regions and rate', () => {
    // A call that needs no region may be made in each.
    expect([...VENDOR_CALLS[call].regions].sort()).toEqual(facts.regions ?? [...REGIONS].sort());
    expect(VENDOR_CALLS[call].qps).toBe(facts.callsPerSecond);
  });

  it('has the documented parameters, with their values and limits', () => {
    const names = (wanted: boolean) =>
      rowsOf(call).flatMap(([name, { required }]) => (required === wanted ? name : []));
    expect(parameterDifferences(call, { required: names(true), optional: names(false) })).toEqual([]);
    const values = rowsOf(call).flatMap(([name, { values }]) => (values === undefined ? [] : [[name, values]]));
    expect(Object.fromEntries(values)).toEqual(facts.values);
    const limits = rowsOf(call).flatMap(([name, { maxBase64Bytes }]) =>
      maxBase64Bytes === undefined ? [] : [[name, maxBase64Bytes / 1024 / 1024]],
    );
    expect(Object.fromEntries(limits)).toEqual(facts.maxBase64Megabytes);
    const types = rowsOf(call).map(([name, { kind }]) => [name, JSON_TYPES[kind] ?? 'string']);
    expect(facts.request).toEqual(Object.fromEntries(types));
  });

  it('has the documented outputs, links and MD5s', () => {
    const outputs = Object.entries((VENDOR_CALLS[call] as VendorCall).outputs).flatMap(([name, rule]) =>
      leavesOf(name, rule),
    );
    const types = outputs.map(([name, kind]) => [name, JSON_TYPES[kind] ?? 'string']);
    expect(Object.fromEntries(types)).toEqual(facts.response);
    const fields = [...rowsOf(call).map(([name, { kind }]) => [name, kind] as const), ...outputs];
    const named = (wanted: string) => fields.flatMap(([name, kind]) => (kind === wanted ? name : []));
    expect(named('link').sort()).toEqual([...facts.links].sort());
    expect(named('md5').sort()).toEqual([...facts.md5s].sort());
    expect(named('base64').sort()).toEqual([...(facts.base64 ?? [])].sort());
  });
});

describe.each(CHECK_NAMES)('the resources of %s', (action) => {
  it('are passed as documented links and MD5s, or as Base64, within the documented limits', () => {
    const { links, md5s, base64 = [], request, maxBase64Megabytes } = factsOf(action);
    const rules = resourcesOf(action).map(([, rule]) => rule);
    const files = [...links, ...base64].filter((name) => name in request);
    expect(rules.map((rule) => rule.parameter).sort()).toEqual(files.sort());
    expect(rules.flatMap((rule) => rule.md5Parameter ?? []).sort()).toEqual(
      md5s.filter((name) => name in request).sort(),
    );
    for (const [name, megabytes] of Object.entries(maxBase64Megabytes)) {
      const rule = rules.find(({ parameter }) => parameter === name);
      expect(rule?.maxBytes).toBe(bytesBeforeBase64(megabytes * 1024 * 1024));
    }
    expect([...ACTIONS[action].livenessTypes].sort()).toEqual([...(factsOf(action).values.LivenessType ?? [])].sort());
  });
});

describe('a request', () => {
  let bench: Bench;
  let server: ScriptedServer;
  let faceId: FaceIdClient;
  const sent: Record<string, unknown>[] = [];

  beforeAll(async () => {
    bench = await openBench();
    const listener: RequestListener = (request, response) => {
      request.toArray().then(
        (pieces) => {
          sent.push(JSON.parse(Buffer.concat(pieces).toString()));
          response.end('{"Response":{"Error":{"Code":"FailedOperation.UnKnown","Message":"m"},"RequestId":"r"}}');
        },
        () => response.destroy(),
      );
    };
    server = await startScriptedServer(listener);
    const { proxyUrl: proxy, caFile } = server;
    const credentials = staticCredentials(bench.emulator.credentials);
    faceId = createFaceId({ ...bench.connectorOptions, credentials, proxy, caFile });
  });
  afterAll(async () => {
    await faceId.close();
    await server.close();
    await bench.close();
  });

  const turn = async () => ({ missed: () => false });
  const signal = neverAborted();
  const detect = (
    action: 'DetectReflectLivenessAndCompare' | 'VideoLivenessCompare',
    liveness?: Extract<DetectInput, { links: unknown }>['liveness'],
  ) => {
    const links = Object.fromEntries(resourcesOf(action).map(([name]) => [name, { link: LINK, md5: MD5 }]));
    const input = { links, ...(liveness === undefined ? {} : { liveness }) };
    return faceId.detect(action, REGION, async () => ({ input, signal, missed: () => false }), signal);
  };

  /** Each file holds the name of its parameter. */
  const compare = async (liveness: { type: string; validateData?: string }) => {
    const files = resourcesOf('CompareFaceLiveness').map(
      ([, { parameter }]) => [parameter, () => piecesOf(Buffer.from(parameter))] as const,
    );
    const body = await encodeBody({ parameters: livenessParameters(liveness), files: Object.fromEntries(files) });
    const paid = async () => ({ input: { body }, signal, missed: () => false });
    return faceId.detect('CompareFaceLiveness', REGION, paid, signal);
  };

  const opinion = async () => {
    const files = { [OPINION.parameter]: () => piecesOf(Buffer.from(OPINION.parameter)) };
    const body = await encodeBody({ parameters: { [OPINION.typeParameter]: OPINION.picture }, files });
    return faceId.secondOpinion(REGION, async () => ({ input: body, signal, missed: () => false }), signal);
  };

  it.each<readonly [VendorCallName, () => Promise<unknown>]>([
    ['CreateUploadUrl', () => faceId.createUploadUrl('VideoLivenessCompare', REGION, turn, signal)],
    ['DetectAIFakeFaces', opinion],
    ['GenerateReflectSequence', () => faceId.generateSequence(REGION, { link: LINK, md5: MD5 }, turn, signal)],
    [
      'GenerateReflectSequence',
      () => faceId.generateSequence(REGION, { link: LINK, md5: MD5, securityLevel: '3' }, turn, signal),
    ],
    ['DetectReflectLivenessAndCompare', () => detect('DetectReflectLivenessAndCompare')],
    ['VideoLivenessCompare', () => detect('VideoLivenessCompare', { type: 'SILENT' })],
    ['VideoLivenessCompare', () => detect('VideoLivenessCompare', { type: 'ACTION', validateData: '2,1' })],
    ['CompareFaceLiveness', () => compare({ type: 'SILENT' })],
    ['CompareFaceLiveness', () => compare({ type: 'ACTION', validateData: '2,1' })],
  ])('of %s has every required parameter, and only documented ones', async (call, run) => {
    sent.length = 0;
    await expect(run()).rejects.toMatchObject({ code: 'FailedOperation.UnKnown' });
    const { required, request, links, md5s, base64 = [], values } = factsOf(call);
    const [body = {}] = sent;
    expect(Object.keys(request)).toEqual(expect.arrayContaining(Object.keys(body)));
    expect(Object.keys(body)).toEqual(expect.arrayContaining([...required]));
    for (const [name, value] of Object.entries(body)) {
      expect([name, typeof value]).toEqual([name, request[name]]);
      if (links.includes(name)) expect(value).toBe(LINK);
      if (md5s.includes(name)) expect(value).toBe(MD5);
      if (base64.includes(name)) expect(value).toBe(Buffer.from(name).toString('base64'));
      if (values[name] !== undefined) expect(values[name]).toContain(value);
    }
  });
});

/** Sets a field that may lie in objects (`BestFrame.Url`) and in lists (`AttackRiskDetailList[].Type`). */
function put(into: Record<string, unknown>, path: string, value: unknown): void {
  const [name = '', ...rest] = path.split('.');
  const isList = name.endsWith('[]');
  const key = name.replace('[]', '');
  if (rest.length === 0) into[key] = value;
  else {
    const held = into[key] ?? (isList ? [{}] : {});
    into[key] = held;
    put((Array.isArray(held) ? held[0] : held) as Record<string, unknown>, rest.join('.'), value);
  }
}

describe('a reply', () => {
  /** The documented reply, with a value of the documented type in each field. */
  function replyOf(call: VendorCallName): Record<string, unknown> {
    const { response, links, md5s, base64 = [] } = factsOf(call);
    const reply: Record<string, unknown> = {};
    for (const [path, type] of Object.entries(response)) {
      const value =
        type === 'number'
          ? 80
          : links.includes(path)
            ? LINK
            : md5s.includes(path)
              ? MD5
              : base64.includes(path)
                ? '/9j/'
                : `the ${path}`;
      put(reply, path, value);
    }
    return reply;
  }

  it.each(CALLS)('of %s is read completely', (call) => {
    expect(checkReply(call, replyOf(call))).toMatchObject({ trouble: null, usable: true, frameReadable: true });
  });

  it.each(['DetectReflectLivenessAndCompare', 'VideoLivenessCompare'] as const)('of %s has its frame', (action) => {
    expect(parseDetectReply(action, { ...replyOf(action), Result: 'Success' }, 0)).toEqual({
      result: 'Success',
      description: 'the Description',
      similarity: 80,
      requestId: 'the RequestId',
      bestFrame: { url: LINK, md5: MD5, expiresAt: 7_200_000 },
    });
  });

  it('of CompareFaceLiveness has its frame, and the MD5 of its bytes', () => {
    const bytes = Buffer.from('/9j/', 'base64');
    const reply = { ...replyOf('CompareFaceLiveness'), Result: 'Success' };
    expect(parseDetectReply('CompareFaceLiveness', reply, 0)).toMatchObject({
      ...{ result: 'Success', similarity: 80, bestFrame: null },
      frame: { bytes, md5: createHash('md5').update(bytes).digest('hex') },
    });
  });

  it.each(['Low', 'Mid', 'High'] as const)('of DetectAIFakeFaces has its level %s', (level) => {
    expect(parseOpinionReply({ ...replyOf('DetectAIFakeFaces'), AttackRiskLevel: level })).toEqual({
      level,
      attacks: ['the AttackRiskDetailList[].Type'],
      requestId: 'the RequestId',
    });
  });

  it.each(['low', 'Critical', '', null, 3])('of DetectAIFakeFaces is useless with the level %j', (level) => {
    expect(parseOpinionReply({ ...replyOf('DetectAIFakeFaces'), AttackRiskLevel: level })).toBeNull();
  });

  it('of CreateUploadUrl has its links, and of GenerateReflectSequence its link and MD5', () => {
    expect(parseUploadUrlReply(replyOf('CreateUploadUrl'))).toEqual({
      putLink: LINK,
      getLink: LINK,
      expiresAt: 80_000,
      requestId: 'the RequestId',
    });
    const sequence = { url: LINK, md5: MD5, requestId: 'the RequestId' };
    expect(parseSequenceReply(replyOf('GenerateReflectSequence'))).toEqual(sequence);
  });
});
