/** These faults hit one caller or one machine, and must not affect the others. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { type ChaosWorld, pollUntil } from '../world.ts';

const SLOW_HOST = 'slow.example.com';
const SLOTS = 4;

/**
 * Enqueues verifications whose source host does not answer.
 * @returns a function that waits until all verifications that other callers enqueued meanwhile have ended, and then
 * lets the host answer
 */
export async function startStall(world: ChaosWorld, count: number): Promise<() => Promise<void>> {
  const hold = await world.control.fault({ kind: 'hold', service: 'origin', object: SLOW_HOST, times: null });
  const from = Date.now();
  await world.produce(count, { caller: SLOW_HOST, host: SLOW_HOST, lane: 'batch', card: { card: 'match' } });
  return async () => {
    const acceptedUntil = Date.now();
    let others = world.accepted.filter(({ at, caller }) => at >= from && caller !== SLOW_HOST);
    const areEnded = async () => {
      const views = await Promise.all(others.map(({ id }) => world.client.get(id)));
      others = others.filter((_each, index) => views[index]?.endedAt == null);
      return others.length === 0;
    };
    await pollUntil(areEnded, acceptedUntil + Math.min(world.settleMs, 60_000));
    world.stalls.push({ from, acceptedUntil, to: Date.now(), caller: SLOW_HOST });
    await world.control.release(hold);
  };
}

export const slowHost: Fault = {
  name: 'slow-host',
  summary: 'one caller names a host that does not answer, more often than there are slots: the others end meanwhile',
  world: () => ({ settings: { BESTFRAME_SLOTS: String(SLOTS) } }),
  async run(world) {
    await world.fleet.start();
    const answer = await startStall(world, 2 * SLOTS);
    await world.control.waitFor({ event: 'held', service: 'origin' });
    await world.produce(2 * SLOTS);
    await answer();
  },
};

export const badMount: Fault = {
  name: 'bad-mount',
  summary: 'a folder of one machine goes away while it works: its verifications end on another machine',
  async run(world, random) {
    const spool = join(world.dir, 'spool');
    const broken = random.chance(0.5)
      ? { folder: spool, env: { BESTFRAME_SPOOL_DIR: spool } }
      : {
          folder: join(world.dir, 'mount'),
          env: { BESTFRAME_FILE_ROOTS: [...world.config.fileRoots, join(world.dir, 'mount')].join(',') },
        };
    await loseFolder(world, broken);
  },
};

/** Starts a worker, replaces one of the worker's folders by a file, gives the worker work, and later starts an intact worker. */
async function loseFolder(
  world: ChaosWorld,
  { folder, env }: { folder: string; env: Record<string, string> },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await world.fleet.start([], { env });
  await world.produce(2, { host: 'photos.example.com' });
  await world.untilSettled();
  await rm(folder, { recursive: true });
  await writeFile(folder, '');
  const load = [world.produce(4, { host: 'photos.example.com' }), world.produce(4)];
  await sleep(3_000); // the broken machine is alone
  await world.fleet.start();
  await Promise.all(load);
}

/** The worker's spool folder is unusable. If the product did not blame the machine for this, the verifications would fail. */
export const badSpool: Fault = {
  ...badMount,
  name: 'bad-spool',
  run: (world) => {
    const folder = join(world.dir, 'spool');
    return loseFolder(world, { folder, env: { BESTFRAME_SPOOL_DIR: folder } });
  },
};
