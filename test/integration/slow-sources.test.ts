/** Tests that verifications with a slow source never occupy all slots of the worker or all admissions of the gate. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const MANY = 12;
const SLOW = 'https://slow.example.com';

let rig: Rig;

beforeAll(async () => {
  // The gate admits two at once, and the worker has four slots: without a limit per source host, the slow verifications would
  // occupy all of them.
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '1', BESTFRAME_SLOTS: '4' }, emulator: { qps: {} } });
}, 150_000);
afterAll(() => rig.dispose());

it('verifications with other sources complete while those with slow sources wait', async () => {
  await rig.openWorker();
  const hold = await rig.control.fault({ kind: 'hold', service: 'origin', times: null });
  const slow: string[] = [];
  for (let n = 0; n < MANY; n += 1) {
    await rig.control.putOrigin(`${SLOW}/${n}.gz`, sampleLiveData({ nonce: `slow-${n}`, card: 'match' }));
    await rig.control.putOrigin(`${SLOW}/${n}.jpg`, sampleImage(`slow-${n}`));
    const resources = {
      liveData: { from: 'https', url: `${SLOW}/${n}.gz` },
      image: { from: 'https', url: `${SLOW}/${n}.jpg` },
    };
    const request = await rig.request(`slow-${n}`, { card: 'match' }, { lane: 'batch', resources } as never);
    slow.push((await rig.client.enqueue(request)).id);
  }
  const states = async () =>
    (await Promise.all(slow.map((id) => rig.client.get(id)))).map((view) => view?.reason?.code);
  await expect.poll(states, { timeout: 20_000 }).toContain('SOURCE_BUSY');
  const other: string[] = [];
  for (let n = 0; n < 4; n += 1) {
    other.push((await rig.client.enqueue(await rig.request(`other-${n}`, { card: 'match' }, { lane: 'batch' }))).id);
  }
  for (const id of other) expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ decision: 'match' });
  const waiting = await Promise.all(slow.map((id) => rig.client.get(id)));
  expect(waiting.map((view) => view?.decision)).toEqual(slow.map(() => null));
  expect(waiting.some((view) => view?.reason?.code === 'SOURCE_BUSY')).toBe(true);
  await rig.control.release(hold);
  for (const id of slow) {
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
    expect(await rig.redis.hget(rig.names.journal(id), 'a:upload')).toBeNull();
  }
}, 150_000);
