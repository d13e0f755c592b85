/**
 * Whether a long queue slows the workers down: verifications per second with many queued, compared with 1,000 queued. The stages do
 * nothing outside (`noop-edges.ts`), so it is the queue that is measured. One worker works alternately through 850 of each queue.
 */
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type BenchEnvironment, oncePerBuild } from '../environment.ts';
import { type Figure, median, repeat } from '../figure.ts';
import { NOOP_RUN, openNoopDeployment, startNoopWorker } from '../noop-deployment.ts';
import { cpuOf, type Stretch } from '../work-window.ts';

const SHALLOW = 1_000;
const STRETCH: Stretch = { skip: 50, count: 850 };

export const depth: Figure = {
  name: 'depth',
  about: `verifications per second with many queued, compared with ${SHALLOW.toLocaleString('en')} queued; stages do nothing outside`,
  values: [
    { name: 'many queued ÷ few', unit: '×', goal: { atLeast: 0.95 } },
    { name: 'CPU, many ÷ few', unit: '×' },
    { name: 'many queued', unit: '/s' },
    { name: 'few queued', unit: '/s' },
    { name: 'queued', unit: '' },
    { name: 'memory of Redis', unit: 'MB' },
  ],
  seconds: { usual: 3, quick: 2 },
  measure,
};

/** The long queue. All samples together take little of it. */
const deepQueue = oncePerBuild((environment) => fill(environment, 'deep', environment.queued));

/** @returns the prefix of a new deployment. */
async function fill(environment: BenchEnvironment, name: string, count: number): Promise<string> {
  const deployment = await openNoopDeployment(environment, name);
  try {
    await deployment.enqueue(count);
    return deployment.prefix;
  } finally {
    await deployment.close();
  }
}

/**
 * Waits until Redis does not rewrite its append-only file. To fill the long queue starts a rewrite, which takes a core for seconds: that is a
 * cost of the enqueues, and not of the workers.
 */
async function untilRewritten(redis: Redis): Promise<void> {
  while (/^aof_rewrite_(in_progress|scheduled):1/m.test(await redis.info('persistence'))) await setTimeout(100);
}

async function measure(environment: BenchEnvironment, seconds: number) {
  const many = await deepQueue(environment);
  const redis = new Redis(environment.redisUrl);
  const worker = await startNoopWorker(environment);
  try {
    await untilRewritten(redis);
    const memory = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
    const runMany = () => worker.request({ prefix: many, ...NOOP_RUN, ...STRETCH });
    const runFew = async () =>
      worker.request({ prefix: await fill(environment, 'shallow', SHALLOW), ...NOOP_RUN, ...STRETCH });
    const rounds = await repeat({ warm: 2, least: 1, seconds }, async (reversed) => {
      const first = reversed ? undefined : await runMany();
      const few = await runFew();
      return { many: first ?? (await runMany()), few };
    });
    const medianOf = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick));
    return {
      'many queued ÷ few': medianOf((round) => round.many.perSecond / round.few.perSecond),
      'CPU, many ÷ few': medianOf((round) => cpuOf(round.many) / cpuOf(round.few)),
      'many queued': medianOf((round) => round.many.perSecond),
      'few queued': medianOf((round) => round.few.perSecond),
      queued: environment.queued,
      'memory of Redis': memory / 1e6,
    };
  } finally {
    await worker.stop();
    redis.disconnect();
  }
}
