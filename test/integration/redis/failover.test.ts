/**
 * Redis goes away and comes back, here or elsewhere: nobody stays silent. The worker has run before and is idle or at work when
 * it happens; afterwards what was begun is finished, what comes is carried, and nothing is paid twice.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { connectWorker } from '../../../src/queue/connection.ts';
import { DEFAULT_PREFIX } from '../../../src/queue/names.ts';
import {
  atMovingAddress,
  inCluster,
  oneServer,
  type RedisProfile,
  withSentinels,
} from '../../support/redis-profiles.ts';
import { type Server, untilFollowing } from '../../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../../support/rig.ts';

const SOON = { timeout: 40_000, interval: 100 };

let dir: string;
let redis: RedisProfile;
let rig: Rig;

async function begin(start: (dir: string) => Promise<RedisProfile>): Promise<void> {
  redis = await start(dir);
  const env = {
    ...redis.env,
    BESTFRAME_PREFIX: DEFAULT_PREFIX,
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_LEASE_MS: '2000',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  await Promise.all([rig.openWorker(), rig.openErase()]);
  await carries('before');
}

/** Asks until it is taken: a producer says at once that Redis is away. */
async function taken(key: string): Promise<string> {
  const request = await rig.request(key);
  const tried = async () => {
    try {
      return (await rig.client.enqueue(request)).id;
    } catch (error) {
      if (error instanceof Failure && error.code === 'REDIS_UNAVAILABLE') return error.code;
      throw error;
    }
  };
  await expect.poll(tried, SOON).toBe(rig.client.idOf(key));
  return rig.client.idOf(key);
}

async function ended(id: string): Promise<void> {
  const state = async () => (await rig.client.get(id).catch(() => null))?.state;
  await expect.poll(state, SOON).toBe('completed');
  expect(await rig.client.get(id)).toMatchObject({ decision: 'match', frame: 'stored', paidCalls: 1 });
  const left = async () => (await rig.control.objects()).filter(({ key }) => key.includes(id));
  await expect.poll(left, SOON).toEqual([]);
}

async function refusals(admin: Redis, answer: string): Promise<number> {
  const stats = await admin.info('errorstats');
  return Number(new RegExp(`errorstat_${answer}:count=(\\d+)`).exec(stats)?.[1] ?? 0);
}

async function carries(key: string): Promise<void> {
  await ended(await taken(key));
}

/** One that is being uploaded, or called for, and goes on when it is let. */
async function atWork(key: string, action: 'PutObject' | 'DetectReflectLivenessAndCompare' = 'PutObject') {
  const object = rig.client.idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action, object });
  const id = await taken(key);
  await rig.control.waitFor({ event: 'held', object });
  return { id, goOn: () => rig.control.release(hold) };
}

beforeEach(({ task }) => {
  dir = join(HOME, `redis-${process.pid}-${task.id}`);
});
afterEach(async () => {
  await rig?.dispose();
  await redis?.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('one server', () => {
  it('killed and started again, thrice: what ran and what comes is carried', async () => {
    await begin(oneServer);
    const server = await redis.primary();
    for (const time of [1, 2, 3]) {
      const { id, goOn } = await atWork(`running-${time}`);
      await server.kill();
      await expect(rig.client.get(id)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
      await goOn();
      await server.restart();
      await carries(`after-${time}`);
      await ended(id);
    }
  });

  it('still loading its data when it is asked', async () => {
    await begin((home) => oneServer(home, ['--key-load-delay', '500']));
    const server = await redis.primary();
    const fill = server.admin.pipeline();
    for (let n = 0; n < 4_000; n += 1) fill.set(`other:${n}`, n);
    await fill.exec();
    await server.kill();
    const restarted = server.restart();
    const raw = new Redis({ port: server.port, enableReadyCheck: false, retryStrategy: () => 20 });
    raw.on('error', () => undefined);
    await expect.poll(() => raw.get('x').catch(String), SOON).toContain('LOADING');
    raw.disconnect();
    await restarted;
    await carries('after');
  });
});

describe('a paid answer that comes while Redis is away', () => {
  it.each([
    ['one server', (home: string) => oneServer(home)],
    ['Cluster', inCluster],
  ])('%s: is recorded when it is back, and not paid again', async (_name, start) => {
    await begin(start);
    const { id, goOn } = await atWork('called', 'DetectReflectLivenessAndCompare');
    await Promise.all(redis.servers.map((server) => server.kill()));
    await goOn();
    await rig.control.waitFor({ event: 'call', action: 'DetectReflectLivenessAndCompare', object: id });
    await Promise.all(redis.servers.map((server) => server.restart()));
    await ended(id);
    expect(await rig.client.get(id)).toMatchObject({ possiblyPaidCalls: 0 });
  });
});

it('a paid answer that Redis takes no writes for is told until it is taken, and not paid again', async () => {
  await begin(oneServer);
  const { admin } = await redis.primary();
  const { id, goOn } = await atWork('called', 'DetectReflectLivenessAndCompare');
  await admin.config('SET', 'min-replicas-to-write', '5');
  const soFar = await refusals(admin, 'NOREPLICAS');
  await goOn();
  await rig.control.waitFor({ event: 'call', action: 'DetectReflectLivenessAndCompare', object: id });
  await expect.poll(() => refusals(admin, 'NOREPLICAS'), SOON).toBeGreaterThan(soFar);
  await admin.config('SET', 'min-replicas-to-write', '0');
  await ended(id);
  expect(await rig.client.get(id)).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
});

describe('a server that takes no writes for a while', () => {
  it.each([
    ['NOREPLICAS', 'min-replicas-to-write', '5', oneServer],
    ['OOM', 'maxmemory', '1', oneServer],
    ['NOREPLICAS', 'min-replicas-to-write', '5', inCluster],
  ])('%s, by %s %s: what ran and a backlog go on', async (answer, setting, value, start) => {
    await begin(start);
    const { admin } = await redis.primary();
    const [, before = ''] = (await admin.config('GET', setting)) as string[];
    const { id, goOn } = await atWork('running');
    const requests = await Promise.all(Array.from({ length: 20 }, (_, index) => rig.request(`backlog-${index}`)));
    await rig.client.enqueueMany(requests);
    await admin.config('SET', setting, value);
    await expect(rig.client.enqueue(await rig.request('after'))).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    const soFar = await refusals(admin, answer);
    await goOn();
    await expect.poll(() => refusals(admin, answer), SOON).toBeGreaterThan(soFar);
    await admin.config('SET', setting, before);
    await carries('after');
    for (const { key } of requests) await ended(rig.client.idOf(key));
    await ended(id);
  });

  it('is asked again after a pause: BullMQ would ask thousands of times a second', async () => {
    await begin(oneServer);
    const { admin } = await redis.primary();
    await admin.config('SET', 'min-replicas-to-write', '5');
    const worker = connectWorker(rig.config.redis);
    let pauses = 0;
    worker.on('reconnecting', () => {
      pauses += 1;
    });
    for (const time of [1, 2, 3]) {
      await expect(worker.hset(rig.names.counters, 'x', time)).rejects.toThrow('NOREPLICAS');
      await expect.poll(() => pauses, SOON).toBe(time);
    }
    await admin.config('SET', 'min-replicas-to-write', '0');
    expect(await worker.hset(rig.names.counters, 'x', 4)).toBe(1);
    worker.disconnect();
  });
});

describe('an address behind which the primary changes', () => {
  it.each([
    ['READONLY', 'yes'],
    ['MASTERDOWN', 'no'],
  ])('the old one says %s to who stayed connected', async (answer, stale) => {
    const moving = await atMovingAddress(dir);
    await begin(async () => moving);
    const [old] = moving.servers as [Server, Server];
    const { id, goOn } = await atWork('running');
    await old.admin.wait(1, 10_000); // replication is asynchronous: what was not handed on yet would be lost, rightly
    await moving.move();
    await old.admin.config('SET', 'replica-serve-stale-data', stale);
    await old.admin.replicaof('127.0.0.1', 1); // nobody is there
    expect(await old.admin.eval("return redis.call('SET', 'x', 1)", 0).catch(String)).toContain(answer);
    await goOn();
    await carries('after');
    await ended(id);
  });
});

describe('Sentinel', () => {
  it('the primary is killed: its replica goes on, and it comes back as a replica', async () => {
    await begin(withSentinels);
    const first = await redis.primary();
    const { id, goOn } = await atWork('running');
    await first.kill();
    await goOn();
    await carries('after');
    await ended(id);
    await first.restart();
    await untilFollowing(first);
    await carries('later');
  });

  it('the primary answers no more, and closes nothing', async () => {
    await begin(withSentinels);
    const first = await redis.primary();
    process.kill(first.pid, 'SIGSTOP');
    await carries('after');
    await first.kill();
  });
});

describe('Cluster', () => {
  it('the node that has our keys is killed: its replica goes on', async () => {
    await begin(inCluster);
    const first = await redis.primary();
    const { id, goOn } = await atWork('running');
    await first.kill();
    await goOn();
    await carries('after');
    await ended(id);
  });

  it('all nodes are killed, and come back', async () => {
    await begin(inCluster);
    await Promise.all(redis.servers.map((server) => server.kill()));
    await expect(rig.client.enqueue(await rig.request('during'))).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await Promise.all(redis.servers.map((server) => server.restart()));
    await carries('after');
  });
});
