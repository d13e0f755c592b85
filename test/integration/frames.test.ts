/** Tests that the worker retries the download of a paid frame until the frame's link expires. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_BACKOFF_MS: 'interactive=10' },
    emulator: { qps: {} },
  });
  await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

/** @returns the number of download retries in the journal. */
async function retries(id: string): Promise<number> {
  return Number(await rig.redis.hget(rig.names.journal(id), 'a:download'));
}

it('stores the frame after more than ten failed downloads, and pays once', async () => {
  const broken = { kind: 'error', service: 'cos', action: 'GetObject', object: 'faceid-result' } as const;
  await rig.control.fault({ ...broken, code: 'InternalError', status: 500, times: null });
  const { id } = await rig.client.enqueue(await rig.request('refused'));
  await expect.poll(() => retries(id), { timeout: 30_000 }).toBeGreaterThanOrEqual(10);
  expect(await rig.client.get(id)).toMatchObject({ decision: 'match', next: 'accept', frame: 'pending', paidCalls: 1 });
  await rig.control.clearFaults();
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored', paidCalls: 1 });
  expect(await rig.control.calls({ action: DETECT, object: id, billed: true })).toHaveLength(1);
  // The history keeps only the first retries, to leave room for other events.
  expect(view?.history.filter(({ event, stage }) => event === 'retry' && stage === 'download')).toHaveLength(3);
});

it('marks a frame as lost when its link has expired, and keeps the decision', async () => {
  const broken = { kind: 'error', service: 'cos', action: 'GetObject', object: 'faceid-result' } as const;
  await rig.control.fault({ ...broken, code: 'InternalError', status: 500, times: null });
  const { id } = await rig.client.enqueue(await rig.request('expired'));
  await expect.poll(() => retries(id)).toBeGreaterThanOrEqual(1);
  const journal = rig.names.journal(id);
  const outcome = JSON.parse((await rig.redis.hget(journal, 's:detect')) ?? '{}');
  outcome.bestFrame.expiresAt = Date.now() - 1;
  await rig.redis.hset(journal, 's:detect', JSON.stringify(outcome));
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({
    state: 'completed',
    decision: 'match',
    frame: 'lost',
    reason: { code: 'FRAME_EXPIRED' },
  });
});
