/** What happens to a worker process: killed, stopped, blocked, at any point of any stage. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import type { ChaosWorker, Hook } from '../fleet.ts';
import { POINTS, POINTS_OF_TROUBLE } from '../points.ts';
import type { Random } from '../random.ts';
import type { ChaosWorld } from '../world.ts';

const MANY = 8;

/** Any point; for those that come after trouble only, the vendor makes some first. */
export async function anyPoint(world: ChaosWorld, random: Random): Promise<string> {
  const at = random.pick([...POINTS, ...POINTS_OF_TROUBLE]);
  if (POINTS_OF_TROUBLE.includes(at)) {
    const action = 'DetectReflectLivenessAndCompare';
    await world.control.fault({ kind: 'drop', action, times: 2 });
    await world.control.fault({ kind: 'error', action, code: 'InternalError', times: 3 });
  }
  return at;
}

/** Until the victim has met its fault, or everything has ended without. */
export function met(world: ChaosWorld, victim: ChaosWorker): Promise<unknown> {
  return Promise.race([victim.untilTold(), world.settled()]);
}

/** The same, and the process is gone: what it said last is heard before its end is. */
async function dead(world: ChaosWorld, victim: ChaosWorker): Promise<void> {
  await met(world, victim);
  if (victim.told.length > 0) await victim.exited;
}

async function victimAt(world: ChaosWorld, random: Random, hook: Omit<Hook, 'at' | 'nth'>): Promise<ChaosWorker> {
  const at = await anyPoint(world, random);
  return world.fleet.start([{ at, nth: random.int(1, 4), ...hook }]);
}

export const kill: Fault = {
  name: 'kill',
  what: 'SIGKILL of one to three workers, one after the other, each at any point of any stage',
  async run(world, random) {
    const spare = random.chance(0.5);
    if (spare) await world.fleet.start();
    let victim = await victimAt(world, random, { act: 'kill' });
    await world.produce(MANY);
    for (let left = random.int(0, 2); left > 0; left -= 1) {
      await dead(world, victim);
      victim = await victimAt(world, random, { act: 'kill' });
    }
    await dead(world, victim);
    if (world.fleet.alive.length === 0) await world.fleet.start();
  },
};

export const stop: Fault = {
  name: 'stop',
  what: 'SIGSTOP of a worker at any point, for longer than its lease, then SIGCONT; another one goes on meanwhile',
  async run(world, random) {
    const victim = await victimAt(world, random, { act: 'stop' });
    await world.produce(MANY);
    const other = world.fleet.start();
    await met(world, victim);
    await other;
    await sleep(world.leaseMs * (1.2 + 2 * random.next())); // the fault itself
    victim.kill('SIGCONT');
  },
};

export const block: Fault = {
  name: 'block',
  what: 'the event loop of a worker stands still for longer than its lease, at any point, with and without another worker',
  async run(world, random) {
    const ms = Math.round(world.leaseMs * (1.1 + 2 * random.next()));
    if (random.chance(0.5)) await world.fleet.start();
    await victimAt(world, random, { act: 'block', ms });
    await world.produce(MANY);
  },
};

export const freeze: Fault = {
  name: 'freeze',
  what: 'the line between a worker and Redis stands still around detect, for up to three leases',
  async run(world, random) {
    const at = random.pick([
      'script:intent:before',
      'script:intent:after',
      'edge:faceId.detect:before',
      'edge:faceId.detect:after',
      'script:outcome:before',
    ]);
    const victim = await world.fleet.start([{ at, nth: random.int(1, 3), act: 'tell', ms: 60 }]);
    await world.produce(MANY);
    if (random.chance(0.5)) await world.fleet.start();
    await met(world, victim);
    victim.proxy.freeze();
    await sleep(world.leaseMs * (0.3 + 2.7 * random.next()));
    if (random.chance(0.3)) {
      victim.proxy.cut();
      victim.proxy.mend();
    }
    victim.proxy.thaw();
  },
};

/** One after the other is told to end, while work comes in; a new one takes its place. */
export const rolling: Fault = {
  name: 'rolling',
  what: 'rolling SIGTERM of four workers under load, with time to drain or next to none: nothing lost, nothing stalled',
  // Every other run: so little that work has to be handed back.
  world: (random) => (random.chance(0.5) ? { settings: { BESTFRAME_DRAIN_MS: String(random.int(0, 100)) } } : {}),
  async run(world) {
    const first = await Promise.all(Array.from({ length: 4 }, () => world.fleet.start()));
    const load = Array.from({ length: 6 }, async (_, wave) => {
      await sleep(wave * 400);
      await world.produce(6);
    });
    for (const worker of first) {
      const [code] = await Promise.all([worker.stop(40_000), world.fleet.start()]);
      const fine = code === 0 || (code === 3 && world.config.drainMs < 1_000);
      if (!fine) world.findings.push({ invariant: 'I7', what: `a worker that was told to drain ended with ${code}` });
    }
    await Promise.all(load);
  },
};

export const poison: Fault = {
  name: 'poison',
  what: 'one verification ends whatever process takes it (exit, unhandled rejection, out of memory); the others go on',
  async run(world, random) {
    const act = random.pick(['exit', 'reject', 'memory'] as const);
    const made = await world.request({ card: { card: 'match' } });
    const id = world.client.idOf(made.request.key);
    const hooks: Hook[] = [{ at: 'edge:sources.open:before', nth: 'each', act, id }];
    const nodeArgs = act === 'memory' ? ['--max-old-space-size=80'] : [];
    const supervised = async () => {
      while (!(await ended())) {
        const worker = await world.fleet.start(hooks, { nodeArgs });
        await Promise.race([worker.exited, untilEnded()]);
      }
    };
    const until = Date.now() + world.settleMs;
    const ended = async () => Date.now() > until || (await world.client.get(id))?.endedAt != null;
    const untilEnded = async () => {
      while (!(await ended())) await sleep(100);
    };
    await world.fleet.start(hooks, { nodeArgs });
    await world.enqueue(made);
    await world.produce(MANY);
    await supervised();
    const view = await world.client.get(id);
    if (view?.reason?.code !== 'POISON') {
      world.findings.push({
        invariant: 'I11',
        what: `${id} kills its worker and ended as ${view?.reason?.code ?? view?.state}`,
      });
    }
  },
};

export const sinkFull: Fault = {
  name: 'sink-full',
  what: 'the disk of the frames is full for a while: decisions stand, and frames come when there is room',
  async run(world, random) {
    await world.fleet.start([{ at: 'edge:sink.store:before', act: 'full', ms: random.int(100, 2_000) }]);
    await world.produce(MANY);
  },
};

export const eraserKill: Fault = {
  name: 'eraser-kill',
  what: 'SIGKILL of the erase worker at its work: objects are deleted all the same',
  long: true,
  async run(world, random) {
    const hold = await world.control.fault({
      kind: 'hold',
      service: 'cos',
      action: 'DeleteObject',
      times: random.int(1, 4),
    });
    await world.fleet.start();
    await world.produce(MANY, { upload: 'own-bucket' });
    await world.control.waitFor({ event: 'held', action: 'DeleteObject' });
    const eraser = world.fleet.workers.find(({ role }) => role === 'erase');
    eraser?.kill('SIGKILL');
    await eraser?.exited;
    await world.control.release(hold);
    await world.fleet.start([], { role: 'erase' });
  },
};
