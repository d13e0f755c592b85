/**
 * What an older version left in Redis goes on under this one. Each released version has a file in test/fixtures/records,
 * written by the first test here with BESTFRAME_CAPTURE=<version> in the environment of the run, once, when it is released.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { State } from '../../src/domain/states.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { PIPELINE_VERSION } from '../../src/queue/record.ts';
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

/** By key: how each was left, and what becomes of it. */
const EXPECTED: Readonly<Record<string, { left: State | 'gone'; becomes: object | null }>> = {
  queued: { left: 'queued', becomes: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  uploaded: { left: 'delayed', becomes: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  'by-url': { left: 'delayed', becomes: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'stored' } },
  unknown: { left: 'active', becomes: { state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 1 } },
  decided: { left: 'active', becomes: { state: 'completed', decision: 'match', paidCalls: 1, frame: 'lost' } },
  held: { left: 'held', becomes: { state: 'held', reason: { code: 'FailedOperation.DownLoadError' } } },
  completed: { left: 'completed', becomes: { state: 'completed', decision: 'match', frame: 'stored' } },
  failed: { left: 'failed', becomes: { state: 'failed', reason: { code: 'FailedOperation.LivessSystemError' } } },
  cancelled: { left: 'cancelled', becomes: { state: 'cancelled' } },
  erased: { left: 'gone', becomes: null },
};

/** One of each, left as a worker that is killed leaves them. */
async function leave(rig: Rig): Promise<void> {
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
  // Trouble with the account: uploaded, and handed back.
  await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
  for (const [key, more] of [
    ['uploaded', {}],
    ['by-url', { upload: 'create-upload-url' }],
  ] as const) {
    await rig.client.enqueue(await request(key, {}, more));
    await expect
      .poll(async () => (await rig.client.get(id(key)))?.reason?.code, { timeout: 20_000 })
      .toMatch(/Arrears/);
  }
  await rig.control.settings({ accountError: null });
  await rig.client.steer('ap-singapore', DETECT, 'open', 'test', 'captured');
  await rig.client.steer('ap-singapore', DETECT, 'pause', 'test', 'captured');
  await rig.client.enqueue(await request('cancelled'));
  await rig.client.cancel(id('cancelled'));
  await worker.stop(5_000);
  await rig.client.steer('ap-singapore', DETECT, 'resume', 'test', 'captured');

  // A call that is out, and a frame that is on its way, of a worker that is gone by then.
  await rig.control.fault({ kind: 'hold', action: DETECT, object: id('unknown'), times: null });
  await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object: 'faceid-result', times: null });
  await rig.client.enqueueMany([await request('unknown'), await request('decided')]);
  await rig.openWorker({ BESTFRAME_SLOTS: '2' }); // both are taken
  await rig.control.waitFor({ event: 'held' }, 2);
  await rig.client.enqueue(await request('queued'));
}

it('each state can be left and taken up again; a released version is captured here', async () => {
  const rig = await open();
  await leave(rig);
  const records = await capture(rig, process.env.BESTFRAME_CAPTURE ?? 'present');
  if (process.env.BESTFRAME_CAPTURE !== undefined) {
    writeFileSync(join(FIXTURES, `${records.version}.json`), `${JSON.stringify(records, null, 1)}\n`);
  }
  await goesOn(records);
}, 120_000);

const versions = readdirSync(FIXTURES).filter((name) => name.endsWith('.json'));

it.each(versions)(
  '%s',
  async (name) => {
    await goesOn(JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Records);
  },
  120_000,
);

async function goesOn(records: Records): Promise<void> {
  const rig = await open();
  await restore(rig, records);
  for (const [key, { left }] of Object.entries(EXPECTED)) {
    expect([key, (await rig.client.getByKey(key))?.state ?? 'gone']).toEqual([key, left]);
  }
  await rig.openWorker();
  await rig.openErase();
  for (const [key, { becomes }] of Object.entries(EXPECTED)) {
    const view = await rig.client.wait(rig.client.idOf(key), { until: 'ended', timeoutMs: 60_000 });
    if (becomes === null) expect(view).toBeNull();
    else expect([key, view]).toEqual([key, expect.objectContaining(withReason(becomes))]);
    if (view !== null) expect(view).toMatchObject({ key, metadata: { order: key } });
  }
  await expect(rig.client.enqueue(await rig.request('erased'))).rejects.toMatchObject({ code: 'KEY_GONE' });
}

function withReason(expected: object): object {
  return 'reason' in expected ? { ...expected, reason: expect.objectContaining(expected.reason) } : expected;
}

it('a record of a newer version is left alone by this one, and costs it nothing', async () => {
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
