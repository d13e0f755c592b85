/** Tests that a fault of one machine takes its worker out of service, and that no verification fails because of the fault. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import { VERSION } from '../../src/domain/version.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeEach(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
});
afterEach(() => rig.dispose());

async function codes(): Promise<(string | null)[]> {
  return (await rig.client.workers()).map(({ code }) => code).sort();
}

function workers() {
  return rig.client.workers();
}

async function gateClosings(): Promise<number> {
  return (await rig.client.metrics()).counters.gateClosed;
}

describe('a missing root', () => {
  it('stops one of two workers; the other worker completes all verifications, and the gate stays open', async () => {
    const mount = join(rig.dir, 'mount');
    const roots = `${rig.config.fileRoots.join(',')},${mount}`;
    await rig.openWorker({ BESTFRAME_FILE_ROOTS: roots });
    await rig.openWorker();
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1) ids.push((await rig.client.enqueue(await rig.request(`root-${n}`))).id);
    const views = await Promise.all(ids.map((id) => rig.client.wait(id, { until: 'ended' })));
    expect(views.map((view) => view?.decision)).toEqual(ids.map(() => 'match'));
    expect(await gateClosings()).toBe(0);
    expect(await codes()).toEqual(['ROOT_UNREADABLE', null]);
    const fault = rig.lines.find(({ event }) => event === 'machine_fault');
    expect(fault).toMatchObject({ host: hostname(), code: 'ROOT_UNREADABLE' });
    await mkdir(mount);
    await expect.poll(codes, { timeout: 20_000 }).toEqual([null, null]);
  });

  it('that disappears while verifications run fails none and costs no attempt, and the worker resumes when it is back', async () => {
    const inputs = rig.config.fileRoots[0] ?? '';
    await rig.openWorker({ BESTFRAME_SLOTS: '1' });
    const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject' });
    const first = await rig.client.enqueue(await rig.request('runs'));
    await rig.control.waitFor({ service: 'cos', action: 'PutObject' });
    await expect.poll(workers, { timeout: 20_000 }).toMatchObject([{ slots: { used: 1, of: 1 }, version: VERSION }]);
    const second = await rig.client.enqueue(await rig.request('meets-it'));
    await rename(inputs, `${inputs}-away`);
    await rig.control.release(hold);
    // The first verification opened its files before the folder was renamed.
    expect(await rig.client.wait(first.id, { until: 'ended' })).toMatchObject({ decision: 'match' });
    await expect.poll(codes, { timeout: 20_000 }).toEqual(['ROOT_UNREADABLE']);
    expect(await rig.client.get(second.id)).toMatchObject({ decision: null, paidCalls: 0 });
    await rename(`${inputs}-away`, inputs);
    expect(await rig.client.wait(second.id, { until: 'ended' })).toMatchObject({ decision: 'match', frame: 'stored' });
    expect(await rig.redis.hget(rig.names.journal(second.id), 'a:upload')).toBeNull();
    expect(await codes()).toEqual([null]);
    await expect.poll(workers, { timeout: 20_000 }).toMatchObject([{ slots: { used: 0, of: 1 } }]);
  });
});

describe('a spool folder that cannot be written to', () => {
  it('is reported by name and ends no verification; another worker continues', async () => {
    await rig.control.putOrigin('https://photos.example.com/a.gz', sampleLiveData({ nonce: 'spool', card: 'match' }));
    await rig.control.putOrigin('https://photos.example.com/a.jpg', sampleImage('spool'));
    const broken = await rig.openWorker({ BESTFRAME_SPOOL_DIR: '/proc' });
    const { id } = await rig.client.enqueue({
      ...(await rig.request('spool')),
      resources: {
        liveData: { from: 'https', url: 'https://photos.example.com/a.gz' },
        image: { from: 'https', url: 'https://photos.example.com/a.jpg' },
      },
    } as never);
    const [worker] = await rig.client.workers();
    expect(worker).toMatchObject({ state: 'out_of_service', code: 'SPOOL_UNWRITABLE' });
    expect(worker?.advice).toContain('BESTFRAME_SPOOL_DIR');
    expect(await rig.client.get(id)).toMatchObject({ state: 'queued' });
    await rig.openWorker();
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
    expect(await broken.stop(5_000)).toBe(true);
  });
});

describe('a frames folder that breaks after the payment', () => {
  let worker: Running;
  beforeEach(async () => {
    worker = await rig.openWorker();
  });

  it('hides no decision and costs no attempt: the frame is stored once the folder is repaired', async () => {
    const frames = rig.config.framesDir;
    const hold = await rig.control.fault({
      kind: 'hold',
      service: 'cos',
      action: 'GetObject',
      object: 'faceid-result',
    });
    const { id } = await rig.client.enqueue(await rig.request('frames'));
    await rig.client.wait(id, { until: 'decided' });
    await rename(frames, `${frames}-away`);
    await writeFile(frames, 'no folder');
    await rig.control.release(hold);
    await expect.poll(codes, { timeout: 20_000 }).toEqual(['SINK_UNWRITABLE']);
    const next = await rig.client.enqueue(await rig.request('frames-next'));
    await expect.poll(async () => (await rig.client.get(id))?.reason?.code).toBe('SINK_UNWRITABLE');
    expect(await rig.client.get(id)).toMatchObject({ decision: 'match', next: 'accept', frame: 'pending' });
    expect(await rig.redis.hget(rig.names.journal(id), 'a:download')).toBeNull();
    await rm(frames);
    await rename(`${frames}-away`, frames);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ frame: 'stored', paidCalls: 1 });
    expect(await rig.client.wait(next.id, { until: 'ended' })).toMatchObject({ frame: 'stored', paidCalls: 1 });
    expect(await rig.control.calls({ action: DETECT, billed: true })).toHaveLength(2);
    expect(await worker.stop(5_000)).toBe(true);
  });

  it('is not reported if only one frame cannot be written', async () => {
    const request = await rig.request('in-the-way');
    const path = join(rig.config.framesDir, `${rig.client.idOf(request.key)}.jpg`);
    await mkdir(path, { recursive: true });
    const { id } = await rig.client.enqueue(request);
    const retries = async () => Number(await rig.redis.hget(rig.names.journal(id), 'a:download'));
    await expect.poll(retries, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    expect(await codes()).toEqual([null]);
    await rm(path, { recursive: true });
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ frame: 'stored' });
  });
});
