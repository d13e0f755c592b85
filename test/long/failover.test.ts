/**
 * Tests an outage of Redis, which comes back on the same server or on another one. The worker is idle or busy when Redis fails.
 * Afterwards the worker must finish the verification that was in progress, complete new ones, and pay for nothing twice.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../../src/domain/errors/failure.ts';
import { connectWorker } from '../../src/redis/connection.ts';
import { DEFAULT_PREFIX } from '../../src/redis/names.ts';
import { atMovingAddress, inCluster, oneServer, type RedisProfile, withSentinels } from '../support/redis-profiles.ts';
import { type Server, untilFollowing, untilReplicated } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

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
  await completeVerification('before');
}

/** Retries until Redis accepts the request, because a producer fails at once while Redis is unavailable. */
async function enqueueUntilAccepted(key: string): Promise<string> {
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

async function expectCompleted(id: string): Promise<void> {
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

async function completeVerification(key: string): Promise<void> {
  await expectCompleted(await enqueueUntilAccepted(key));
}

/** Starts a verification and holds it at its upload or at its paid call, until `release` lets it continue. */
async function startAndHold(key: string, action: 'PutObject' | 'DetectReflectLivenessAndCompare' = 'PutObject') {
  const object = rig.client.idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action, object });
  const id = await enqueueUntilAccepted(key);
  await rig.control.waitFor({ event: 'held', object });
  return { id, release: () => rig.control.release(hold) };
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
  it('completes running and new verifications after each of three kills and restarts', async () => {
    await begin(oneServer);
    const server = await redis.primary();
    for (const time of [1, 2, 3]) {
      const { id, release } = await startAndHold(`running-${time}`);
      await server.kill();
      await expect(rig.client.get(id)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
      await release();
      await server.restart();
      await completeVerification(`after-${time}`);
      await expectCompleted(id);
    }
  });

  it('completes new verifications after it got commands while it was still loading its data', async () => {
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
    await completeVerification('after');
  });
});

describe('a paid answer that arrives while Redis is down', () => {
  it.each([
    ['one server', (home: string) => oneServer(home)],
    ['Cluster', inCluster],
  ])('%s: is recorded once Redis is back, and not paid again', async (_name, start) => {
    await begin(start);
    const { id, release } = await startAndHold('called', 'DetectReflectLivenessAndCompare');
    await Promise.all(redis.servers.map((server) => server.kill()));
    await release();
    await rig.control.waitFor({ event: 'call', action: 'DetectReflectLivenessAndCompare', object: id });
    await Promise.all(redis.servers.map((server) => server.restart()));
    await expectCompleted(id);
    expect(await rig.client.get(id)).toMatchObject({ possiblyPaidCalls: 0 });
  });
});

describe('a paid answer that Redis refuses for a while', () => {
  const NOT_NOW: readonly (readonly [answer: string, setting: string, value: string])[] = [
    ['NOREPLICAS', 'min-replicas-to-write', '5'],
    ['OOM', 'maxmemory', '1'],
  ];
  it.each(NOT_NOW)('is retried until it is recorded: %s, by %s %s', async (answer, setting, value) => {
    await begin(oneServer);
    const { admin } = await redis.primary();
    const [, before = ''] = (await admin.config('GET', setting)) as string[];
    const { id, release } = await startAndHold('called', 'DetectReflectLivenessAndCompare');
    await admin.config('SET', setting, value);
    const soFar = await refusals(admin, answer);
    await release();
    await rig.control.waitFor({ event: 'call', action: 'DetectReflectLivenessAndCompare', object: id });
    await expect.poll(() => refusals(admin, answer), SOON).toBeGreaterThan(soFar);
    await admin.config('SET', setting, before);
    await expectCompleted(id);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
  });

  it('is retried while the script of another client keeps Redis busy', async () => {
    await begin(oneServer);
    const { admin } = await redis.primary();
    await admin.config('SET', 'busy-reply-threshold', '100');
    const { id, release } = await startAndHold('called', 'DetectReflectLivenessAndCompare');
    const other = admin.duplicate();
    const endless = other.eval('while true do end', 0).catch(String);
    await expect.poll(() => admin.ping().catch(String), SOON).toContain('BUSY');
    await release();
    await rig.control.waitFor({ event: 'call', action: 'DetectReflectLivenessAndCompare', object: id });
    const waits = () => rig.lines.some((line) => line.id === id && line.event === 'outcome_waits');
    await expect.poll(waits, SOON).toBe(true);
    await admin.call('SCRIPT', 'KILL');
    expect(await endless).toContain('Script killed');
    other.disconnect();
    await expectCompleted(id);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
  });

  it('is retried while Redis has too many clients for a new connection', async () => {
    await begin(oneServer);
    const { admin } = await redis.primary();
    const { id, release } = await startAndHold('called', 'DetectReflectLivenessAndCompare');
    const [, before = ''] = (await admin.config('GET', 'maxclients')) as string[];
    await admin.config('SET', 'maxclients', '1');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await release();
    const waits = () => rig.lines.some((line) => line.id === id && line.event === 'outcome_waits');
    await expect.poll(waits, SOON).toBe(true);
    await admin.config('SET', 'maxclients', before);
    await expectCompleted(id);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 1, possiblyPaidCalls: 0 });
  });
});

describe('a server that refuses writes for a while', () => {
  it.each([
    ['NOREPLICAS', 'min-replicas-to-write', '5', oneServer],
    ['OOM', 'maxmemory', '1', oneServer],
    ['NOREPLICAS', 'min-replicas-to-write', '5', inCluster],
  ])('%s, by %s %s: completes running and queued verifications', async (answer, setting, value, start) => {
    await begin(start);
    const { admin } = await redis.primary();
    const [, before = ''] = (await admin.config('GET', setting)) as string[];
    const { id, release } = await startAndHold('running');
    const requests = await Promise.all(Array.from({ length: 20 }, (_, index) => rig.request(`backlog-${index}`)));
    await rig.client.enqueueMany(requests);
    await admin.config('SET', setting, value);
    await expect(rig.client.enqueue(await rig.request('after'))).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    const soFar = await refusals(admin, answer);
    await release();
    await expect.poll(() => refusals(admin, answer), SOON).toBeGreaterThan(soFar);
    await admin.config('SET', setting, before);
    await completeVerification('after');
    for (const { key } of requests) await expectCompleted(rig.client.idOf(key));
    await expectCompleted(id);
  });

  it('makes the connection pause after each refusal, so that BullMQ does not retry thousands of times a second', async () => {
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

describe('an address that moves to another primary', () => {
  it.each([
    ['READONLY', 'yes'],
    ['MASTERDOWN', 'no'],
  ])('completes verifications after the old primary answers %s to open connections', async (answer, stale) => {
    const moving = await atMovingAddress(dir);
    await begin(async () => moving);
    const [old] = moving.servers as [Server, Server];
    const { id, release } = await startAndHold('running');
    await untilReplicated(old);
    await moving.move();
    await old.admin.config('SET', 'replica-serve-stale-data', stale);
    await old.admin.replicaof('127.0.0.1', 1); // no server listens there
    expect(await old.admin.eval("return redis.call('SET', 'x', 1)", 0).catch(String)).toContain(answer);
    await release();
    await completeVerification('after');
    await expectCompleted(id);
  });
});

describe('Sentinel', () => {
  it('continues on the replica when the primary is killed, and after it returns as a replica', async () => {
    await begin(withSentinels);
    const first = await redis.primary();
    const { id, release } = await startAndHold('running');
    await untilReplicated(first);
    await first.kill();
    await release();
    await completeVerification('after');
    await expectCompleted(id);
    await first.restart();
    await untilFollowing(first);
    await completeVerification('later');
  });

  it('continues on the replica when the primary stops answering and keeps its connections open', async () => {
    await begin(withSentinels);
    const first = await redis.primary();
    process.kill(first.pid, 'SIGSTOP');
    await completeVerification('after');
    await first.kill();
  });
});

describe('Cluster', () => {
  it('continues on the replica when the node with our keys is killed', async () => {
    await begin(inCluster);
    const first = await redis.primary();
    const { id, release } = await startAndHold('running');
    await untilReplicated(first);
    await first.kill();
    await release();
    await completeVerification('after');
    await expectCompleted(id);
  });

  it('completes new verifications after all nodes were killed and restarted', async () => {
    await begin(inCluster);
    await Promise.all(redis.servers.map((server) => server.kill()));
    await expect(rig.client.enqueue(await rig.request('during'))).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await Promise.all(redis.servers.map((server) => server.restart()));
    await completeVerification('after');
  });
});
