/** One liveness package, answered once: the same again is a replay, and is refused before it is paid for. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
});
afterAll(() => rig.dispose());

async function through(key: string, packageOf: string) {
  const [request, other] = [await rig.request(`${key}-own`), await rig.request(packageOf)];
  const resources = { ...request.resources, liveData: other.resources.liveData };
  const { id } = await rig.client.enqueue({ ...request, key, resources });
  return { id, view: await rig.client.wait(id, { until: 'ended' }) };
}

it('is refused in another verification, naming when and not who; by setting it is let through', async () => {
  const worker = await rig.openWorker();
  const shared = await rig.request('shared');
  const first = await rig.client.enqueue(shared);
  const answered = await rig.client.wait(first.id, { until: 'ended' });
  expect(answered).toMatchObject({ state: 'completed', paidCalls: 1 });

  const image = (await rig.request('other-photo')).resources.image;
  const replay = { ...shared, key: 'replay', resources: { ...shared.resources, image } };
  const { id } = await rig.client.enqueue(replay);
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({
    state: 'failed',
    decision: null,
    paidCalls: 0,
    reason: { code: 'REUSED_LIVE_DATA', class: 'caller' },
  });
  expect(Math.abs(Date.parse(view?.reason?.answeredAt ?? '') - Date.parse(answered?.decidedAt ?? ''))).toBeLessThan(
    1_000,
  );
  expect(JSON.stringify(view?.reason)).not.toContain(first.id);
  expect(await rig.control.calls({ action: DETECT, object: id })).toEqual([]);
  await worker.stop(5_000);

  const lenient = await rig.openWorker({ BESTFRAME_REUSED_LIVE_DATA: 'warn' });
  const again = await rig.client.enqueue({ ...replay, key: 'replay-2' });
  expect(await rig.client.wait(again.id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await lenient.stop(5_000);
});

it('passes where it was never answered, and in its own retries', async () => {
  const worker = await rig.openWorker();
  const request = await rig.request('unanswered', { card: 'match', first: { unreadable: 1 } });
  const { id } = await rig.client.enqueue(request);
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });

  const never = await rig.request('never', { card: 'FailedOperation.LivessSystemError', channel: 'error' });
  const failed = await rig.client.enqueue({ ...never, deadline: new Date(Date.now() + 1_500).toISOString() });
  expect(await rig.client.wait(failed.id, { until: 'ended' })).toMatchObject({ state: 'failed', paidCalls: 0 });
  const { view } = await through('never-again', 'never');
  expect(view?.reason?.code).not.toBe('REUSED_LIVE_DATA');
  await worker.stop(5_000);
});

it('is remembered as a keyed digest: no MD5 and no id', async () => {
  const members = await rig.redis.zrange(rig.names.answered, '0', '-1');
  expect(members.length).toBeGreaterThan(0);
  for (const member of members) expect(member).toMatch(/^[A-Za-z0-9_-]{22}$/);
});
