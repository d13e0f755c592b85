/** What producers do, and what people do to the queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { scriptNamed } from '../../../src/queue/scripts.ts';
import type { Fault } from '../fault.ts';
import { RedisProxy } from '../redis-proxy.ts';

export const oneKey: Fault = {
  name: 'one-key',
  what: 'eight producers with one key, whose acknowledgements are lost on the way',
  async run(world, random) {
    const proxies = await Promise.all(Array.from({ length: 8 }, () => RedisProxy.open(world.redis.port)));
    const producers = proxies.map(({ url }) => world.producer(url));
    try {
      const worker = world.fleet.start();
      const made = await Promise.all([world.request(), world.request()]);
      for (const proxy of proxies) {
        if (random.chance(0.5)) proxy.loseReplies(scriptNamed('claim').sha, random.int(1, 2));
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
  what: 'retry, promote, pause and resume, pressed at random as on a dashboard',
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
          // What it is when the button is pressed need not be what it was when it was shown.
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
  what: 'verifications are erased at any moment of their lives, while workers are killed; nothing of them is left',
  async run(world, random) {
    const points = ['edge:links.put:after', 'script:intent:after', 'script:outcome:after', 'edge:sink.store:after'];
    await world.fleet.start([{ at: random.pick(points), nth: random.int(1, 4), act: 'kill' }]);
    await world.fleet.start();
    const accepted = await world.produce(8);
    for (const { id } of accepted) {
      await sleep(random.int(0, 120));
      if (random.chance(0.7)) await world.erase(id);
    }
  },
};
