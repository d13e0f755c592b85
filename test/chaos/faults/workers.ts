/** These faults hit a worker process: it is killed, stopped or blocked at any point of any stage. */
import { setTimeout as sleep } from 'node:timers/promises';
import { OPINION_CALL } from '../../../src/domain/verification/actions.ts';
import type { Fault } from '../fault.ts';
import type { ChaosWorker, Hook } from '../fleet.ts';
import { ERROR_POINTS, OPINION_POINTS, POINTS } from '../points.ts';
import type { Random } from '../random.ts';
import type { ChaosWorld } from '../world.ts';

const MANY = 8;

/** Picks any point. If this point is reached only after an error, makes the vendor fail first. */
export async function pickPoint(world: ChaosWorld, random: Random): Promise<string> {
  const at = random.pick([...POINTS, ...ERROR_POINTS]);
  if (ERROR_POINTS.includes(at)) {
    const action = 'DetectReflectLivenessAndCompare';
    await world.control.fault({ kind: 'drop', action, times: 2 });
    await world.control.fault({ kind: 'error', action, code: 'InternalError', times: 3 });
  }
  return at;
}

/** Waits until the victim's hook has acted, or until everything has ended without it. */
export function untilHookActed(world: ChaosWorld, victim: ChaosWorker): Promise<unknown> {
  return Promise.race([victim.untilReported(), world.untilSettled()]);
}

/** Waits for the hook's report, and then for the exit of the victim. If the hook never acts, the victim lives on. */
async function untilVictimDied(world: ChaosWorld, victim: ChaosWorker): Promise<void> {
  await untilHookActed(world, victim);
  if (victim.reports.length > 0) await victim.exited;
}

async function startVictim(world: ChaosWorld, random: Random, hook: Omit<Hook, 'at' | 'nth'>): Promise<ChaosWorker> {
  const at = await pickPoint(world, random);
  return world.fleet.start([{ at, nth: random.int(1, 4), ...hook }]);
}

export const kill: Fault = {
  name: 'kill',
  summary: 'SIGKILL of one to three workers in sequence, each at any point of any stage',
  async run(world, random) {
    const spare = random.chance(0.5);
    if (spare) await world.fleet.start();
    let victim = await startVictim(world, random, { act: 'kill' });
    await world.produce(MANY);
    for (let left = random.int(0, 2); left > 0; left -= 1) {
      await untilVictimDied(world, victim);
      victim = await startVictim(world, random, { act: 'kill' });
    }
    await untilVictimDied(world, victim);
    if (world.fleet.alive.length === 0) await world.fleet.start();
  },
};

export const opinions: Fault = {
  name: 'opinions',
  summary: 'SIGKILL of a worker around the calls for second opinions, of which some lose their answers',
  async run(world, random) {
    if (random.chance(0.5)) await world.control.fault({ kind: 'drop', action: OPINION_CALL, times: random.int(1, 4) });
    const points = random.chance(0.7) ? OPINION_POINTS : POINTS;
    const victim = await world.fleet.start([{ at: random.pick(points), nth: random.int(1, 4), act: 'kill' }]);
    await world.produce(MANY, { card: { card: 'match' }, more: { secondOpinion: true } });
    await untilVictimDied(world, victim);
    if (world.fleet.alive.length === 0) await world.fleet.start();
  },
};

export const stop: Fault = {
  name: 'stop',
  summary: 'SIGSTOP of a worker at any point for longer than its lease, then SIGCONT, while another worker continues',
  async run(world, random) {
    const victim = await startVictim(world, random, { act: 'stop' });
    await world.produce(MANY);
    const other = world.fleet.start();
    await untilHookActed(world, victim);
    await other;
    await sleep(world.leaseMs * (1.2 + 2 * random.next())); // the worker stays stopped longer than its lease
    victim.kill('SIGCONT');
  },
};

export const block: Fault = {
  name: 'block',
  summary: 'the event loop of a worker blocks for longer than its lease at any point, with or without another worker',
  async run(world, random) {
    const ms = Math.round(world.leaseMs * (1.1 + 2 * random.next()));
    if (random.chance(0.5)) await world.fleet.start();
    await startVictim(world, random, { act: 'block', ms });
    await world.produce(MANY);
  },
};

export const freeze: Fault = {
  name: 'freeze',
  summary: 'the connection between a worker and Redis freezes around detect for up to three leases',
  async run(world, random) {
    const at = random.pick([
      'script:declare-intent:before',
      'script:declare-intent:after',
      'edge:faceId.detect:before',
      'edge:faceId.detect:after',
      'script:record-outcome:before',
    ]);
    const victim = await world.fleet.start([{ at, nth: random.int(1, 3), act: 'report', ms: 60 }]);
    await world.produce(MANY);
    if (random.chance(0.5)) await world.fleet.start();
    await untilHookActed(world, victim);
    victim.proxy.freeze();
    await sleep(world.leaseMs * (0.3 + 2.7 * random.next()));
    if (random.chance(0.3)) {
      victim.proxy.cut();
      victim.proxy.mend();
    }
    victim.proxy.thaw();
  },
};

/** Stops four workers one after the other while work arrives. A new worker replaces each. */
export const rolling: Fault = {
  name: 'rolling',
  summary:
    'rolling SIGTERM of four workers under load, with enough or too little time to drain: nothing is lost or stalls',
  // In about half of the runs, a worker has so little time to drain that it must requeue its work.
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
      if (!fine) world.findings.push({ invariant: 'I7', message: `a drained worker ended with exit code ${code}` });
    }
    await Promise.all(load);
  },
};

export const poison: Fault = {
  name: 'poison',
  summary:
    'one verification kills every worker that takes it (exit, unhandled rejection, out of memory): the others continue',
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
        message: `${id} kills its worker and ended as ${view?.reason?.code ?? view?.state}`,
      });
    }
  },
};

export const sinkFull: Fault = {
  name: 'sink-full',
  summary: 'the disk of the frames is full for a while: decisions stand, and frames are stored when there is room',
  async run(world, random) {
    await world.fleet.start([{ at: 'edge:sink.store:before', act: 'full', ms: random.int(100, 2_000) }]);
    await world.produce(MANY);
  },
};

export const eraserKill: Fault = {
  name: 'eraser-kill',
  summary: 'SIGKILL of the erase worker during a deletion: the objects must still be deleted',
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
