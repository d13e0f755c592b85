/** Tests the Redis client: idempotent keys, results per item, round trips, cancelling, waiting, and an unavailable Redis. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { Failure } from '../../src/domain/errors/failure.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { connectProducer } from '../../src/redis/connection.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { countTrips } from '../support/counted-redis.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
});
afterAll(() => rig.dispose());

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => new Error('the promise did not reject'),
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw error;
}

describe('the same key', () => {
  it('returns the same verification for the same payload, and a conflict for another payload', async () => {
    const request = await rig.request('same');
    const first = await rig.client.enqueue(request);
    expect(first.status).toBe('new');
    expect(await rig.client.enqueue(request)).toMatchObject({ id: first.id, status: 'same' });
    const other = { ...request, similarityThreshold: 80 };
    expect(await failureOf(rig.client.enqueue(other))).toMatchObject({ code: 'KEY_CONFLICT', field: 'key' });
  });

  it('ignores query strings of URLs, so that a new signature is still the same payload', async () => {
    const at = (query: string): VerificationRequest => ({
      key: 'query',
      region: 'ap-singapore',
      upload: 'own-bucket',
      resources: {
        liveData: { from: 'https', url: `https://files.example.com/a.gz?${query}` },
        image: { from: 'https', url: `https://files.example.com/b.jpg?${query}` },
      },
    });
    const first = await rig.client.enqueue(at('sign=1'));
    expect(await rig.client.enqueue(at('sign=2'))).toMatchObject({ id: first.id, status: 'same' });
    await rig.client.cancel(first.id);
  });

  it('creates one verification and one job if it is enqueued 8 times at once', async () => {
    const request = await rig.request('at-once');
    const results = await Promise.all(Array.from({ length: 8 }, () => rig.client.enqueue(request)));
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    expect(results.filter(({ status }) => status === 'new')).toHaveLength(1);
    const queue = rig.names.job('ap-singapore', results[0]?.id ?? '').job;
    expect(await rig.redis.exists(queue)).toBe(1);
  });

  it('returns the same verification after its job is gone', async () => {
    const request = await rig.request('outlives');
    const { id } = await rig.client.enqueue(request);
    const worker = await rig.openWorker();
    await rig.client.wait(id, { until: 'ended' });
    await worker.stop(5_000);
    await rig.redis.del(rig.names.job('ap-singapore', id).job);
    expect(await rig.client.enqueue(request)).toMatchObject({ id, status: 'same', state: 'completed' });
    expect(await rig.client.getByKey('outlives')).toMatchObject({ id, decision: 'match' });
    expect(await rig.redis.exists(rig.names.job('ap-singapore', id).job)).toBe(0);
  });

  it('adds the missing job of a producer that died after its claim', async () => {
    const request = await rig.request('half');
    const { id } = await rig.client.enqueue(request);
    const { job } = rig.names.job('ap-singapore', id);
    await rig.redis.del(job);
    expect(await rig.client.enqueue(request)).toMatchObject({ id, status: 'same' });
    expect(await rig.redis.exists(job)).toBe(1);
  });
});

describe('a repeated request that would be refused now', () => {
  const past = new Date(Date.now() - 60_000).toISOString();

  it('is the same verification if its deadline has passed, its endpoint is removed or its files are gone', async () => {
    const hook = { name: 'later-removed', url: 'https://hooks.example.com/faces' };
    await rig.client.webhooks.add(hook);
    const request = await rig.request('late', { card: 'match' }, { webhook: hook.name });
    const { id } = await rig.client.enqueue(request);
    expect(await rig.client.enqueue({ ...request, deadline: past })).toMatchObject({ id, status: 'same' });
    await rig.client.webhooks.remove(hook.name);
    const fresh = new BestframeClient({
      redis: rig.config.redis,
      prefix: rig.config.prefix,
      namespace: rig.env.BESTFRAME_NAMESPACE,
    });
    expect(await fresh.enqueue(request)).toMatchObject({ id, status: 'same' });
    await fresh.close();
    for (const source of Object.values(request.resources)) if (source?.from === 'file') await rm(source.path);
    expect(await rig.client.enqueue({ ...request, deadline: past })).toMatchObject({ id, status: 'same' });
    await rig.client.erase(id, { by: 'officer', why: 'test' });
    expect(await failureOf(rig.client.enqueue({ ...request, deadline: past }))).toMatchObject({ code: 'KEY_GONE' });
  });

  it('keeps the reason of its refusal if the key is new or has another payload, and creates nothing', async () => {
    const request = await rig.request('late-again', { card: 'match' }, { deadline: past });
    const refused = { code: 'INVALID_VERIFICATION', field: 'deadline' };
    expect(await failureOf(rig.client.enqueue(request))).toMatchObject(refused);
    expect(await rig.client.getByKey('late-again')).toBeNull();
    const { deadline: _past, ...timely } = request;
    await rig.client.enqueue(timely);
    expect(await failureOf(rig.client.enqueue({ ...request, similarityThreshold: 80 }))).toMatchObject(refused);
  });

  it('is checked for the fields that the deployment demands', async () => {
    const { redis, prefix } = rig.config;
    const strict = new BestframeClient({ redis, prefix, namespace: rig.env.BESTFRAME_NAMESPACE, demands: ['subject'] });
    const request = await rig.request('demanded');
    expect(await failureOf(strict.enqueue(request))).toMatchObject({ code: 'INVALID_VERIFICATION', field: 'subject' });
    expect(await strict.enqueue({ ...request, subject: 'person-1' })).toMatchObject({ status: 'new' });
    expect(await rig.client.enqueue({ ...request, subject: 'person-1' })).toMatchObject({ status: 'same' });
    await strict.close();
  });

  it('gets its result in a batch, beside others', async () => {
    const [known, fresh] = [await rig.request('late-known'), await rig.request('late-new')];
    await rig.client.enqueue(known);
    const results = await rig.client.enqueueMany([
      { ...known, lane: 'interactive', deadline: past },
      { ...fresh, deadline: past },
      fresh,
    ]);
    expect(results.map(({ status }) => status)).toEqual(['same', 'refused', 'new']);
  });
});

describe('enqueueMany', () => {
  it('returns new, same or refused for each request, in order', async () => {
    const good = await rig.request('many-1');
    const again = await rig.request('many-same');
    await rig.client.enqueue(again);
    const bad = { ...(await rig.request('many-2')), region: 'ap-mars' } as unknown as VerificationRequest;
    const results = await rig.client.enqueueMany([good, bad, { ...again, lane: 'interactive' }]);
    expect(results.map(({ status }) => status)).toEqual(['new', 'refused', 'same']);
    expect(results[1]).toMatchObject({ key: 'many-2', error: { code: 'INVALID_VERIFICATION', field: 'region' } });
  });

  it('makes at most two round trips per chunk', async () => {
    const requests = await Promise.all(Array.from({ length: 30 }, (_, index) => rig.request(`trips-${index}`)));
    await rig.redis.set(rig.names.mode, 'test'); // as the first worker does; until then, each chunk asks for it
    const proxy = await countTrips(inject('redisUrl'));
    const client = new BestframeClient({
      redis: proxy.url,
      prefix: rig.config.prefix,
      mode: 'test',
      namespace: rig.config.namespace,
      fileRoots: rig.config.fileRoots,
    });
    try {
      await client.enqueueMany(requests.slice(0, 10), { chunk: 10 }); // connects, and loads the scripts into Redis
      const before = proxy.trips;
      await client.enqueueMany(requests.slice(10), { chunk: 10 });
      expect(proxy.trips - before).toBeGreaterThan(0);
      expect(proxy.trips - before).toBeLessThanOrEqual(4);
    } finally {
      await client.close();
      await proxy.close();
    }
  });
});

describe('cancel', () => {
  it('ends a waiting verification at once, unpaid, and removes its job', async () => {
    const { id } = await rig.client.enqueue(await rig.request('cancel-early'));
    expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
    expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', next: 'investigate', paidCalls: 0 });
    expect(await rig.redis.exists(rig.names.job('ap-singapore', id).job)).toBe(0);
    expect(await rig.client.cancel(id)).toEqual({ status: 'ended', state: 'cancelled' });
  });

  it('prevents the paid call if it comes during the upload', async () => {
    const worker = await rig.openWorker();
    const object = rig.client.idOf('cancel-upload');
    const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object });
    const { id } = await rig.client.enqueue(await rig.request('cancel-upload'));
    await rig.control.waitFor({ event: 'held', object: id });
    expect((await rig.client.cancel(id)).status).toBe('cancelling');
    await rig.control.release(hold);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({
      state: 'cancelled',
      paidCalls: 0,
      decision: null,
    });
    expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare', object: id })).toHaveLength(0);
    await worker.stop(5_000);
  });

  it('records the answer of a running paid call, but ends as cancelled and never as accepted', async () => {
    const worker = await rig.openWorker();
    const object = rig.client.idOf('cancel-detect');
    const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
    const { id } = await rig.client.enqueue(await rig.request('cancel-detect'));
    await rig.control.waitFor({ event: 'held', object: id });
    expect((await rig.client.cancel(id)).status).toBe('cancelling');
    await rig.control.release(hold);
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'cancelled', decision: 'match', next: 'investigate', paidCalls: 1 });
    await worker.stop(5_000);
  });

  it('answers `missing` for an unknown verification', async () => {
    expect(await rig.client.cancel('vnothing')).toEqual({ status: 'missing', state: null });
    expect(await rig.client.get('vnothing')).toBeNull();
    expect(await rig.client.wait('vnothing')).toBeNull();
  });
});

describe('waiting', () => {
  it('ends through pub/sub, without polling', async () => {
    const { id } = await rig.client.enqueue(await rig.request('listens'));
    const waiting = rig.client.wait(id, { timeoutMs: 20_000 });
    await expect.poll(() => rig.redis.pubsub('NUMSUB', rig.names.channel)).toEqual([rig.names.channel, 1]);
    await rig.client.cancel(id);
    expect(await waiting).toMatchObject({ state: 'cancelled' });
  });

  it('returns `wait` at its timeout, and the verification continues', async () => {
    const { id } = await rig.client.enqueue(await rig.request('timeout'));
    expect(await rig.client.wait(id, { timeoutMs: 10 })).toMatchObject({ state: 'queued', next: 'wait' });
  });

  it('can be aborted', async () => {
    const { id } = await rig.client.enqueue(await rig.request('given-up'));
    const controller = new AbortController();
    const waiting = rig.client.wait(id, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('the connection to Redis', () => {
  it('has no limit on listeners, so that many callers and a queue can share it', async () => {
    const redis = connectProducer(rig.config.redis);
    // When a queue opens, BullMQ raises the connection's listener limit by the number of listeners that BullMQ adds.
    const queue = openVerifyQueue({ ...rig.deployment, redis }, 'ap-singapore');
    await queue.waitUntilReady();
    expect(redis.getMaxListeners()).toBe(Number.POSITIVE_INFINITY);
    await queue.close();
    redis.disconnect();
  });

  it('reports an outage to each of many concurrent callers, without warnings on stderr', async () => {
    const away = new BestframeClient({ redis: 'redis://127.0.0.1:1' });
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on('warning', onWarning);
    const asked = await Promise.allSettled(Array.from({ length: 40 }, () => away.get('vnothing')));
    expect(asked.filter(({ status }) => status === 'rejected')).toHaveLength(40);
    await new Promise(setImmediate); // Node emits warnings in the next turn
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    await away.close();
  });

  it('reports an outage at once, and that nothing was sent', async () => {
    const closed = await closedPort();
    const client = new BestframeClient({
      redis: `redis://127.0.0.1:${closed}`,
      mode: 'test',
      namespace: rig.config.namespace,
      fileRoots: rig.config.fileRoots,
    });
    const failure = await failureOf(client.enqueue(await rig.request('away')));
    expect(failure).toMatchObject({ code: 'REDIS_UNAVAILABLE', sent: 'no' });
    expect(failure.message).not.toContain('127.0.0.1');
    await client.close();
  });
});

it('lists live and ended verifications, newest first', async () => {
  const { id } = await rig.client.enqueue(await rig.request(`listed-${randomUUID()}`));
  const [newest] = await rig.client.list({ ended: false, limit: 1 });
  expect(newest?.id).toBe(id);
  await rig.client.cancel(id);
  const [ended] = await rig.client.list({ ended: true, limit: 1 });
  expect(ended).toMatchObject({ id, state: 'cancelled' });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
