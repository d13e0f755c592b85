/** Sessions that nobody finishes, that lose their worker or their links, and that wait in large numbers. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import { Feeder } from '../../src/background/feeder.ts';
import type { StartedSession } from '../../src/client/contract.ts';
import { keptFiles } from '../../src/domain/verification/media.ts';
import { REGIONS } from '../../src/domain/verification/regions.ts';
import type { SessionRequest } from '../../src/domain/verification/session-request.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { createRig, type Rig } from '../support/rig.ts';

const SDK = 'ApplySdkVerificationToken';
const WEB = 'ApplyWebVerificationBizTokenIntl';
const CALL = 'GetSdkVerificationResult';
const REGION = 'ap-singapore';

let rig: Rig;
let worker: Running | null = null;
let count = 0;

beforeAll(async () => {
  rig = await createRig({ emulator: { qps: {} } });
});
afterEach(async () => {
  await worker?.stop(0);
  worker = null;
  await rig.redis.del(rig.names.breakers(REGION)); // a breaker that a fault has opened would hold back the next test
  await rig.control.clearFaults();
  await rig.control.settings({ mediaTtlMs: 600_000, tokenTtlMs: 600_000, resultTtlMs: { [SDK]: 259_200_000 } });
  await rig.control.settings({ clockSkewMs: 0 });
});
afterAll(() => rig.dispose());

async function start(
  action: SessionRequest['action'] = SDK,
  more: object | (() => object) = {},
): Promise<StartedSession & { token: string }> {
  worker ??= await rig.openWorker();
  count += 1;
  const parameters =
    action === WEB ? { RedirectURL: 'https://shop.example/{id}', Config: { CheckMode: 3 } } : { CheckMode: 3 };
  const request = {
    key: `durable-${count}`,
    action,
    region: REGION,
    parameters,
    ...(typeof more === 'function' ? more() : more),
  };
  const started = await rig.client.startSession(request as SessionRequest);
  return { ...started, token: started.token ?? '' };
}

/** A deadline soon after the start. */
const soon = () => ({ deadline: new Date(Date.now() + 2_000).toISOString() });
const ended = (id: string) => rig.client.wait(id, { until: 'ended', timeoutMs: 20_000 });

describe('a session that nobody finishes', () => {
  it('is not_started at its deadline; the person may still begin, so the bill stays open', async () => {
    const { id } = await start(SDK, soon);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 0, possiblyPaidCalls: 1 });
    const view = await ended(id);
    expect(view).toMatchObject({ state: 'completed', decision: 'not_started', next: 'recapture', frame: 'none' });
    expect(view).toMatchObject({ paidCalls: 0, possiblyPaidCalls: 1, reason: { code: 'SESSION_NOT_STARTED' } });
    expect(view?.reason?.advice).toContain('Start a new session');
  });

  it.each([
    ['leave', 'Result.1410'],
    ['timeout', 'Result.1409'],
  ] as const)('is abandoned if the page reports %s', async (step, code) => {
    const { id, token } = await start(WEB);
    await rig.control.play({ token, step: 'try', card: 'badLight' });
    await rig.control.play({ token, step });
    await rig.client.finishSession(id);
    expect(await ended(id)).toMatchObject({ decision: 'abandoned', next: 'recapture', reason: { code } });
  });

  it('is expired if the person came too late, or Tencent no longer has the result', async () => {
    const late = await start(WEB);
    const forgotten = await start(SDK);
    await rig.control.settings({ tokenTtlMs: 1, resultTtlMs: { [SDK]: 1 } });
    for (const { id } of [late, forgotten]) await rig.client.finishSession(id);
    expect(await ended(late.id)).toMatchObject({
      decision: 'expired',
      next: 'recapture',
      reason: { code: 'Result.15' },
    });
    expect(await ended(forgotten.id)).toMatchObject({ decision: 'expired', reason: { code: 'SESSION_EXPIRED' } });
  });

  it('ends as cancelled if it is cancelled while it waits', async () => {
    const { id } = await start();
    expect(await rig.client.cancel(id)).toMatchObject({ status: 'cancelled' });
    expect(await rig.client.finishSession(id)).toBe('ended');
    expect(await rig.client.get(id)).toMatchObject({ state: 'cancelled', decision: null, next: 'investigate' });
  });
});

it('collects the result without being told, when it is due', async () => {
  const { id, token } = await start();
  await rig.control.play({ token, step: 'finish' });
  await rig.redis.zadd(rig.names.waits(REGION, CALL).due, 1, id);
  await rig.redis.hset(rig.names.journal(id), 'notBefore', 1);
  expect(await ended(id)).toMatchObject({ decision: 'live', paidCalls: 1 });
});

it('asks again if the person was not finished after all', async () => {
  const { id, token } = await start();
  expect(await rig.client.finishSession(id)).toBe('asked');
  await rig.control.waitFor({ event: 'answered', action: CALL } as never, 1).catch(() => undefined);
  await rig.control.play({ token, step: 'finish' });
  expect(await ended(id)).toMatchObject({ decision: 'live' });
});

// The vendor's clock is set forward by the time for which the workers are away, so the test does not wait for it.
it.each([
  ['would still live', 20_000],
  ['have died', 40_000],
])('moves the media, although all workers were away until links of 30 s %s', async (_, awayMs) => {
  await rig.control.settings({ mediaTtlMs: 30_000 });
  const { id, token } = await start(SDK, { media: ['bestFrame', 'liveVideo', 'liveData'] });
  await rig.control.play({ token, step: 'finish' });
  const session = (await rig.control.sessions()).find((each) => each.token === token)?.id ?? '';
  const asked = async () => (await rig.control.calls({ event: 'call', action: CALL, session })).length;
  const before = await asked();
  await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', times: null });
  const heldBefore = (await rig.control.calls({ event: 'held', action: 'GetObject' })).length;
  await rig.client.finishSession(id);
  await rig.control.waitFor({ event: 'held', action: 'GetObject' }, heldBefore + 1, 20_000); // the links are born
  expect(await asked()).toBe(before + 1);
  await worker?.stop(0);
  worker = null;
  await rig.control.settings({ clockSkewMs: awayMs });
  expect(await rig.client.get(id)).toMatchObject({ decision: 'live', frame: 'pending' });
  await rig.control.clearFaults();
  worker = await rig.openWorker();
  const view = await ended(id);
  expect(view).toMatchObject({ state: 'completed', decision: 'live', frame: 'stored', paidCalls: 1 });
  expect(view?.session?.media.map(({ name }) => name)).toEqual(['liveVideo', 'liveData']);
  for (const { path, md5, bytes } of view === null
    ? []
    : keptFiles({ stored: view.bestFrame, media: view.session?.media ?? [] })) {
    const content = await readFile(path);
    expect(createHash('md5').update(content).digest('hex')).toBe(md5);
    expect(content).toHaveLength(bytes);
  }
  expect(await asked()).toBe(before + 2); // the attempt after the pause asks for fresh links, and does not trust the old ones
});

it('asks for fresh links if they die before they are read', async () => {
  const { id, token } = await start(SDK, { media: ['bestFrame', 'liveVideo'] });
  await rig.control.settings({ mediaTtlMs: 1 });
  await rig.control.play({ token, step: 'finish' });
  await rig.client.finishSession(id);
  await expect.poll(async () => (await rig.client.get(id))?.reason?.code, { timeout: 10_000 }).toBe('FRAME_EXPIRED');
  await rig.control.settings({ mediaTtlMs: 600_000 });
  expect(await ended(id)).toMatchObject({ state: 'completed', frame: 'stored', paidCalls: 1 });
});

it.each([[['bestFrame', 'liveVideo']], [['liveVideo']]] as const)(
  'erases the media with the session: %j',
  async (media) => {
    const { id, token } = await start(SDK, { media });
    await rig.control.play({ token, step: 'finish' });
    await rig.client.finishSession(id);
    await ended(id);
    const stored = JSON.parse((await rig.redis.hget(rig.names.journal(id), 'media')) ?? '[]') as { path: string }[];
    expect(stored).toHaveLength(1);
    const erasing = await rig.openErase();
    await rig.client.erase(id, { by: 'test', why: 'test' });
    await expect
      .poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 20_000, interval: 100 })
      .toBe(true);
    const { access } = await import('node:fs/promises');
    await expect(access(stored[0]?.path ?? '')).rejects.toThrow();
    await erasing.stop(0);
  },
);

it('deletes media without a frame once the caller has acknowledged them', async () => {
  const { id, token } = await start(SDK, { media: ['liveVideo'] });
  await rig.control.play({ token, step: 'finish' });
  await rig.client.finishSession(id);
  await ended(id);
  const before = await rig.redis.zscore(rig.names.frames, id);
  expect(await rig.client.acknowledge(id)).toBe('ok');
  expect(Number(await rig.redis.zscore(rig.names.frames, id))).toBeLessThan(Number(before));
});

it('lets ten thousand wait without a job, and asks those with the earliest deadline first', async () => {
  const MANY = 10_000;
  const { id } = await start(SDK, { media: ['bestFrame', 'liveVideo'], subject: 's-1', metadata: { order: '1042' } });
  await worker?.stop(0);
  worker = null;
  const { redis, names } = rig;
  const { due, ripe, resuming, jobs } = names.waits(REGION, CALL);
  expect(await redis.exists(`${jobs}${id}`)).toBe(0);
  const [journal, history] = [await redis.hgetall(names.journal(id)), await redis.lrange(names.history(id), 0, -1)];
  const ids = Array.from({ length: MANY }, (_, index) => `v${String(index).padStart(25, '0')}`);
  const base = Date.now() + 1_000_000;
  for (let from = 0; from < MANY; from += 500) {
    const pipeline = redis.pipeline();
    for (const [offset, each] of ids.slice(from, from + 500).entries()) {
      const deadline = base + (((from + offset) * 7_919) % MANY);
      pipeline.hset(names.journal(each), { ...journal, deadline });
      pipeline.rpush(names.history(each), ...history);
      pipeline.zadd(names.live, '1', each).zadd(due, '1', each);
    }
    await pipeline.exec();
  }
  const keys = [names.journal(id), names.history(id)];
  const bytes = await Promise.all(keys.map(async (key) => Number(await redis.memory('USAGE', key))));
  console.info(`a waiting session: ${bytes.join(' + ')} bytes`);
  expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(1_400); // the two sorted sets add about 200
  const queues = new Map(REGIONS.map((region) => [region, openVerifyQueue(rig.deployment, region)] as const));
  const feeder = new Feeder({ deployment: rig.deployment, queues, limits: {}, log: pino({ level: 'silent' }) });
  // 20 calls per second: what one pass adds, as long as no worker takes it.
  expect(await feeder.feed()).toBe(20);
  expect(await feeder.feed()).toBe(0);
  expect(await redis.llen(resuming)).toBe(20);
  const asked = await Promise.all(
    (await redis.lrange(resuming, 0, -1)).map((each) => redis.hget(names.journal(each), 'deadline')),
  );
  expect(asked.map((deadline) => Number(deadline) - base).sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
  expect(await redis.zcard(ripe)).toBeGreaterThan(MANY - 100);
  await redis.del(due, ripe, resuming, ...ids.flatMap((each) => [names.journal(each), names.history(each)]));
  await redis.zrem(names.live, ...ids);
  await Promise.all([...queues.values()].map((queue) => queue.close()));
}, 120_000);
