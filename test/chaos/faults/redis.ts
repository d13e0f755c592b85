/** What happens to Redis, and to the line to it. */

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Scripts from 'bullmq/dist/esm/scripts/index.js';
import { Redis } from 'ioredis';
import { SCRIPT_NAMES, scriptNamed } from '../../../src/queue/scripts.ts';
import type { Fault } from '../fault.ts';
import type { ChaosWorld } from '../world.ts';

const MANY = 8;

const WORKERS_SCRIPTS = SCRIPT_NAMES.filter((name) =>
  ['begin', 'admit', 'reserve', 'renew', 'commit', 'intent', 'outcome', 'unknown', 'handback', 'settle'].includes(name),
);

// The texts are exported twice, and only the CommonJS ones can be loaded by Node.
const bullmq = createRequire(import.meta.url)('bullmq/dist/cjs/scripts/index.js') as typeof Scripts;
/** BullMQ's, by which a job is taken, ended and delayed. */
const BULLMQ_SCRIPTS = [
  bullmq.moveToActive,
  bullmq.moveToFinished,
  bullmq.moveToDelayed,
  bullmq.changePriority,
  bullmq.addStandardJob,
  bullmq.moveStalledJobsToWait,
].map(({ name, content }) => ({ name, sha: createHash('sha1').update(content).digest('hex') }));

export const replies: Fault = {
  name: 'replies',
  what: 'a script is done and its reply lost, so that it is sent again: each script, BullMQ’s too, up to three times',
  async run(world, random) {
    const worker = await world.fleet.start();
    const ours = WORKERS_SCRIPTS.map((name) => ({ name, sha: scriptNamed(name).sha }));
    const { name, sha } = random.pick([...ours, ...BULLMQ_SCRIPTS]);
    worker.proxy.loseReplies(sha, random.int(1, 3));
    if (['unknown', 'handback', 'moveToDelayed', 'changePriority'].includes(name)) {
      await world.control.fault({ kind: 'drop', action: 'DetectReflectLivenessAndCompare', times: 2 });
    }
    await world.produce(MANY);
  },
};

/** Away for a while, as a process that was killed; `windows` says so. */
export async function away(world: ChaosWorld, ms: number, wiped = false): Promise<void> {
  const from = Date.now();
  await world.redis.kill();
  await sleep(ms); // the outage itself
  await world.redis.restart(wiped);
  await world.witness.attach();
  world.windows.push({ from, to: Date.now(), why: 'redis' });
}

export const redisKill: Fault = {
  name: 'redis-kill',
  what: 'SIGKILL of Redis under load, and its return after up to two leases, AOF always: nothing is lost',
  async run(world, random) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const load = world.produce(MANY);
    await sleep(random.int(0, 400));
    await away(world, random.int(0, 2 * world.leaseMs));
    await Promise.all([load, world.produce(2)]);
  },
};

export const everysec: Fault = {
  name: 'everysec',
  what: 'the same with AOF everysec: what the lost window did is reported',
  world: () => ({ fsync: 'everysec' }),
  async run(world, random) {
    world.lossy = true;
    await redisKill.run(world, random);
    await reconcile(world);
  },
};

/** What Redis does not know any more is enqueued again: what `bestframe reconcile` tells its caller to do. */
async function reconcile(world: ChaosWorld): Promise<number> {
  const accepted = [...world.accepted];
  const known = await world.client.known(accepted.map(({ key }) => key));
  const missing = accepted.filter((_each, index) => known[index] === 'missing');
  for (const { id } of missing) await world.again(id);
  return missing.length;
}

export const wiped: Fault = {
  name: 'wiped',
  what: 'Redis comes back with nothing; the producers reconcile, and all that they ever enqueued ends',
  async run(world, random) {
    world.lossy = true;
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    await world.produce(MANY);
    await sleep(random.int(0, 800));
    await away(world, random.int(0, world.leaseMs), true);
    const missing = await reconcile(world);
    if (missing !== MANY)
      world.findings.push({ invariant: 'I1', what: `reconcile found ${missing} of ${MANY} keys missing` });
  },
};

export const clients: Fault = {
  name: 'clients',
  what: 'CLIENT KILL of every connection, and CLIENT PAUSE, again and again under load',
  async run(world, random) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const load = world.produce(MANY);
    const redis = new Redis(world.redis.url);
    try {
      for (let left = random.int(2, 5); left > 0; left -= 1) {
        await sleep(random.int(50, 400));
        if (random.chance(0.5)) await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        else await redis.call('CLIENT', 'PAUSE', random.int(100, 2 * world.leaseMs), random.pick(['WRITE', 'ALL']));
      }
    } finally {
      redis.disconnect();
    }
    await load;
  },
};

export const full: Fault = {
  name: 'maxmemory',
  what: 'Redis refuses every write for a while (maxmemory, noeviction)',
  async run(world, random) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const load = world.produce(MANY);
    const redis = new Redis(world.redis.url);
    try {
      await sleep(random.int(0, 500));
      await redis.config('SET', 'maxmemory', '1');
      const from = Date.now();
      await sleep(random.int(200, 3 * world.leaseMs));
      await redis.config('SET', 'maxmemory', '0');
      world.windows.push({ from, to: Date.now(), why: 'redis' });
    } finally {
      redis.disconnect();
    }
    await load;
  },
};

function outage(seconds: number): Fault {
  return {
    name: `outage-${seconds}`,
    what: `Redis is away for ${seconds} s, with the product's own lease and rate and more work than slots`,
    long: true,
    world: () => ({ settings: { BESTFRAME_QPS_DETECT: '5' } }),
    async run(world) {
      world.saturated = true;
      await world.control.settings({ qps: { DetectReflectLivenessAndCompare: 5 } });
      await Promise.all([world.fleet.start(), world.fleet.start()]);
      const load = Promise.all([world.produce(80, { lane: 'batch' }), world.produce(5)]);
      await sleep(3_000);
      await away(world, seconds * 1_000);
      await Promise.all([load, world.produce(5)]);
    },
  };
}

export const outages = [3, 15, 60].map(outage);

export const failover: Fault = {
  name: 'failover',
  what: 'the primary is killed under load, and its replica takes its place; what it had not heard is reported',
  long: true,
  async run(world, random) {
    world.lossy = true;
    await world.redis.follow();
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const load = world.produce(5 * MANY);
    await sleep(random.int(200, 1_500));
    const from = Date.now();
    await world.redis.failOver(random.int(500, 6_000));
    await world.witness.attach();
    world.windows.push({ from, to: Date.now(), why: 'redis' });
    await Promise.all([load, world.produce(MANY)]);
    await reconcile(world);
  },
};
