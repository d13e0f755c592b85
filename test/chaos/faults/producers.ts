/** These faults come from producers, and from people who control the queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { loadScript } from '../../../src/redis/scripts/run.ts';
import type { Fault } from '../fault.ts';
import { RedisProxy } from '../redis-proxy.ts';

export const oneKey: Fault = {
  name: 'one-key',
  summary: 'eight producers share two keys, and some of their acknowledgements are lost on the way',
  async run(world, random) {
    const proxies = await Promise.all(Array.from({ length: 8 }, () => RedisProxy.open(world.redis.port)));
    const producers = proxies.map(({ url }) => world.producer(url));
    try {
      const worker = world.fleet.start();
      const made = await Promise.all([world.request(), world.request()]);
      for (const proxy of proxies) {
        if (random.chance(0.5)) proxy.loseReplies(loadScript('claim-verification').sha, random.int(1, 2));
      }
      await Promise.all(producers.flatMap((client) => made.map((each) => world.enqueue(each, client))));
      await worker;
    } finally {
      await Promise.all(producers.map((client) => client.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  },
};

export const buttons: Fault = {
  name: 'buttons',
  summary: 'retry, promote, pause and resume are pressed at random, as on a dashboard',
  async run(world, random) {
    await world.fleet.start();
    await world.control.fault({
      kind: 'error',
      action: 'DetectReflectLivenessAndCompare',
      code: 'InternalError',
      times: 4,
    });
    const load = world.produce(8);
    const redis = new Redis(world.redis.url, { maxRetriesPerRequest: null });
    const queue = new Queue('verify-ap-singapore', { connection: redis, prefix: world.config.prefix });
    try {
      for (let left = 40; left > 0; left -= 1) {
        await sleep(random.int(5, 60));
        const press = random.pick(['retry', 'promote', 'pause', 'resume'] as const);
        if (press === 'pause') await queue.pause();
        else if (press === 'resume') await queue.resume();
        else {
          const jobs = await queue.getJobs(press === 'retry' ? ['completed', 'failed'] : ['delayed']);
          // As on a real dashboard, the job may have changed since it was listed. The action may then fail.
          await jobs[0]?.[press]().catch(() => undefined);
        }
      }
      await queue.resume();
      await load;
    } finally {
      await queue.close();
      redis.disconnect();
    }
  },
};

export const erasure: Fault = {
  name: 'erasure',
  summary: 'verifications are erased at any time while workers are killed: nothing of them may be left',
  async run(world, random) {
    const points = [
      'edge:links.put:after',
      'script:declare-intent:after',
      'script:record-outcome:after',
      'edge:sink.store:after',
    ];
    await world.fleet.start([{ at: random.pick(points), nth: random.int(1, 4), act: 'kill' }]);
    await world.fleet.start();
    const accepted = await world.produce(8);
    for (const { id } of accepted) {
      await sleep(random.int(0, 120));
      if (random.chance(0.7)) await world.erase(id);
    }
  },
};
