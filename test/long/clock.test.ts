/**
 * Tests three workers, one of which has a clock that is an hour off. This worker accepts no work and reports the fault; the other
 * two are not delayed.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorker, type WorkerProcess } from '../../src/dev/worker-process.ts';
import { createWorld, DIST, type TestWorld } from '../support/world.ts';

const MANY = 24;
const HOUR_MS = 3_600_000;

let world: TestWorld;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  world = await createWorld({ workers: 0, settings: { BESTFRAME_QPS_DETECT: '100' } });
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop(20_000)));
  await world.dispose();
});

/** Returns the Node option that loads a module which moves the process's clock. */
function shifted(ms: number): string {
  const code = `const real = Date; const now = Date.now.bind(Date);
globalThis.Date = class extends real { constructor(...all) { super(...(all.length === 0 ? [now() + ${ms}] : all)); } static now() { return now() + ${ms}; } };`;
  return `--import data:text/javascript,${encodeURIComponent(code)}`;
}

async function openWorker(offMs = 0): Promise<void> {
  const env = {
    ...world.env,
    BESTFRAME_LOG: 'json',
    NODE_EXTRA_CA_CERTS: world.emulator.caFile,
    ...(offMs === 0 ? {} : { NODE_OPTIONS: shifted(offMs) }),
  };
  workers.push(await startWorker('verify', { dir: `${DIST}/workers/`, env }));
}

it.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])('%s', async (direction, offMs) => {
  await Promise.all([openWorker(), openWorker(), openWorker(offMs)]);
  const requests = await Promise.all(
    Array.from({ length: MANY }, (_, n) =>
      world.request(`${direction}-${n}`, { card: 'match' }, { lane: 'interactive' }),
    ),
  );
  const ids = (await world.client.enqueueMany(requests)).map((each) => ('id' in each ? each.id : ''));
  const views = await Promise.all(ids.map((id) => world.client.wait(id, { until: 'ended' })));
  expect(views.map((view) => view?.state)).toEqual(ids.map(() => 'completed'));
  expect(views.flatMap((view) => view?.history ?? []).filter(({ event }) => event === 'retry')).toEqual([]);
  const codes = (await world.client.workers()).map(({ code }) => code).sort();
  expect(codes).toEqual(['CLOCK_OFF', null, null]);
  expect((await world.client.metrics()).counters.gateClosed).toBe(0);
  await Promise.all(workers.splice(0).map((worker) => worker.stop(20_000)));
});
