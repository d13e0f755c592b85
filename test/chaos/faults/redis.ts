/** These faults hit Redis and the connections to it. */

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Scripts from 'bullmq/dist/esm/scripts/index.js';
import { Redis } from 'ioredis';
import { loadScript, SCRIPT_NAMES } from '../../../src/redis/scripts/run.ts';
import type { Fault } from '../fault.ts';
import type { ChaosWorld } from '../world.ts';

const MANY = 8;
const DETECT = 'DetectReflectLivenessAndCompare';

const WORKER_SCRIPTS = SCRIPT_NAMES.filter((name) =>
  [
    'begin-attempt',
    'ask-admission',
    'reserve-slots',
    'renew-lease',
    'commit-stage',
    'declare-intent',
    'record-outcome',
    'mark-outcome-unknown',
    'requeue',
    'settle',
  ].includes(name),
);

// BullMQ exports the script texts twice, and Node can load only the CommonJS copy.
const bullmq = createRequire(import.meta.url)('bullmq/dist/cjs/scripts/index.js') as typeof Scripts;
/** The BullMQ scripts that take, end and delay a job. */
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
  summary:
    'a script runs but its reply is lost, so it is sent again: any script, including BullMQ’s, up to three times',
  async run(world, random) {
    const worker = await world.fleet.start();
    const ours = WORKER_SCRIPTS.map((name) => ({ name, sha: loadScript(name).sha }));
    const { name, sha } = random.pick([...ours, ...BULLMQ_SCRIPTS]);
    worker.proxy.loseReplies(sha, random.int(1, 3));
    if (['mark-outcome-unknown', 'requeue', 'moveToDelayed', 'changePriority'].includes(name)) {
      await world.control.fault({ kind: 'drop', action: DETECT, times: 2 });
    }
    await world.produce(MANY);
  },
};

/** Kills Redis and restarts it after `ms`. The outage is recorded in `windows`. */
export async function killAndRestart(world: ChaosWorld, ms: number, wiped = false): Promise<void> {
  const from = Date.now();
  await world.redis.kill();
  await sleep(ms); // the outage
  await world.redis.restart(wiped);
  await world.witness.attach();
  world.windows.push({ from, to: Date.now(), why: 'redis' });
}

export const redisKill: Fault = {
  name: 'redis-kill',
  summary: 'Redis (AOF always) is killed under load and returns after up to two leases: nothing may be lost',
  async run(world, random) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const load = world.produce(MANY);
    await sleep(random.int(0, 400));
    await killAndRestart(world, random.int(0, 2 * world.leaseMs));
    await Promise.all([load, world.produce(2)]);
  },
};

export const everysec: Fault = {
  name: 'everysec',
  summary: 'the same as redis-kill with AOF everysec: losses within its window are reported',
  world: () => ({ fsync: 'everysec' }),
  async run(world, random) {
    world.lossy = true;
    await redisKill.run(world, random);
    await reconcile(world);
  },
};

/** Enqueues again each verification that Redis no longer knows, as users do after `bestframe reconcile`. */
async function reconcile(world: ChaosWorld): Promise<number> {
  const accepted = [...world.accepted];
  const known = await world.client.presence(accepted.map(({ key }) => world.client.idOf(key)));
  const missing = accepted.filter((_each, index) => known[index]?.status === 'missing');
  for (const { id } of missing) await world.enqueueAgain(id);
  return missing.length;
}

export const wiped: Fault = {
  name: 'wiped',
  summary: 'Redis comes back empty: after the producers reconcile, every verification must still end',
  async run(world, random) {
    world.lossy = true;
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    await world.produce(MANY);
    await sleep(random.int(0, 800));
    await killAndRestart(world, random.int(0, world.leaseMs), true);
    const missing = await reconcile(world);
    if (missing !== MANY)
      world.findings.push({ invariant: 'I1', message: `reconcile found ${missing} of ${MANY} keys missing` });
  },
};

export const clients: Fault = {
  name: 'clients',
  summary: 'CLIENT KILL of every connection and CLIENT PAUSE, repeated under load',
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
  summary: 'Redis refuses every write for a while (maxmemory, noeviction)',
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

/** How long another client's script may run before Redis answers BUSY to everyone. */
const BUSY_AFTER_MS = 50;

export const busy: Fault = {
  name: 'busy',
  summary: 'another client keeps Redis busy with a script while answers of paid calls arrive: none is paid again',
  // The script runs for less than a call may take, so no intent is overdue when Redis answers again.
  world: () => ({ settings: { BESTFRAME_LEASE_MS: '8000', BESTFRAME_CALL_SECONDS: 'interactive=15,batch=15' } }),
  async run(world, random) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    const hold = await world.control.fault({ kind: 'hold', action: DETECT, when: 'after', times: MANY });
    const accepted = await world.produce(MANY);
    await world.control.waitFor({ event: 'held', action: DETECT }, MANY);
    const [redis, other] = [new Redis(world.redis.url), new Redis(world.redis.url)];
    try {
      await redis.config('SET', 'busy-reply-threshold', String(BUSY_AFTER_MS));
      const from = Date.now();
      const script = other.eval('while true do end', 0).catch(() => undefined); // it ends by SCRIPT KILL, with an error
      await untilBusy(redis);
      await world.control.release(hold);
      await sleep(random.int(1_000, 3_000)); // the script runs
      await redis.call('SCRIPT', 'KILL');
      await script;
      world.windows.push({ from, to: Date.now(), why: 'redis' });
    } finally {
      redis.disconnect();
      other.disconnect();
    }
    await world.untilSettled();
    const billed = (await world.control.calls({ action: DETECT, billed: true })).length;
    if (billed > accepted.length)
      world.findings.push({
        invariant: 'I2',
        message: `${billed} calls were billed for ${accepted.length} verifications`,
      });
  },
};

async function untilBusy(redis: Redis): Promise<void> {
  for (;;) {
    const answer = await redis.ping().catch((error: Error) => error.message);
    if (answer.startsWith('BUSY')) return;
    await sleep(BUSY_AFTER_MS);
  }
}

function outage(seconds: number): Fault {
  return {
    name: `outage-${seconds}`,
    summary: `Redis is down for ${seconds} s, with the product's default lease and rate and more work than slots`,
    long: true,
    world: () => ({ settings: { BESTFRAME_QPS_DETECT: '5' } }),
    async run(world) {
      world.saturated = true;
      await world.control.settings({ qps: { [DETECT]: 5 } });
      await Promise.all([world.fleet.start(), world.fleet.start()]);
      const load = Promise.all([world.produce(80, { lane: 'batch' }), world.produce(5)]);
      await sleep(3_000);
      await killAndRestart(world, seconds * 1_000);
      await Promise.all([load, world.produce(5)]);
    },
  };
}

export const outages = [3, 15, 60].map(outage);

export const failover: Fault = {
  name: 'failover',
  summary: 'the primary is killed under load and its replica takes over: writes that were not replicated are reported',
  long: true,
  async run(world, random) {
    world.lossy = true;
    await world.redis.startReplica();
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
