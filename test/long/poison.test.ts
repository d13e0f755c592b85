/**
 * Tests a verification that kills its worker again and again: it ends as POISON, and the worker's other verifications complete.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorker } from '../../src/dev/worker-process.ts';
import { createWorld, DIST, type TestWorld } from '../support/world.ts';

let world: TestWorld;

beforeAll(async () => {
  world = await createWorld({ workers: 0, settings: { BESTFRAME_QPS_DETECT: '100', BESTFRAME_LEASE_MS: '1000' } });
});
afterAll(() => world.dispose());

/** Returns the Node option for a module that kills its process soon after it opens a file with this name. */
function killedBy(name: string): string {
  const code = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
const open = fs.promises.open;
fs.promises.open = (path, ...rest) => {
  if (String(path).includes('${name}')) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300);
  return open(path, ...rest);
};
syncBuiltinESMExports();`;
  return `--import data:text/javascript,${encodeURIComponent(code)}`;
}

it('of five verifications in one worker, only the one that kills the worker ends as POISON', async () => {
  await world.control.fault({ kind: 'delay', service: 'cos', action: 'PutObject', ms: 1_000, times: null });
  const innocent = await Promise.all(['a', 'b', 'c', 'd'].map((key) => world.request(key)));
  const ids = (await world.client.enqueueMany([await world.request('killer'), ...innocent])).map((each) =>
    'id' in each ? each.id : '',
  );
  const ended = Promise.all(ids.map((id) => world.client.wait(id, { until: 'ended', timeoutMs: 150_000 })));
  let over = false;
  const done = ended.then(() => {
    over = true;
  });
  let crashes = 0;
  while (!over) {
    const env = { ...world.env, NODE_EXTRA_CA_CERTS: world.emulator.caFile, NODE_OPTIONS: killedBy('killer-photo') };
    const worker = await startWorker('verify', { dir: `${DIST}/workers/`, env });
    await Promise.race([worker.exited, done]);
    if (over) await worker.stop(10_000);
    else crashes += 1;
  }
  const [killer, ...others] = await ended;
  expect(killer).toMatchObject({ state: 'failed', reason: { code: 'POISON' }, paidCalls: 0 });
  expect(others.map((view) => [view?.state, view?.decision])).toEqual(others.map(() => ['completed', 'match']));
  expect(crashes).toBeGreaterThanOrEqual(5);
});
