/**
 * What `enqueue` and `enqueueMany` take, compared with BullMQ's `Queue.add` and `addBulk` of the same JSON in the same Redis. The floors
 * are claim and job alone, without anything around them. All run alternately in this process.
 */
import { Queue } from 'bullmq';
import { newNamespace } from '../../src/domain/verification/namespace.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { connectProducer, waitUntilReady } from '../../src/redis/connection.ts';
import { createDeployment } from '../../src/redis/deployment.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { addClaimed, claimBare } from '../durable-scripts.ts';
import { type BenchEnvironment, recordTestMode } from '../environment.ts';
import { type Figure, median } from '../figure.ts';

const WARM = 500;
const BULK = 500;
/** Bulks are larger, so fewer of them are measured. */
const ONES_PER_BULK = 50;

export const enqueue: Figure = {
  name: 'enqueue',
  about: 'enqueue and enqueueMany of 500, compared with Queue.add and addBulk',
  values: [
    { name: 'enqueue', unit: '×', goal: { atMost: 2 } },
    { name: 'enqueueMany', unit: '×', goal: { atLeast: 0.8 } },
    { name: 'floor of enqueue', unit: '×' },
    { name: 'floor of enqueueMany', unit: '×' },
    { name: 'enqueue, p50', unit: 'ms' },
    { name: 'Queue.add, p50', unit: 'ms' },
    { name: 'enqueueMany per second', unit: '/s' },
  ],
  seconds: { usual: 4, quick: 3 },
  measure,
};

/** Times in ms. */
interface Sample {
  readonly own: number;
  readonly floor: number;
  readonly bare: number;
}

async function measure({ redisUrl, build }: BenchEnvironment, seconds: number) {
  const mark = `${process.pid}-${Math.round(performance.now())}`;
  const config = build.readConfig({
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: newNamespace(),
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_PREFIX: `{enqueue-${mark}}`,
  });
  await recordTestMode(redisUrl, config.prefix);
  const client = build.openClient(config);
  const deployment = createDeployment(connectProducer(config.redis), `{floor-${mark}}`);
  await waitUntilReady(deployment.redis, 5_000);
  const floorQueue = openVerifyQueue(deployment, 'ap-singapore');
  const claimAndAdd = async (requests: readonly VerificationRequest[]) =>
    addClaimed(floorQueue, await claimBare(deployment, requests));
  const queue = new Queue('bare', { connection: { url: redisUrl }, prefix: `{bare-${mark}}` });
  const took = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    return performance.now() - startedAt;
  };
  try {
    const ones: Sample[] = [];
    const bulks: Sample[] = [];
    let count = 0;
    const next = () => request(`key-${count++}`);
    const end = performance.now() + seconds * 1_000;
    for (let round = 0; round < WARM + 3 || performance.now() < end; round += 1) {
      const [mine, claimed, theirs] = [next(), next(), next()];
      ones.push({
        own: await took(() => client.enqueue(mine)),
        floor: await took(() => claimAndAdd([claimed])),
        bare: await took(() => queue.add('verify', theirs)),
      });
      if (round % ONES_PER_BULK !== 0) continue;
      const bulk = () => Array.from({ length: BULK }, next);
      const [many, claimable, others] = [bulk(), bulk(), bulk()];
      bulks.push({
        own: await took(() => client.enqueueMany(many)),
        floor: await took(() => claimAndAdd(claimable)),
        bare: await took(() => queue.addBulk(others.map((data) => ({ name: 'verify', data })))),
      });
    }
    const counted = ones.slice(WARM);
    const countedBulks = bulks.length > 1 ? bulks.slice(1) : bulks;
    return {
      enqueue: median(counted.map(({ own }) => own)) / median(counted.map(({ bare }) => bare)),
      enqueueMany: median(countedBulks.map(({ own, bare }) => bare / own)),
      'floor of enqueue': median(counted.map(({ floor }) => floor)) / median(counted.map(({ bare }) => bare)),
      'floor of enqueueMany': median(countedBulks.map(({ floor, bare }) => bare / floor)),
      'enqueue, p50': median(counted.map(({ own }) => own)),
      'Queue.add, p50': median(counted.map(({ bare }) => bare)),
      'enqueueMany per second': (1_000 * BULK) / median(countedBulks.map(({ own }) => own)),
    };
  } finally {
    await queue.close();
    await floorQueue.close();
    deployment.redis.disconnect();
    await client.close();
  }
}

function request(key: string): VerificationRequest {
  const place = { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore' } as const;
  const resources = { liveData: { ...place, key: `${key}.gz` }, image: { ...place, key: `${key}.jpg` } };
  return { key, region: 'ap-singapore', upload: 'own-bucket', resources };
}
