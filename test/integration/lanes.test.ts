/** Two lanes on one gate: by order and count at the vendor, never by time. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CallEntry } from '../../src/emulator/control.ts';
import { createRig, type Rig } from '../support/rig.ts';

const BATCH = 500;
const QPS = 5;
/** Admission holds at most as many batch ones as are called in two seconds. */
const CAPACITY = Math.ceil(2_000 / (1_080 / QPS));
const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_SLOTS: '30', BESTFRAME_REUSED_LIVE_DATA: 'warn' } });
});
afterAll(() => rig.dispose());

it('an interactive one is detected before any of 500 queued batch ones that was not admitted yet', async () => {
  const one = await rig.request('shared');
  const batch = Array.from({ length: BATCH }, (_, index) => ({ ...one, key: `batch-${index}` }));
  const results = await rig.client.enqueueMany(batch);
  expect(results.every(({ status }) => status === 'new')).toBe(true);
  await rig.openWorker();
  await rig.control.waitFor({ action: DETECT }, 3);

  const interactive = await rig.client.enqueue(await rig.request('person', { card: 'match' }, { lane: 'interactive' }));
  const admitted = await rig.redis.zrange(rig.names.gate('ap-singapore', DETECT).admitted, '0', '-1');
  const before = new Set([...admitted, ...(await rig.control.calls({ action: DETECT })).map(idOf)]);
  const view = await rig.client.wait(interactive.id, { until: 'ended' });
  expect(view).toMatchObject({ state: 'completed', decision: 'match' });

  const calls = (await rig.control.calls({ action: DETECT })).map(idOf);
  const overtakers = calls.slice(0, calls.indexOf(interactive.id)).filter((id) => !before.has(id));
  expect(overtakers).toEqual([]);

  // What was uploaded and not yet detected, at each moment, as the vendor saw it.
  const puts = await rig.control.calls({ service: 'cos', action: 'PutObject' });
  const detects = await rig.control.calls({ action: DETECT });
  expect(mostWaiting(puts, detects)).toBeLessThanOrEqual(CAPACITY + 1);

  // And never more than the limit in any second: the emulator would have refused it.
  expect(await rig.control.calls({ code: 'RequestLimitExceeded' })).toEqual([]);
});

function idOf({ objects }: CallEntry): string {
  return /\/(v[0-9a-z]{25})\//.exec(objects?.[0] ?? '')?.[1] ?? '';
}

function mostWaiting(puts: readonly CallEntry[], detects: readonly CallEntry[]): number {
  const events = [...puts, ...detects].sort((a, b) => a.seq - b.seq);
  const waiting = new Set<string>();
  let most = 0;
  for (const event of events) {
    if (event.action === DETECT) waiting.delete(idOf(event));
    else waiting.add(idOf(event));
    most = Math.max(most, waiting.size);
  }
  return most;
}
