/**
 * What Bestframe adds to BullMQ: a verification whose stages do nothing outside (`noop-edges.ts`), compared with a BullMQ job that does
 * nothing. The journal, the intent of the paid call, the gate, the breakers, the log and the metrics are those of production. Both workers
 * run the same number of jobs at a time, and work alternately through the middle of a queue that was filled before. What it takes to
 * enqueue is the figure `enqueue`. `Redis alone` is the floor: it would remain if the worker took no CPU at all.
 */
import { Queue } from 'bullmq';
import type { BareRequest } from '../bare-worker.ts';
import type { BenchEnvironment } from '../environment.ts';
import { type Figure, median, repeat } from '../figure.ts';
import { NOOP_RUN, openNoopDeployment, startNoopWorker } from '../noop-deployment.ts';
import { startProgram } from '../program.ts';
import { cpuOf, type Stretch, type Work } from '../work-window.ts';

/** Verifications are slower than bare jobs, so fewer of them take as long. */
const STRETCH: Stretch = { skip: 100, count: 900 };
const BARE_STRETCH: Stretch = { skip: 1_000, count: 9_000 };
/** Jobs that are left at the end of a stretch, so that every slot is taken until then. */
const REST = 2 * NOOP_RUN.slots;
/** The first stretches, while code is compiled, are not counted: the CPU of a verification falls for about 3,000 of them. */
const WARM = 3;

export const machinery: Figure = {
  name: 'machinery',
  about: 'a verification whose stages do nothing outside, compared with a BullMQ job that does nothing',
  values: [
    { name: 'CPU, Node and Redis', unit: '×', goal: { atMost: 3.5 } },
    { name: 'CPU, Redis alone', unit: '×' },
    { name: 'CPU of the worker', unit: 'ms' },
    { name: 'CPU of Redis', unit: 'ms' },
    { name: 'CPU of the bare worker', unit: 'ms' },
    { name: 'CPU of Redis, bare', unit: 'ms' },
    { name: 'verifications', unit: '/s' },
    { name: 'bare jobs', unit: '/s' },
  ],
  seconds: { usual: 3, quick: 1 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const { redisUrl } = environment;
  const prefix = `{bare-${process.hrtime.bigint()}}`;
  const env = { REDIS_URL: redisUrl, PREFIX: prefix };
  const deployment = await openNoopDeployment(environment, 'machinery');
  const queue = new Queue('bare', { connection: { url: redisUrl }, prefix });
  const own = await startNoopWorker(environment);
  const bare = await startProgram<string, BareRequest, Work>('bare-worker', env);
  let rounds: { own: Work; bare: Work }[];
  try {
    const runOwn = async () => {
      await deployment.enqueue(sizeOf(STRETCH));
      return own.request({ prefix: deployment.prefix, ...NOOP_RUN, ...STRETCH });
    };
    const runBare = async () => {
      await queue.addBulk(Array.from({ length: sizeOf(BARE_STRETCH) }, () => ({ name: 'verify', data: {} })));
      return bare.request({ queue: 'bare', slots: NOOP_RUN.slots, jobMs: 0, ...BARE_STRETCH });
    };
    rounds = await repeat({ warm: WARM, least: 1, seconds }, async (reversed) => {
      const first = reversed ? undefined : await runOwn();
      const theirs = await runBare();
      return { own: first ?? (await runOwn()), bare: theirs };
    });
  } finally {
    await own.stop();
    await bare.stop();
    await queue.close();
    await deployment.close();
  }
  const medianOf = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick));
  return {
    'CPU, Node and Redis': medianOf((round) => cpuOf(round.own) / cpuOf(round.bare)),
    'CPU, Redis alone': medianOf((round) => round.own.redisMs / cpuOf(round.bare)),
    'CPU of the worker': medianOf((round) => round.own.nodeMs),
    'CPU of Redis': medianOf((round) => round.own.redisMs),
    'CPU of the bare worker': medianOf((round) => round.bare.nodeMs),
    'CPU of Redis, bare': medianOf((round) => round.bare.redisMs),
    verifications: medianOf((round) => round.own.perSecond),
    'bare jobs': medianOf((round) => round.bare.perSecond),
  };
}

function sizeOf({ skip, count }: Stretch): number {
  return skip + count + REST;
}
