/**
 * Tests races that the explorer found (test/explorer): a client or the sweeper ends or erases a verification while a run is in
 * progress.
 */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Sweeper } from '../../src/background/sweeper.ts';
import type { StoredReceipt } from '../../src/domain/operations/erasure.ts';
import { openEraseQueue } from '../../src/redis/erase-queue.ts';
import { openNotifyQueue } from '../../src/redis/notify-queue.ts';
import { endField, Outbox } from '../../src/redis/outbox.ts';
import { eraseRecord } from '../../src/redis/scripts/erase-record.ts';
import { loadScript, type ScriptName } from '../../src/redis/scripts/run.ts';
import { ADMISSION, DETECT, entry, REGION, releaseLock, take } from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REASON = { code: 'OUTCOME_UNKNOWN', class: 'transient' };

let rig: Rig;

beforeAll(async () => {
  rig = await createRig();
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => rig.dispose());

async function enqueue(key: string): Promise<string> {
  return (await rig.client.enqueue(await rig.request(key, { card: 'match' }, { upload: 'own-bucket' }))).id;
}

/** Calls `act` just before the script is next sent to Redis. */
function justBefore(name: ScriptName, act: () => Promise<unknown>): void {
  const { sha } = loadScript(name);
  const { evalsha } = Redis.prototype;
  const spy = vi.spyOn(Redis.prototype, 'evalsha');
  spy.mockImplementation(async function (this: Redis, ...args: unknown[]) {
    if (args[0] === sha) {
      spy.mockRestore();
      await act();
    }
    return Reflect.apply(evalsha, this, args);
  } as typeof evalsha);
}

function receiptOf(id: string): StoredReceipt {
  const record = { confirmedAt: '', by: 'Redis' } as const;
  const open = { job: null, objects: null, frame: null, complete: false, notConfirmed: [] } as const;
  return { id, mode: 'test', requestedAt: '', by: 'officer', why: 'asked', record, ...open };
}

/** A run that uploads, and dies. */
async function dyingRun(id: string, generation: number): Promise<void> {
  const journal = await take(rig, id, `worker:${generation}`, generation + 1);
  expect((await journal.begin('interactive', 5, ADMISSION)).verdict).toBe('go');
  const outcome = { resources: {} };
  expect(await journal.commit({ stage: 'upload', generation, outcome, entry: entry() })).toBe('ok');
}

async function owed(id: string): Promise<unknown> {
  return JSON.parse((await rig.redis.hget(rig.names.outbox, id)) ?? 'null');
}

it('a cancel deletes the objects of a run that began after it had read the record', async () => {
  const id = await enqueue('cancel');
  justBefore('cancel', async () => {
    await dyingRun(id, 0);
    await releaseLock(rig, id);
  });
  expect((await rig.client.cancel(id)).status).toBe('cancelled');
  expect(await owed(id)).toMatchObject({ erase: { id, generations: 1, secondPass: 'required' } });
});

it("an operator's end deletes the objects of a generation that began after the record was read", async () => {
  const id = await enqueue('resolve');
  const held = async (generation: number) => {
    await dyingRun(id, generation);
    const journal = await take(rig, id, `worker:${generation}`, generation + 1);
    expect(await journal.hold({ generation, reason: REASON, holdMs: 60_000, entry: entry('held') })).toBe('ok');
    await releaseLock(rig, id);
  };
  const decide = { by: 'maria', why: 'looked at it' };
  await held(0);
  justBefore('resolve-held', async () => {
    expect((await rig.client.resolve(id, 'rewind', decide)).status).toBe('ok');
    await held(1);
  });
  expect(await rig.client.resolve(id, 'fail', decide)).toEqual({ status: 'ok', state: 'failed' });
  expect(await owed(id)).toMatchObject({ erase: { id, generations: 2 } });
});

it('an erasure keeps its outbox entry while the entry of the end is removed', async () => {
  const id = await enqueue('erase');
  await dyingRun(id, 0);
  await releaseLock(rig, id);
  await rig.client.cancel(id);
  const target = { id, region: REGION, action: DETECT, subject: null, tenant: null } as const;
  const followUps = { forget: { id, region: REGION, delayMs: 0 } } as const;
  // The process that erases the verification dies before it adds the erase job.
  await eraseRecord(rig.deployment, target, { receipt: receiptOf(id), followUps });
  const [eraseQueue, notifyQueue] = [openEraseQueue(rig.deployment), openNotifyQueue(rig.deployment)];
  const outbox = new Outbox(rig.deployment, eraseQueue, notifyQueue);
  await outbox.deliver(endField({ id, retries: 0 }), {});
  await outbox.deliverAll();
  expect((await eraseQueue.getJob(`forget-${id}`))?.data).toMatchObject({ id });
  await Promise.all([eraseQueue.close(), notifyQueue.close()]);
});

it('the sweeper keeps a verification in the index that was retried after it had ended', async () => {
  const id = await enqueue('sweep');
  await rig.client.cancel(id);
  // Simulates a retry while the sweeper runs: the id is in the index again, but the sweeper has read the record before the retry.
  await rig.redis.zadd(rig.names.live, 1, id);
  const [eraseQueue, notifyQueue] = [openEraseQueue(rig.deployment), openNotifyQueue(rig.deployment)];
  const outbox = new Outbox(rig.deployment, eraseQueue, notifyQueue);
  const log = { warn: () => undefined } as never;
  const sweeper = new Sweeper({ deployment: rig.deployment, queues: new Map(), outbox, expiryMs: 60_000, log });
  await sweeper.sweep(0);
  expect(await rig.redis.zscore(rig.names.live, id)).toBe('1');
  await Promise.all([eraseQueue.close(), notifyQueue.close()]);
});
