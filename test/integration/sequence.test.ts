/** Light sequences: device data in, a sequence out or the reason why not, within its deadline, and nothing left behind. */
import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEdges, openSequences } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import type { Failure } from '../../src/domain/failure.ts';
import type { SequenceRequest } from '../../src/domain/sequences.ts';
import { type SampleOptions, sampleDeviceData } from '../../src/emulator/samples.ts';
import { type EraseQueue, openEraseQueue } from '../../src/queue/erase-queue.ts';
import { Sealer } from '../../src/queue/seal.ts';
import { Gate } from '../../src/runtime/gate.ts';
import { Sequences } from '../../src/runtime/sequences.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const SEQUENCE = 'GenerateReflectSequence';
const ARREARS = 'ResourceUnavailable.InArrears';

let rig: Rig;
let erase: EraseQueue;
let sequences: Sequences;
const lines: string[] = [];
const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_SEQUENCE: '50' }, emulator: { qps: {} } });
  erase = openEraseQueue(rig.redis, rig.names);
  sequences = open();
});
afterEach(async () => {
  await rig.control.reset();
  await rig.redis.del(rig.names.gate(REGION, SEQUENCE).gate);
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await erase.close();
  await rig.dispose();
});

function open(settings: Record<string, string> = {}): Sequences {
  const made = openSequences(readConfig({ ...rig.env, ...settings }), log);
  opened.push(made);
  return made.sequences;
}

/** With another deadline than ten seconds. */
function openWithin(deadlineMs: number): Sequences {
  const { edges, close } = openEdges(rig.config);
  opened.push({ close });
  const { redis, names, config } = rig;
  const { namespace, mode, objectFolder } = config;
  const gate = new Gate(redis, names, config.limits);
  const shared = { redis, names, edges, gate, namespace, mode, objectFolder, log };
  return new Sequences({ ...shared, eraseQueue: erase, sealer: new Sealer(), deadlineMs });
}

function request(sample: SampleOptions = { card: 'match' }, more: Partial<SequenceRequest> = {}): SequenceRequest {
  return { deviceData: sampleDeviceData(sample), region: REGION, upload: 'own-bucket', ...more };
}

async function failing(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: Failure) => error,
  );
}

const calls = () => rig.control.calls({ action: SEQUENCE });
const md5Of = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

/** What lies in the own bucket. */
async function objects(): Promise<string[]> {
  return (await rig.control.objects()).filter(({ bucket }) => bucket === rig.bucket).map(({ key }) => key);
}

/** Deletions that are to be done, and that are promised. */
async function toErase(): Promise<{ now: number; later: number }> {
  return { now: await erase.getJobCountByTypes('wait', 'active'), later: await erase.getDelayedCount() };
}

/** As if the time had come of each deletion that was only promised. */
async function erased(): Promise<void> {
  for (const job of await erase.getDelayed()) await job.promote();
  const worker = await rig.openErase();
  await expect.poll(objects).toEqual([]);
  await worker.stop(10_000);
}

describe('a sequence', () => {
  it('comes by the own bucket, with its MD5, and its device data is to be deleted at once', async () => {
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
    expect(await toErase()).toEqual({ now: 1, later: 0 });
    await erased();
  });

  it('comes by CreateUploadUrl, and nothing touches the own bucket', async () => {
    const { bytes, md5 } = await sequences.generate(request({ card: 'match' }, { upload: 'create-upload-url' }));
    expect(md5Of(bytes)).toBe(md5);
    expect(await rig.control.calls({ action: 'CreateUploadUrl' })).toMatchObject([{ code: 'Success' }]);
    const [call] = await calls();
    expect(call?.objects?.[0]).toMatch(/^faceid-resource-sg-\d+\/faceid\/GenerateReflectSequence\//);
    expect(await objects()).toEqual([]);
    expect(await toErase()).toEqual({ now: 0, later: 0 });
  });

  it('is had although the first try went wrong: unreadable, overwritten, throttled, no answer', async () => {
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
    await erased();
  });
});

describe('is refused', () => {
  it.each([
    ['empty', { deviceData: Buffer.alloc(0) }, 'SOURCE_EMPTY', 'deviceData'],
    ['decoded', { deviceData: Buffer.from([0x1f, 0x8b, 8, 0]) }, 'SOURCE_WRONG_KIND', 'deviceData'],
    ['too large', { deviceData: Buffer.alloc(1024 ** 2 + 1, 'A') }, 'SOURCE_TOO_LARGE', 'deviceData'],
    ['of another MD5', { md5: '0'.repeat(32) }, 'SOURCE_MD5_MISMATCH', 'md5'],
    ['for no region', { region: 'ap-nowhere' }, 'INVALID_SEQUENCE', 'region'],
    ['without data', { deviceData: undefined }, 'INVALID_SEQUENCE', 'deviceData'],
    ['with more than is known', { deviceDate: 1 }, 'INVALID_SEQUENCE', ''],
  ])('what is %s, and nothing is sent', async (_what, wrong, code, field) => {
    expect(await failing(sequences.generate({ ...request(), ...wrong }))).toMatchObject({ code, field });
    expect(await rig.control.calls()).toEqual([]);
  });

  it('where there is no bucket, or one of another region', async () => {
    const elsewhere = rig.emulator.buckets.find(({ region }) => region === 'ap-hongkong')?.name;
    const wrong = open({ BESTFRAME_BUCKETS: `ap-singapore=${elsewhere}` });
    expect(await failing(wrong.generate(request({ card: 'match' }, { region: 'ap-bangkok' })))).toMatchObject({
      code: 'NO_BUCKET',
    });
    expect(await failing(wrong.generate(request()))).toMatchObject({ code: 'NoSuchBucket' });
    expect(await calls()).toEqual([]);
  });

  it('where the vendor refuses the link: the gate closes with the name that it has', async () => {
    const fault = { kind: 'error', action: SEQUENCE, code: 'InvalidParameterValue' } as const;
    await rig.control.fault({ ...fault, message: 'invalid resourceUrl' });
    expect(await failing(sequences.generate(request()))).toMatchObject({
      code: 'InvalidParameterValue',
      sent: 'answered',
    });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'invalid resourceUrl', sent: 'no' });
    expect(await calls()).toHaveLength(1);
    await erased();
  });

  it('where the link cannot be read, before the call: after a second upload', async () => {
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
    await erased();
  });

  it('where the sequence is gone when it is fetched', async () => {
    await rig.control.fault({ kind: 'error', object: '/sequence/', code: 'NoSuchKey', status: 404, times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'SEQUENCE_MISSING' });
    expect(await calls()).toHaveLength(2);
    expect(await toErase()).toEqual({ now: 1, later: 0 });
    await erased();
  });

  it('where COS hangs up on uploads: what may still arrive is deleted in its own time', async () => {
    await rig.control.fault({ kind: 'drop', service: 'cos', action: 'PutObject', times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'RESET' });
    expect(await calls()).toEqual([]);
    expect(await toErase()).toEqual({ now: 0, later: 1 });
    await erased();
  });

  it('where the vendor throttles all the same, and the rate goes slower', async () => {
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'RequestLimitExceeded', times: null });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'RequestLimitExceeded' });
    expect(await calls()).toHaveLength(2);
    const [gate] = (await rig.client.gates()).filter(({ action }) => action === SEQUENCE);
    expect(gate?.pace).toBeGreaterThan(1.2);
    await erased();
  });

  it('at once, and nothing is uploaded, where the rate is used up for longer than anybody waits', async () => {
    const slow = open({ BESTFRAME_QPS_SEQUENCE: '0.05' });
    await slow.generate(request());
    await erased();
    expect(await failing(slow.generate(request()))).toMatchObject({ code: 'SEQUENCE_BUSY', sent: 'no' });
    expect(await calls()).toHaveLength(1);
    expect(await objects()).toEqual([]);
  });

  it('at once where Redis is away', async () => {
    const lost = open({ BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await failing(lost.generate(request()))).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(await rig.control.calls()).toEqual([]);
  });

  it('in time, whatever hangs, after two tries', async () => {
    const hasty = openWithin(3_000);
    await rig.control.fault({ kind: 'hold', action: SEQUENCE, times: null });
    expect(await failing(hasty.generate(request()))).toMatchObject({ code: 'SEQUENCE_LATE' });
    expect(await rig.control.calls({ action: SEQUENCE, event: 'held' })).toHaveLength(2);
    await rig.control.clearFaults();
    await hasty.idle();
    await erased();
  });
});

describe('the rate', () => {
  it('holds over all who ask', async () => {
    await rig.control.settings({ qps: { [SEQUENCE]: 5 } });
    const [one, other] = [open({ BESTFRAME_QPS_SEQUENCE: '5' }), open({ BESTFRAME_QPS_SEQUENCE: '5' })];
    const asked = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? one : other).generate(request()));
    await Promise.all(asked);
    expect((await calls()).map(({ code }) => code)).toEqual(Array(8).fill('Success'));
    await erased();
  });
});

describe('the gate', () => {
  const gateNow = async () => (await rig.client.gates()).find(({ action }) => action === SEQUENCE);
  const probeIsDue = () => rig.redis.hset(rig.names.gate(REGION, SEQUENCE).gate, 'nextProbe', 0);

  it('is closed by arrears, says so at once, and is opened by a probe', async () => {
    await rig.control.settings({ accountError: ARREARS });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: ARREARS, sent: 'answered' });
    expect(await gateNow()).toMatchObject({ state: 'closed', code: ARREARS, by: 'breaker' });
    await erased();
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
    await erased();
  });

  it('makes room for another probe where one has learnt nothing', async () => {
    await rig.client.steer(REGION, SEQUENCE, 'close', 'ops', '');
    await probeIsDue();
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'InternalError', times: 2 });
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'InternalError' });
    expect(await gateNow()).toMatchObject({ state: 'closed', probes: 5 });
    await sequences.generate(request());
    expect(await gateNow()).toMatchObject({ state: 'open' });
    await erased();
  });

  it('is not closed by an operator’s pause, also where that comes between upload and call', async () => {
    const held = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject' });
    const asked = failing(sequences.generate(request()));
    await rig.control.waitFor({ action: 'PutObject', event: 'held' });
    await rig.client.steer(REGION, SEQUENCE, 'pause', 'maria', 'bill is being paid');
    await rig.control.release(held);
    expect(await asked).toMatchObject({ code: 'PAUSED_BY_OPERATOR', sent: 'no' });
    expect(await calls()).toEqual([]);
    expect(await failing(sequences.generate(request()))).toMatchObject({ code: 'PAUSED_BY_OPERATOR', sent: 'no' });
    await rig.client.steer(REGION, SEQUENCE, 'resume', 'maria', '');
    await sequences.generate(request());
    expect(await gateNow()).toMatchObject({ state: 'open' });
    await erased();
  });
});

describe('a key', () => {
  it('has one sequence, asked for again or at the same time, and no second call', async () => {
    const asked = request({ card: 'match' }, { key: 'session-1' });
    const [first, beside] = await Promise.all([sequences.generate(asked), open().generate(asked)]);
    const again = await sequences.generate(asked);
    for (const other of [beside, again]) {
      expect(Buffer.from(other.bytes).equals(Buffer.from(first.bytes))).toBe(true);
      expect({ ...other, bytes: null }).toEqual({ ...first, bytes: null });
    }
    expect(await calls()).toHaveLength(1);
    await erased();
  });

  it('belongs to its device data and settings', async () => {
    const asked = request({ card: 'match' }, { key: 'session-2' });
    await sequences.generate(asked);
    const conflict = { code: 'KEY_CONFLICT', field: 'key' };
    expect(await failing(sequences.generate({ ...asked, deviceData: request().deviceData }))).toMatchObject(conflict);
    expect(await failing(sequences.generate({ ...asked, securityLevel: '1' }))).toMatchObject(conflict);
    expect(await calls()).toHaveLength(1);
    await erased();
  });

  it('is free again where there was no sequence', async () => {
    await rig.control.fault({ kind: 'error', action: SEQUENCE, code: 'InternalError', times: 2 });
    const asked = request({ card: 'match' }, { key: 'session-3' });
    expect(await failing(sequences.generate(asked))).toMatchObject({ code: 'InternalError' });
    const { md5 } = await sequences.generate(asked);
    expect(md5).toMatch(/^[0-9a-f]{32}$/);
    await erased();
  });

  it('keeps its sequence sealed where there is a key ring', async () => {
    const sealed = open({ BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32, 1).toString('base64')}` });
    const asked = request({ card: 'match' }, { key: 'session-4' });
    const first = await sealed.generate(asked);
    const kept = await allText(rig.redis, `${rig.config.prefix}:sequence:`);
    expect(kept).not.toContain(first.requestId);
    expect((await sealed.generate(asked)).requestId).toBe(first.requestId);
    expect(await failing(sequences.generate(asked))).toMatchObject({ code: 'SEAL_KEY_MISSING' });
    await erased();
  });
});

it('leaves nothing of the phone in Redis or the log', async () => {
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
  expect(seen).toContain('light sequence given');
  await erased();
});
