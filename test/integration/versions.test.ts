/**
 * Tests that this version resumes verifications that an older version left in Redis. Each released version has a file in
 * test/fixtures/records. To write the file of a new release, run the first test once with BESTFRAME_CAPTURE=<version> in the
 * environment.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { State } from '../../src/domain/verification/states.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { PIPELINE_VERSION } from '../../src/redis/record.ts';
import { capture, type Records, restore } from '../support/records.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'records');

const rigs: Rig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.dispose()));
});

async function open(): Promise<Rig> {
  const env = {
    BESTFRAME_NAMESPACE: 'bestframe', // the ids of the captured records depend on it
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_QPS_UPLOAD_URL: '200',
    BESTFRAME_LEASE_MS: '2000',
    BESTFRAME_CALL_SECONDS: 'batch=1,interactive=1',
    BESTFRAME_BACKOFF_MS: 'batch=50,interactive=50',
    BESTFRAME_REUSED_LIVE_DATA: 'warn',
  };
  const rig = await createRig({ env, emulator: { qps: {} } });
  rigs.push(rig);
  return rig;
}

/** For each key: the state in the captured records, and the result after a worker has run. */
const EXPECTED: Readonly<Record<string, { captured: State | 'gone'; result: object | null }>> = {
  queued: { captured: 'queued', result: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  uploaded: { captured: 'delayed', result: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  'by-url': { captured: 'delayed', result: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  unknown: {
    captured: 'active',
    result: { state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 },
  },
  decided: { captured: 'active', result: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'lost' } },
  held: { captured: 'held', result: { state: 'held', reason: { code: 'FailedOperation.DownLoadError' } } },
  completed: { captured: 'completed', result: { state: 'completed', decision: 'match', frame: 'stored' } },
  failed: { captured: 'failed', result: { state: 'failed', reason: { code: 'FailedOperation.LivessSystemError' } } },
  cancelled: { captured: 'cancelled', result: { state: 'cancelled' } },
  erased: { captured: 'gone', result: null },
};

/** Creates one verification in each state, as a killed worker leaves it. */
async function createEachState(rig: Rig): Promise<void> {
  const request = async (key: string, card: object = {}, more: object = {}) => {
    const liveData = await rig.file(`${key}.gz`, sampleLiveData({ card: 'match', nonce: key, padBytes: 64, ...card }));
    const image = await rig.file(`${key}.jpg`, sampleImage(key));
    const resources = { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } } as const;
    const deadline = new Date(Date.now() + 24 * 3_600_000).toISOString();
    return {
      ...(await rig.request(key)),
      lane: 'batch',
      resources,
      deadline,
      metadata: { order: key },
      ...more,
    } as const;
  };
  const id = (key: string) => rig.client.idOf(key);
  const ended = async (key: string, card?: object, more?: object) => {
    await rig.client.enqueue(await request(key, card, more));
    return rig.client.wait(id(key), { until: 'ended', timeoutMs: 50_000 });
  };
  const worker = await rig.openWorker();
  await ended('completed');
  await ended('held', { first: { unreadable: 9 } });
  await ended('failed', { card: 'FailedOperation.LivessSystemError', channel: 'error' });
  await ended('erased');
  await rig.client.erase(id('erased'), { by: 'test', why: 'captured' });
  // A fault of the account: the worker uploads the objects and requeues the verification.
  await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
  for (const [key, more] of [
    ['uploaded', {}],
    ['by-url', { upload: 'create-upload-url' }],
  ] as const) {
    await rig.client.enqueue(await request(key, {}, more));
    await expect
      .poll(() => rig.client.get(id(key)), { timeout: 20_000 })
      .toMatchObject({ state: 'delayed', reason: { code: expect.stringMatching(/Arrears/) } });
  }
  await rig.control.settings({ accountError: null });
  await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'open', { by: 'test', why: 'captured' });
  await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'test', why: 'captured' });
  await rig.client.enqueue(await request('cancelled'));
  await rig.client.cancel(id('cancelled'));
  await worker.stop(5_000);
  await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'test', why: 'captured' });

  // One paid call and one frame download stay open, because their worker no longer exists when the records are restored.
  await rig.control.fault({ kind: 'hold', action: DETECT, object: id('unknown'), times: null });
  await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result', times: null });
  await rig.client.enqueueMany([await request('unknown'), await request('decided')]);
  await rig.openWorker({ BESTFRAME_SLOTS: '2' }); // one slot for each of the two
  await rig.control.waitFor({ event: 'held' }, 2);
  await rig.client.enqueue(await request('queued'));
}

it('resumes every state of this version, and captures it if BESTFRAME_CAPTURE is set', async () => {
  const rig = await open();
  await createEachState(rig);
  const records = await capture(rig, process.env.BESTFRAME_CAPTURE ?? 'present');
  if (process.env.BESTFRAME_CAPTURE !== undefined) {
    writeFileSync(join(FIXTURES, `${records.version}.json`), `${JSON.stringify(records, null, 1)}\n`);
  }
  await expectResumes(records);
}, 120_000);

const versions = readdirSync(FIXTURES).filter((name) => name.endsWith('.json'));

it.each(versions)(
  'resumes the records of %s',
  async (name) => {
    await expectResumes(JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Records);
  },
  120_000,
);

async function expectResumes(records: Records): Promise<void> {
  const rig = await open();
  await restore(rig, records);
  for (const [key, { captured }] of Object.entries(EXPECTED)) {
    expect([key, (await rig.client.getByKey(key))?.state ?? 'gone']).toEqual([key, captured]);
  }
  await rig.openWorker();
  await rig.openErase();
  for (const [key, { result }] of Object.entries(EXPECTED)) {
    const view = await rig.client.wait(rig.client.idOf(key), { until: 'ended', timeoutMs: 60_000 });
    if (result === null) expect(view).toBeNull();
    else expect([key, view]).toEqual([key, expect.objectContaining(withReason(result))]);
    if (view !== null) expect(view).toMatchObject({ key, metadata: { order: key } });
  }
  await expect(rig.client.enqueue(await rig.request('erased'))).rejects.toMatchObject({ code: 'KEY_GONE' });
}

function withReason(expected: object): object {
  return 'reason' in expected ? { ...expected, reason: expect.objectContaining(expected.reason) } : expected;
}

it('delays a record of a newer version, unpaid, until a newer worker runs', async () => {
  const rig = await open();
  const { id } = await rig.client.enqueue(await rig.request('newer'));
  const journal = rig.names.journal(id);
  const packed = (await rig.redis.hget(journal, 'rq')) ?? '';
  await rig.redis.hset(journal, 'rq', packed.replace(/^\d+/, String(PIPELINE_VERSION + 1)));
  const worker = await rig.openWorker();
  await expect.poll(async () => (await rig.client.get(id))?.reason?.code).toBe('NEWER_RECORD');
  expect(await rig.client.get(id)).toMatchObject({ state: 'delayed', paidCalls: 0 });
  expect((await rig.client.gates()).every(({ state }) => state === 'open')).toBe(true);
  await worker.stop(5_000);
  await rig.redis.hset(journal, 'rq', packed);
  await rig.openWorker();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
});
