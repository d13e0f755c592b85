/**
 * Tests light sequences: a request with device data returns a sequence or an error within a deadline, and no personal data
 * remains.
 */
import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openEdges } from '../../src/app/edges.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { openSequences } from '../../src/app/workers.ts';
import type { Failure } from '../../src/domain/errors/failure.ts';
import type { SequenceRequest } from '../../src/domain/verification/light-sequence.ts';
import { type SampleOptions, sampleDeviceData } from '../../src/emulator/samples.ts';
import { Gate } from '../../src/pipeline/gate.ts';
import { LightSequences } from '../../src/pipeline/light-sequences.ts';
import { type EraseQueue, openEraseQueue } from '../../src/redis/erase-queue.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const SEQUENCE = 'GenerateReflectSequence';
const ARREARS = 'ResourceUnavailable.InArrears';

let rig: Rig;
let erase: EraseQueue;
let sequences: LightSequences;
const lines: string[] = [];
const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
const opened: { close(): Promise<void> }[] = [];
const all: LightSequences[] = [];

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_SEQUENCE: '50' }, emulator: { qps: {} } });
  erase = openEraseQueue(rig.deployment);
  sequences = open();
});
afterEach(async () => {
  await Promise.all(all.map((each) => each.whenIdle()));
  await erase.obliterate({ force: true });
  await rig.control.reset();
  await rig.redis.del(rig.names.gate(REGION, SEQUENCE).gate);
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await erase.close();
  await rig.dispose();
});

function open(settings: Record<string, string> = {}): LightSequences {
  const made = openSequences(readConfig({ ...rig.env, ...settings }), log);
  opened.push(made);
  all.push(made.sequences);
  return made.sequences;
}

/** Opens light sequences with a deadline other than the default of ten seconds. */
function openWithin(deadlineMs: number): LightSequences {
  const { edges, close } = openEdges(rig.config);
  opened.push({ close });
  const { deployment, config } = rig;
  const { mode, objectFolder } = config;
  const namespace = namespaceOf(config);
  const gate = new Gate(deployment, config.limits);
  const shared = { deployment, edges, gate, namespace, mode, objectFolder, log };
  const made = new LightSequences({ ...shared, eraseQueue: erase, deadlineMs });
  all.push(made);
  return made;
}

function request(sample: SampleOptions = { card: 'match' }, more: Partial<SequenceRequest> = {}): SequenceRequest {
  return { deviceData: sampleDeviceData(sample), region: REGION, upload: 'own-bucket', ...more };
}

/** Uses the only slot of a slow rate. On a busy machine, the call may be too late for its slot, which is used all the same. */
async function useSlot(slow: LightSequences): Promise<void> {
  await slow.generate(request()).catch((error: Failure) => expect(error).toMatchObject({ code: 'SEQUENCE_BUSY' }));
}

async function failing(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => expect.fail('the promise did not reject'),
    (error: Failure) => error,
  );
}

const calls = () => rig.control.calls({ action: SEQUENCE });
const md5Of = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

/** @returns the keys of all objects in our own bucket. */
async function objects(): Promise<string[]> {
  return (await rig.control.objects()).filter(({ bucket }) => bucket === rig.bucket).map(({ key }) => key);
}

/** @returns the number of deletions that are due now, and the number of deletions that are scheduled for later. */
async function countDeletions(): Promise<{ now: number; later: number }> {
  return { now: await erase.getJobCountByTypes('wait', 'active'), later: await erase.getDelayedCount() };
}

/** Makes all scheduled deletions due, and runs them until our own bucket is empty. */
async function runDeletions(): Promise<void> {
  for (const job of await erase.getDelayed()) await job.promote();
  const worker = await rig.openErase();
  await expect.poll(objects).toEqual([]);
  await worker.stop(10_000);
}

describe('a sequence', () => {
  it('is generated over our own bucket, has its MD5, and its device data is deleted at once', async () => {
    const data = request({ card: 'match' }, { securityLevel: '3' });
    const { bytes, md5, requestId } = await sequences.generate(data);
    expect(bytes.byteLength).toBeGreaterThan(0);
    expect(md5Of(bytes)).toBe(md5);
    const [call, ...others] = await calls();
    expect(others).toEqual([]);
    expect(call).toMatchObject({ requestId, code: 'Success', billed: false });
    const [key = '', ...more] = await objects();
    expect(more).toEqual([]);
    expect(call?.objects).toEqual([`${rig.bucket}/${key}`]);
    expect(await countDeletions()).toEqual({ now: 1, later: 0 });
    await runDeletions();
  });

  it('is generated over CreateUploadUrl without touching our own bucket', async () => {
    const { bytes, md5 } = await sequences.generate(request({ card: 'match' }, { upload: 'create-upload-url' }));
    expect(md5Of(bytes)).toBe(md5);
    expect(await rig.control.calls({ action: 'CreateUploadUrl' })).toMatchObject([{ code: 'Success' }]);
    const [call] = await calls();
    expect(call?.objects?.[0]).toMatch(/^faceid-resource-sg-\d+\/faceid\/GenerateReflectSequence\//);
    expect(await objects()).toEqual([]);
    expect(await countDeletions()).toEqual({ now: 0, later: 0 });
  });

  it('is generated on the second try after an unreadable or overwritten object, throttling, an error or no answer', async () => {
    const faults: SampleOptions['first'][] = [{ unreadable: 1 }, { overwritten: 1 }, { throttled: 1 }];
    for (const first of [...faults, { error: { code: 'InternalError', times: 1 } }]) {
      await rig.control.reset();
      const { md5 } = await sequences.generate(request({ card: 'match', ...(first === undefined ? {} : { first }) }));
      expect(md5).toMatch(/^[0-9a-f]{32}$/);
      const codes = (await calls()).map(({ code }) => code);
      expect(codes, JSON.stringify(first)).toHaveLength(2);
      expect(codes[1]).toBe('Success');
    }
    await rig.control.reset();
    await rig.control.fault({ kind: 'drop', action: SEQUENCE });
    await sequences.generate(request());
    expect(await calls()).toHaveLength(2);
    await runDeletions();
  });
});

it('is refused and counted if the answer has another shape than documented', async () => {
  const count = async () => (await rig.client.metrics()).counters.replyShapes;
  const before = await count();
  await rig.control.fault({ kind: 'shape', action: SEQUENCE, set: { ReflectSequenceMd5: null }, times: null });
  expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'REPLY_SHAPE' });
  expect(await count()).toBe(before + (await calls()).length);
  await runDeletions();
});

describe('a request for a sequence', () => {
  it.each([
    ['empty', { deviceData: Buffer.alloc(0) }, 'SOURCE_EMPTY', 'deviceData'],
    ['already decoded', { deviceData: Buffer.from([0x1f, 0x8b, 8, 0]) }, 'SOURCE_WRONG_KIND', 'deviceData'],
    ['too large', { deviceData: Buffer.alloc(1024 ** 2 + 1, 'A') }, 'SOURCE_TOO_LARGE', 'deviceData'],
    ['not of the given MD5', { md5: '0'.repeat(32) }, 'SOURCE_MD5_MISMATCH', 'md5'],
    ['for an unknown region', { region: 'ap-nowhere' }, 'INVALID_SEQUENCE', 'region'],
    ['without data', { deviceData: undefined }, 'INVALID_SEQUENCE', 'deviceData'],
    ['with an unknown field', { deviceDate: 1 }, 'INVALID_SEQUENCE', ''],
  ])('is refused if it is %s, and nothing is sent', async (_what, wrong, code, field) => {
    expect(await failing(sequences.generate({ ...request(), ...wrong }))).toMatchObject({ code, field });
    expect(await rig.control.calls()).toEqual([]);
  });

  it('is refused if the region has no bucket, or the bucket is in another region', async () => {
    const elsewhere = rig.emulator.buckets.find(({ region }) => region === 'ap-hongkong')?.name;
    const wrong = open({ BESTFRAME_BUCKETS: `ap-singapore=${elsewhere}` });
    expect(await failing(wrong.generate(request({ card: 'match' }, { region: 'ap-bangkok' })))).toMatchObject({
      code: 'NO_BUCKET',
    });
    expect(await failing(wrong.generate(request()))).toMatchObject({ code: 'NoSuchBucket' });
    expect(await calls()).toEqual([]);
  });

  it('closes the gate if the vendor refuses the link, and later refusals name that fault', async () => {
    const fault = { kind: 'error', action: SEQUENCE, code: 'InvalidParameterValue' } as const;
    await rig.control.fault({ ...fault, message: 'invalid resourceUrl' });
    expect(await failing(sequences.generate(request()))).toMatchObject({
      code: 'InvalidParameterValue',
      sent: 'answered',
    });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'invalid resourceUrl', sent: 'no' });
    expect(await calls()).toHaveLength(1);
    await runDeletions();
  });

  it('is refused without a call if the link stays unreadable after a second upload', async () => {
    await rig.control.fault({
      kind: 'error',
      service: 'cos',
      action: 'GetObject',
      code: 'AccessDenied',
      status: 403,
      times: 2,
    });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'LINK_UNREADABLE' });
    expect(await calls()).toEqual([]);
    expect((await objects()).map((key) => key.split('/').slice(-2).join('/')).sort()).toEqual([
      '0/deviceData',
      '1/deviceData',
    ]);
    await runDeletions();
  });

  it('is refused if the generated sequence cannot be fetched', async () => {
    await rig.control.fault({ kind: 'error', object: '/sequence/', code: 'NoSuchKey', status: 404, times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'SEQUENCE_MISSING' });
    expect(await calls()).toHaveLength(2);
    expect(await countDeletions()).toEqual({ now: 1, later: 0 });
    await runDeletions();
  });

  it('is refused if COS drops the uploads, and a late upload is deleted later', async () => {
    await rig.control.fault({ kind: 'drop', service: 'cos', action: 'PutObject', times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'RESET' });
    expect(await calls()).toEqual([]);
    expect(await countDeletions()).toEqual({ now: 0, later: 1 });
    await runDeletions();
  });

  it('is refused if the vendor throttles it twice, and the rate slows down', async () => {
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'RequestLimitExceeded', times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'RequestLimitExceeded' });
    expect(await calls()).toHaveLength(2);
    const [gate] = (await rig.client.gates()).filter(({ action }) => action === SEQUENCE);
    expect(gate?.pace).toBeGreaterThan(1.2);
    await runDeletions();
  });

  it('is refused at once, without an upload, if the wait for the rate is too long', async () => {
    const slow = open({ BESTFRAME_QPS_SEQUENCE: '0.01' });
    await useSlot(slow);
    await runDeletions();
    const before = await calls();
    expect(await failing(slow.generate(request()))).toMatchObject({ code: 'SEQUENCE_BUSY', sent: 'no' });
    expect(await calls()).toEqual(before);
    expect(await objects()).toEqual([]);
  });

  it('is refused at once if Redis is unavailable', async () => {
    const lost = open({ BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await failing(lost.generate(request()))).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(await rig.control.calls()).toEqual([]);
  });

  it('is refused at its deadline, after two tries, if the vendor hangs', async () => {
    const hasty = openWithin(3_000);
    await rig.control.fault({ kind: 'hold', action: SEQUENCE, times: null });
    expect(await failing(hasty.generate(request()))).toMatchObject({ code: 'SEQUENCE_LATE' });
    expect(await rig.control.calls({ action: SEQUENCE, event: 'held' })).toHaveLength(2);
    await rig.control.clearFaults();
    await hasty.whenIdle();
    await runDeletions();
  });
});

describe('the rate', () => {
  it('is shared by all processes', async () => {
    const [one, other] = [open({ BESTFRAME_QPS_SEQUENCE: '0.01' }), open({ BESTFRAME_QPS_SEQUENCE: '0.01' })];
    await useSlot(one);
    const before = await calls();
    expect(await failing(other.generate(request()))).toMatchObject({ code: 'SEQUENCE_BUSY', sent: 'no' });
    expect(await calls()).toEqual(before);
    await runDeletions();
  });
});

describe('the gate', () => {
  const gateNow = async () => (await rig.client.gates()).find(({ action }) => action === SEQUENCE);
  const probeIsDue = () => rig.redis.hset(rig.names.gate(REGION, SEQUENCE).gate, 'nextProbe', 0);

  it('closes on arrears, refuses requests at once, and opens after a successful probe', async () => {
    await rig.control.settings({ accountError: ARREARS });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: ARREARS, sent: 'answered' });
    expect(await gateNow()).toMatchObject({ state: 'closed', code: ARREARS, by: 'account' });
    await runDeletions();
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: ARREARS, sent: 'no' });
    expect(await calls()).toHaveLength(1);
    expect(await objects()).toEqual([]);

    await probeIsDue();
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: ARREARS, sent: 'answered' });
    expect(await gateNow()).toMatchObject({ state: 'closed', probes: 1 });
    await rig.control.settings({ accountError: null });
    await probeIsDue();
    await sequences.generate(request());
    expect(await gateNow()).toMatchObject({ state: 'open', code: null });
    await runDeletions();
  });

  it('allows another probe after a probe failed for an unrelated reason', async () => {
    await rig.client.steerGate({ region: REGION, action: SEQUENCE }, 'close', { by: 'ops', why: '' });
    await probeIsDue();
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'InternalError', times: 2 });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'InternalError' });
    expect(await gateNow()).toMatchObject({ state: 'closed', probes: 5 });
    await sequences.generate(request());
    expect(await gateNow()).toMatchObject({ state: 'open' });
    await runDeletions();
  });

  it('refuses requests while an operator pauses it, even between upload and call, and opens on resume', async () => {
    const held = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject' });
    const asked = failing(sequences.generate(request()));
    await rig.control.waitFor({ action: 'PutObject', event: 'held' });
    await rig.client.steerGate({ region: REGION, action: SEQUENCE }, 'pause', {
      by: 'maria',
      why: 'bill is being paid',
    });
    await rig.control.release(held);
    expect(await asked).toMatchObject({ code: 'PAUSED_BY_OPERATOR', sent: 'no' });
    expect(await calls()).toEqual([]);
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'PAUSED_BY_OPERATOR', sent: 'no' });
    await rig.client.steerGate({ region: REGION, action: SEQUENCE }, 'resume', { by: 'maria', why: '' });
    await sequences.generate(request());
    expect(await gateNow()).toMatchObject({ state: 'open' });
    await runDeletions();
  });
});

describe('a key', () => {
  it('returns the same sequence for repeated and concurrent requests, with one call', async () => {
    const asked = request({ card: 'match' }, { key: 'session-1' });
    const [first, concurrent] = await Promise.all([sequences.generate(asked), open().generate(asked)]);
    const again = await sequences.generate(asked);
    for (const other of [concurrent, again]) {
      expect(Buffer.from(other.bytes).equals(Buffer.from(first.bytes))).toBe(true);
      expect({ ...other, bytes: null }).toEqual({ ...first, bytes: null });
    }
    expect(await calls()).toHaveLength(1);
    await runDeletions();
  });

  it('is refused as a conflict with other device data or settings', async () => {
    const asked = request({ card: 'match' }, { key: 'session-2' });
    await sequences.generate(asked);
    const conflict = { code: 'KEY_CONFLICT', field: 'key' };
    expect(await failing(sequences.generate({ ...asked, deviceData: request().deviceData }))).toMatchObject(conflict);
    expect(await failing(sequences.generate({ ...asked, securityLevel: '1' }))).toMatchObject(conflict);
    expect(await calls()).toHaveLength(1);
    await runDeletions();
  });

  it('can be used again after a failure', async () => {
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'InternalError', times: 2 });
    const asked = request({ card: 'match' }, { key: 'session-3' });
    expect(await failing(sequences.generate(asked))).toMatchObject({ code: 'InternalError' });
    const { md5 } = await sequences.generate(asked);
    expect(md5).toMatch(/^[0-9a-f]{32}$/);
    await runDeletions();
  });

  it('keeps its sequence sealed if there is a key ring', async () => {
    const sealed = open({ BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32, 1).toString('base64')}` });
    const asked = request({ card: 'match' }, { key: 'session-4' });
    const first = await sealed.generate(asked);
    const kept = await allText(rig.redis, `${rig.config.prefix}:sequence:`);
    expect(kept).not.toContain(first.requestId);
    expect((await sealed.generate(asked)).requestId).toBe(first.requestId);
    expect(await failing(sequences.generate(asked))).toMatchObject({ code: 'SEAL_KEY_MISSING' });
    await runDeletions();
  });
});

it('leaves no device data, key or link in Redis or the log', async () => {
  const asked = request({ card: 'match', first: { unreadable: 1 } }, { key: 'maria@example.com' });
  await sequences.generate(asked);
  const { deviceData } = asked;
  const seen = `${await allText(rig.redis, rig.config.prefix)}\n${lines.join('')}`;
  for (const secret of [
    'maria@',
    Buffer.from(deviceData).toString().slice(0, 60),
    md5Of(deviceData),
    'q-sign',
    'myqcloud',
  ])
    expect(seen).not.toContain(secret);
  expect(seen).toContain('light sequence generated');
  await runDeletions();
});
