/**
 * How well a worker uses its slots when FaceID takes 200 ms: verifications per second, compared with slots ÷ latency, which nothing
 * could exceed if the rest took no time. Everything else outside answers at once (`noop-edges.ts`), so it is the worker that limits. The
 * floor is a BullMQ worker with as many slots, whose jobs only wait for 200 ms. What uploads and TLS cost as well is in the figure `loop`.
 */
import { Queue } from 'bullmq';
import type { BareRequest } from '../bare-worker.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { Figure } from '../figure.ts';
import { openNoopDeployment, startNoopWorker } from '../noop-deployment.ts';
import { startProgram } from '../program.ts';
import type { Stretch, Work } from '../work-window.ts';

const DETECT_MS = 200;
const SLOTS = [16, 50, 100];
/** The slots start together, and each of them works in its own time after some rounds. */
const SKIPPED_ROUNDS = 3;
const WARM_SECONDS = 1.5;

export const slots: Figure = {
  name: 'slots',
  about: `achieved ÷ (slots ÷ latency), FaceID takes ${DETECT_MS} ms, and the rest outside nothing`,
  values: SLOTS.flatMap((count) => [
    { name: `${count} slots`, unit: '' as const, goal: { atLeast: 0.97 } },
    { name: `${count} slots, floor`, unit: '' as const },
    { name: `CPU of the worker, ${count} slots`, unit: 'ms' as const },
    { name: `CPU of the floor, ${count} slots`, unit: 'ms' as const },
  ]),
  seconds: { usual: 1.5, quick: 1 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const { redisUrl } = environment;
  const prefix = `{bare-${process.hrtime.bigint()}}`;
  const deployment = await openNoopDeployment(environment, 'slots');
  const queue = new Queue('bare', { connection: { url: redisUrl }, prefix });
  const own = await startNoopWorker(environment);
  const bare = await startProgram<string, BareRequest, Work>('bare-worker', { REDIS_URL: redisUrl, PREFIX: prefix });
  const runOwn = async (count: number, stretch: Stretch) => {
    await deployment.enqueue(sizeOf(stretch, count));
    return own.request({ prefix: deployment.prefix, slots: count, detectMs: DETECT_MS, ...stretch });
  };
  const runBare = async (count: number, stretch: Stretch) => {
    await queue.addBulk(Array.from({ length: sizeOf(stretch, count) }, () => ({ name: 'verify', data: {} })));
    return bare.request({ queue: 'bare', slots: count, jobMs: DETECT_MS, ...stretch });
  };
  const found: Record<string, number> = {};
  try {
    await runOwn(Math.max(...SLOTS), stretchOf(Math.max(...SLOTS), WARM_SECONDS)); // while code is compiled
    for (const count of SLOTS) {
      const stretch = stretchOf(count, seconds);
      const [ours, theirs] = [await runOwn(count, stretch), await runBare(count, stretch)];
      const used = ({ perSecond }: Work) => (perSecond * DETECT_MS) / (count * 1_000);
      found[`${count} slots`] = used(ours);
      found[`${count} slots, floor`] = used(theirs);
      found[`CPU of the worker, ${count} slots`] = ours.nodeMs;
      found[`CPU of the floor, ${count} slots`] = theirs.nodeMs;
    }
    return found;
  } finally {
    await own.stop();
    await bare.stop();
    await queue.close();
    await deployment.close();
  }
}

/** Whole rounds: each slot ends the same number of jobs. */
function stretchOf(count: number, seconds: number): Stretch {
  return { skip: SKIPPED_ROUNDS * count, count: count * Math.ceil((seconds * 1_000) / DETECT_MS) };
}

/** Every slot is taken until the stretch has ended. */
function sizeOf({ skip, count }: Stretch, slots: number): number {
  return skip + count + 2 * slots;
}
