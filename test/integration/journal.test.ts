/** Tests the journal's fence and its rules for intents and outcomes, with the scripts on a real Redis. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../src/domain/verification/history.ts';
import { Journal } from '../../src/pipeline/journal.ts';
import {
  ADMISSION,
  DECIDED,
  DETECT,
  entry,
  historyOf,
  intentOf,
  outcomeOf,
  payUnknown,
  REGION,
  REQUEUE,
  releaseLock,
  SETTLE,
  take as takeJob,
} from '../support/attempts.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let id: string;
let count = 0;

beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.dispose());
beforeEach(async () => {
  count += 1;
  id = (await rig.client.enqueue(await rig.request(`journal-${count}`))).id;
});

const take = (token: string, ats: number): Promise<Journal> => takeJob(rig, id, token, ats);
const history = (): Promise<HistoryEntry[]> => historyOf(rig, id);

async function field(name: string): Promise<string | null> {
  return rig.redis.hget(rig.names.journal(id), name);
}

describe('the fence', () => {
  it.each([
    ['another token', async () => take('other:1', 1)],
    ['the same token in a later attempt', async () => take('worker:1', 2)],
    ['expiry', async () => releaseLock(rig, id)],
  ])('rejects every write of a worker that lost its lock to %s', async (_cause, lose) => {
    const zombie = await take('worker:1', 1);
    expect((await zombie.begin('interactive', 5, ADMISSION)).verdict).toBe('go');
    await lose();
    const before = await rig.redis.hgetall(rig.names.journal(id));
    expect(await zombie.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: entry() })).toBe(
      'lost',
    );
    expect(await zombie.requeue(REQUEUE)).toBe('lost');
    expect((await zombie.declareIntent(intentOf(randomUUID()))).kind).toBe('lost');
    expect((await zombie.settle(SETTLE)).kind).toBe('lost');
    expect((await zombie.markOutcomeUnknown(entry('unknown'))).kind).toBe('lost');
    expect(await zombie.renew(8_000)).toBe('lost');
    expect((await zombie.begin('interactive', 5, ADMISSION)).verdict).toBe('lost');
    expect(await rig.redis.hgetall(rig.names.journal(id))).toEqual(before);
  });

  it('rejects writes of an older generation', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    expect(await journal.requeue({ ...REQUEUE, rewind: true })).toBe('ok');
    expect(await journal.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: entry() })).toBe(
      'lost',
    );
    expect((await journal.declareIntent(intentOf(randomUUID()))).kind).toBe('lost');
    expect(await field('s:upload')).toBeNull();
  });

  it('changes nothing when a script is sent again after a lost reply', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await journal.begin('interactive', 5, ADMISSION);
    expect(await field('starts')).toBe('1');
    const same = entry();
    await journal.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: same });
    await journal.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: same });
    expect(await history()).toHaveLength(1);
    const iid = randomUUID();
    expect((await journal.declareIntent(intentOf(iid))).kind).toBe('go');
    expect((await journal.declareIntent(intentOf(iid))).kind).toBe('go');
    expect(await journal.recordOutcome(outcomeOf(iid, DECIDED))).toBe('committed');
    expect(await journal.recordOutcome(outcomeOf(iid, DECIDED))).toBe('again');
    expect(await field('paid')).toBe('1');
    expect(await journal.settle(SETTLE)).toEqual({ kind: 'ok', state: 'completed' });
    expect(await journal.settle(SETTLE)).toEqual({ kind: 'ended', state: 'completed' });
  });
});

describe('at most one paid call for each intent', () => {
  it('rejects a second intent while one is open', async () => {
    const journal = await take('worker:1', 1);
    expect((await journal.declareIntent(intentOf('first'))).kind).toBe('go');
    expect((await journal.declareIntent(intentOf('second'))).kind).toBe('open');
  });

  it('rejects an intent over the maximum, past the deadline, and after a cancel, a decision or the end', async () => {
    const journal = await take('worker:1', 1);
    await rig.redis.hset(rig.names.journal(id), 'paid', 1, 'maybe', 1);
    expect((await journal.declareIntent(intentOf('a'))).kind).toBe('exhausted');
    await rig.redis.hset(rig.names.journal(id), 'paid', 0, 'maybe', 0, 'deadline', 1);
    expect((await journal.declareIntent(intentOf('a'))).kind).toBe('expired');
    await rig.redis.hset(rig.names.journal(id), 'deadline', Date.now() + 60_000);
    expect((await rig.client.cancel(id)).status).toBe('cancelling');
    expect((await journal.declareIntent(intentOf('a'))).kind).toBe('cancel');
    await rig.redis.hdel(rig.names.journal(id), 'cancel');
    await journal.declareIntent(intentOf('a'));
    await journal.recordOutcome(outcomeOf('a', DECIDED));
    expect((await journal.declareIntent(intentOf('b'))).kind).toBe('decided');
    await journal.settle(SETTLE);
    expect((await journal.declareIntent(intentOf('c'))).kind).toBe('ended');
  });

  it('records an outcome without the lock, so that a paid answer is never lost', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent(intentOf('a'));
    await take('other:1', 2);
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect(await field('decision')).toBe('match');
  });

  it('keeps the first decision, and only counts the payment of a later one', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent({ ...intentOf('a'), callMs: -1_000 });
    expect((await journal.markOutcomeUnknown(entry('unknown'))).kind).toBe('unknown');
    expect(await field('maybe')).toBe('1');
    await journal.declareIntent(intentOf('b'));
    expect(await journal.recordOutcome(outcomeOf('b', DECIDED))).toBe('committed');
    expect(await journal.recordOutcome(outcomeOf('a', { ...DECIDED, decision: 'no_match' }))).toBe('late');
    expect(await field('decision')).toBe('match');
    expect([await field('paid'), await field('maybe')]).toEqual(['2', '0']);
  });

  it('does not fail a verification that a late answer decided: the next attempt continues from there', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent({ ...intentOf('a'), callMs: -1_000 });
    await journal.markOutcomeUnknown(entry('unknown'));
    await journal.recordOutcome(outcomeOf('a', DECIDED));
    expect((await journal.settle({ ...SETTLE, state: 'failed' })).kind).toBe('lost');
    expect(await field('state')).not.toBe('failed');
    const next = await (await take('worker:2', 2)).begin('interactive', 5, ADMISSION);
    expect(next).toMatchObject({ verdict: 'go', record: { decision: 'match' } });
  });

  it('rejects a rewind after a late answer has decided', async () => {
    const journal = await take('worker:1', 1);
    await journal.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: entry() });
    await payUnknown(journal, 'a');
    await journal.declareIntent(intentOf('b'));
    await journal.recordOutcome(outcomeOf('b', null));
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect(await journal.requeue({ ...REQUEUE, rewind: true })).toBe('lost');
    expect([await field('gen'), await field('s:upload')]).toEqual(['0', JSON.stringify({ resources: {} })]);
  });

  it('replaces the reason of an earlier delay with the reason of the decision', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await journal.requeue(REQUEUE);
    expect(await field('reason')).toContain('TIMEOUT');
    const again = await take('worker:1', 2);
    await again.declareIntent(intentOf('a'));
    const reason = { code: 'FailedOperation.ActionLightDark', class: 'rejected' };
    const decided = { ...DECIDED, decision: 'recapture', result: reason.code } as const;
    await again.recordOutcome({ ...outcomeOf('a', decided), reason });
    expect(await rig.client.get(id)).toMatchObject({ decision: 'recapture', next: 'recapture', reason });
  });

  it('accepts the late answer of an unknown intent as the decision if no other call was made', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent({ ...intentOf('a'), callMs: -1_000 });
    await journal.markOutcomeUnknown(entry('unknown'));
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect([await field('paid'), await field('maybe')]).toEqual(['1', '0']);
  });

  it('treats an answer of the generation before a rewind as late', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent({ ...intentOf('a'), callMs: -1_000 });
    await journal.markOutcomeUnknown(entry('unknown'));
    await journal.requeue({ ...REQUEUE, rewind: true });
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('late');
    expect(await field('decision')).toBeNull();
    expect(await field('paid')).toBe('1');
  });

  it('recognises a repeated outcome, even after the outcomes of other calls', async () => {
    const journal = await take('worker:1', 1);
    await payUnknown(journal, 'a');
    await payUnknown(journal, 'b');
    await journal.requeue({ ...REQUEUE, rewind: true });
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('late');
    const throttled = { ...outcomeOf('b', null), restMs: 1 };
    expect(await journal.recordOutcome(throttled)).toBe('closed');
    const before = await rig.redis.hgetall(rig.names.journal(id));
    const { gate } = rig.names.gate(REGION, DETECT);
    const pace = await rig.redis.hget(gate, 'pace');
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('again');
    expect(await journal.recordOutcome(throttled)).toBe('again');
    expect(await rig.redis.hgetall(rig.names.journal(id))).toEqual(before);
    expect(await rig.redis.hget(gate, 'pace')).toBe(pace);
    expect(await field('paid')).toBe('1');
  });

  it('does not overwrite an ended journal, and does not create a missing one', async () => {
    await rig.redis.hdel(rig.names.counters, 'orphanOutcomes');
    const journal = await take('worker:1', 1);
    await journal.declareIntent(intentOf('a'));
    await journal.settle({ ...SETTLE, state: 'failed' });
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('late');
    expect(await field('state')).toBe('failed');
    await rig.redis.del(rig.names.journal(id));
    expect(await journal.recordOutcome(outcomeOf('b', DECIDED))).toBe('orphan');
    expect(await rig.redis.exists(rig.names.journal(id))).toBe(0);
    expect(await rig.redis.hget(rig.names.counters, 'orphanOutcomes')).toBe('1');
  });

  it('records a late answer after a cancel in the history and as paid, and changes nothing else', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await payUnknown(journal, 'a');
    await releaseLock(rig, id);
    expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
    expect(await journal.recordOutcome({ ...outcomeOf('a', DECIDED), entry: { ...entry(), billed: true } })).toBe(
      'late',
    );
    expect(await rig.client.get(id)).toMatchObject({
      state: 'cancelled',
      next: 'investigate',
      decision: null,
      lateAnswer: false,
      paidCalls: 1,
      possiblyPaidCalls: 0,
    });
    expect((await history()).at(-1)).toMatchObject({ event: 'done', billed: true });
  });

  it('closes the intent of an unsent call unpaid, and allows another call', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent(intentOf('a'));
    const unsent = { ...outcomeOf('a', null), sent: false, entry: entry('unsent') };
    expect(await journal.recordOutcome(unsent)).toBe('closed');
    expect(await rig.client.get(id)).toMatchObject({ decision: null, paidCalls: 0, possiblyPaidCalls: 0 });
    expect(await history()).toMatchObject([{ event: 'unsent' }]);
    // Unsent calls do not count against the maximum of payments, however many there are.
    for (const iid of ['b', 'c', 'd']) {
      expect((await journal.declareIntent(intentOf(iid))).kind).toBe('go');
      expect(await journal.recordOutcome({ ...unsent, intentId: iid })).toBe('closed');
    }
  });

  it('drops a late answer after erasure, and no script writes to the tombstone', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent(intentOf('a'));
    const key = rig.names.journal(id);
    await rig.redis.multi().del(key, rig.names.history(id)).hset(key, 'erased', 1).exec();
    const orphans = async () => Number(await rig.redis.hget(rig.names.counters, 'orphanOutcomes'));
    const before = await orphans();
    expect(await journal.recordOutcome(outcomeOf('a', DECIDED))).toBe('orphan');
    expect(await orphans()).toBe(before + 1);
    expect((await journal.begin('interactive', 5, ADMISSION)).verdict).toBe('missing');
    expect(await journal.commit({ stage: 'upload', generation: 0, outcome: { resources: {} }, entry: entry() })).toBe(
      'ended',
    );
    expect((await journal.declareIntent(intentOf('b'))).kind).toBe('ended');
    expect((await journal.markOutcomeUnknown(entry('unknown'))).kind).toBe('ended');
    expect(await journal.requeue(REQUEUE)).toBe('ended');
    expect(await journal.hold({ generation: 0, reason: REQUEUE.reason, holdMs: 60_000, entry: entry('held') })).toBe(
      'ended',
    );
    expect(await journal.settle(SETTLE)).toEqual({ kind: 'ended', state: null });
    expect((await rig.client.cancel(id)).status).toBe('missing');
    expect(await rig.redis.hgetall(key)).toEqual({ erased: '1' });
    expect(await history()).toEqual([]);
  });

  it('closes the intent of an error answer unpaid, and allows another call', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent(intentOf('a'));
    expect(await journal.recordOutcome(outcomeOf('a', null))).toBe('closed');
    expect(await field('paid')).toBeNull();
    expect((await journal.declareIntent(intentOf('b'))).kind).toBe('go');
  });

  it('counts a call without an outcome as possibly paid, also when the verification ends before the answer', async () => {
    const journal = await take('worker:1', 1);
    const calls = async () => {
      const view = await rig.client.get(id);
      return [view?.paidCalls, view?.possiblyPaidCalls];
    };
    await journal.declareIntent(intentOf('a'));
    expect(await calls()).toEqual([0, 1]);
    await journal.settle({ ...SETTLE, state: 'failed' });
    expect(await calls()).toEqual([0, 1]);
    await journal.recordOutcome(outcomeOf('a', DECIDED));
    expect(await calls()).toEqual([1, 0]);
  });

  it('does not mark an intent as unknown before the end of its call time', async () => {
    const journal = await take('worker:1', 1);
    await journal.declareIntent({ ...intentOf('a'), callMs: 60_000 });
    const answer = await journal.markOutcomeUnknown(entry('unknown'));
    expect(answer.kind === 'open' && answer.leftMs > 50_000).toBe(true);
  });
});

describe('the start of an attempt', () => {
  it('counts only runs that were alone in their process when it died', async () => {
    const begin = async (ats: number) => {
      const journal = await take('worker:1', ats);
      return { journal, start: await journal.begin('interactive', 2, ADMISSION) };
    };
    // None of these attempts was alone in its process.
    for (let ats = 1; ats <= 6; ats += 1) expect((await begin(ats)).start.verdict).toBe('go');
    const handedBack = await begin(7);
    expect(handedBack.start.record?.unreportedRuns).toBe(7);
    await handedBack.journal.markAlone();
    await handedBack.journal.requeue(REQUEUE);
    for (let ats = 8; ats <= 9; ats += 1) {
      const { journal, start } = await begin(ats);
      expect(start.verdict).toBe('go');
      expect(await journal.markAlone()).toBe('ok');
    }
    expect((await begin(10)).start.verdict).toBe('poison');
  });

  it('answers wait, expired, held, terminal and missing', async () => {
    const journal = await take('worker:1', 1);
    await journal.requeue({ ...REQUEUE, delayMs: 30_000 });
    const waiting = await (await take('worker:1', 2)).begin('interactive', 5, ADMISSION);
    expect(waiting.verdict).toBe('wait');
    expect(waiting.waitMs).toBeGreaterThan(25_000);
    await rig.redis.hset(rig.names.journal(id), 'notBefore', 0, 'deadline', 1);
    expect((await journal.begin('interactive', 5, ADMISSION)).verdict).toBe('lost');
    const later = await take('worker:1', 3);
    expect((await later.begin('interactive', 5, ADMISSION)).verdict).toBe('expired');
    await rig.redis.hset(rig.names.journal(id), 'state', 'held', 'heldUntil', Date.now() + 60_000);
    expect((await later.begin('interactive', 5, ADMISSION)).verdict).toBe('held');
    await rig.redis.hset(rig.names.journal(id), 'state', 'completed');
    expect((await later.begin('interactive', 5, ADMISSION)).verdict).toBe('terminal');
    await rig.redis.del(rig.names.journal(id));
    expect((await later.begin('interactive', 5, ADMISSION)).verdict).toBe('missing');
  });

  it('answers hold_expired after the holding time, even if a worker has died or a reply was lost', async () => {
    const first = await take('worker:1', 1);
    await first.begin('interactive', 5, ADMISSION);
    await payUnknown(first, 'a');
    await first.hold({ generation: 0, reason: REQUEUE.reason, holdMs: 0, entry: entry('held') });
    const died = await take('worker:1', 2);
    expect((await died.begin('interactive', 5, ADMISSION)).verdict).toBe('hold_expired');
    expect((await died.begin('interactive', 5, ADMISSION)).verdict).toBe('hold_expired');
    const next = await take('worker:2', 3);
    expect((await next.begin('interactive', 5, ADMISSION)).verdict).toBe('hold_expired');
    // A late answer brings a decision, so the verification can no longer be settled as failed.
    expect(await next.recordOutcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect((await next.settle({ ...SETTLE, state: 'failed' })).kind).toBe('lost');
    expect((await (await take('worker:1', 4)).begin('interactive', 5, ADMISSION)).verdict).toBe('go');
  });
});

it('cancel ends a held verification, even if the lock of its last worker still exists', async () => {
  const journal = await take('worker:1', 1);
  await journal.begin('interactive', 5, ADMISSION);
  await journal.hold({ generation: 0, reason: REQUEUE.reason, holdMs: 60_000, entry: entry('held') });
  expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
  expect(await rig.redis.zscore(rig.names.held, id)).toBeNull();
});

it('an operator can accept a late answer, and the verification ends with the vendor’s decision', async () => {
  const BY = { by: 'maria', why: 'looked at the bill' };
  const reason = { code: 'OUTCOME_UNKNOWN', class: 'transient' };
  const decided = { ...DECIDED, decision: 'no_match', similarity: 12 } as const;
  const first = await take('worker:1', 1);
  await first.begin('interactive', 5, ADMISSION);
  await payUnknown(first, 'a');
  expect(await first.hold({ generation: 0, reason, holdMs: 60_000, entry: entry('held') })).toBe('ok');
  await releaseLock(rig, id);
  expect(await rig.client.resolve(id, 'accept-late', BY)).toEqual({ status: 'nothing_late', state: 'held' });
  expect(await rig.client.resolve(id, 'rewind', BY)).toEqual({ status: 'pay_again', state: 'held' });
  expect(await rig.client.resolve(id, 'rewind', { ...BY, payAgain: true })).toEqual({ status: 'ok', state: 'delayed' });

  const second = await take('worker:2', 2);
  expect(await second.begin('interactive', 5, ADMISSION)).toMatchObject({ verdict: 'go', record: { generation: 1 } });
  expect(await first.recordOutcome(outcomeOf('a', decided))).toBe('late');
  expect(await rig.client.get(id)).toMatchObject({ state: 'active', decision: null, lateAnswer: true, paidCalls: 1 });
  expect(await second.hold({ generation: 1, reason, holdMs: 60_000, entry: entry('held') })).toBe('ok');
  await releaseLock(rig, id);
  expect(await rig.client.resolve(id, 'accept-late', BY)).toEqual({ status: 'ok', state: 'delayed' });

  const third = await take('worker:1', 3);
  expect((await third.begin('interactive', 5, ADMISSION)).verdict).toBe('go');
  expect((await third.declareIntent(intentOf('b', 1))).kind).toBe('decided');
  expect(await third.settle({ ...SETTLE, generation: 1 })).toEqual({ kind: 'ok', state: 'completed' });
  expect(await rig.client.get(id)).toMatchObject({
    state: 'completed',
    decision: 'no_match',
    similarity: 12,
    decidedBy: 'maria',
    lateAnswer: false,
    paidCalls: 1,
    possiblyPaidCalls: 0,
  });
});

it('settling writes the follow-ups to the outbox in the same step, so that the sweeper finds them after a crash', async () => {
  const journal = await take('worker:1', 1);
  const followUps = {
    erase: { id, region: REGION, action: 'DetectReflectLivenessAndCompare', generations: 1 },
  } as const;
  await journal.settle({ ...SETTLE, followUps });
  expect(JSON.parse((await rig.redis.hget(rig.names.outbox, id)) ?? '')).toEqual(followUps);
  await rig.redis.hdel(rig.names.outbox, id);
});

describe('admission', () => {
  it('limits batch to its capacity, lets interactive pass, and blocks batch while an interactive one waits', async () => {
    const names = rig.names.gate('ap-bangkok', 'DetectReflectLivenessAndCompare');
    const action = 'DetectReflectLivenessAndCompare';
    const one = (id: string) =>
      new Journal(rig.deployment, { id, region: 'ap-bangkok', action, token: 't', ats: 1 }, 1_000);
    const two = { capacity: 2, holdMs: 60_000 };
    expect((await one('b1').askAdmission('batch', two)).waitMs).toBe(0);
    await rig.redis.zadd(names.express, Date.now() + 60_000, 'i1');
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBeGreaterThan(0);
    expect((await one('i1').askAdmission('interactive', two)).waitMs).toBe(0);
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBeGreaterThan(0); // the capacity of 2 is used up
    expect((await one('i2').askAdmission('interactive', two)).waitMs).toBe(0);
    await rig.redis.zrem(names.admitted, 'b1', 'i1');
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBe(0);
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBe(0); // an admitted verification stays admitted
    expect((await one('b3').askAdmission('batch', two)).waitMs).toBeGreaterThan(0);
  });

  it('lets batch pass an interactive verification that has no slot, if nothing else is admitted', async () => {
    const names = rig.names.gate('ap-bangkok', 'VideoLivenessCompare');
    const action = 'VideoLivenessCompare';
    const one = (id: string) =>
      new Journal(rig.deployment, { id, region: 'ap-bangkok', action, token: 't', ats: 1 }, 1_000);
    const two = { capacity: 2, holdMs: 60_000 };
    await rig.redis.zadd(names.express, Date.now() + 15_000, 'just-claimed');
    expect((await one('b1').askAdmission('batch', two)).waitMs).toBeGreaterThan(0);
    await rig.redis.zadd(names.express, Date.now() + 9_900, 'no-slot');
    expect((await one('b1').askAdmission('batch', two)).waitMs).toBe(0);
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBeGreaterThan(0);
    await rig.redis.zrem(names.admitted, 'b1');
    expect((await one('b2').askAdmission('batch', two)).waitMs).toBe(0);
  });

  it('is renewed with the lease and expires with it, so that a dead worker does not block others', async () => {
    const gate = rig.names.gate('ap-hongkong', 'DetectReflectLivenessAndCompare');
    const attempt = async (id: string) => {
      const job = rig.names.job('ap-hongkong', id);
      await rig.redis.set(job.lock, 't', 'PX', 60_000);
      await rig.redis.hset(job.job, 'ats', 1);
      return new Journal(rig.deployment, { id, region: 'ap-hongkong', action: DETECT, token: 't', ats: 1 }, 1_000);
    };
    const [dead, alive, next] = [await attempt('dead'), await attempt('alive'), await attempt('next')];
    const two = { capacity: 2, holdMs: 300 };
    expect((await dead.askAdmission('batch', two)).waitMs).toBe(0);
    expect((await alive.askAdmission('batch', two)).waitMs).toBe(0);
    expect(await alive.renew(60_000)).toBe('ok');
    await expect.poll(async () => (await next.askAdmission('batch', two)).waitMs).toBe(0);
    expect(await rig.redis.zrange(gate.admitted, '0', '-1')).toEqual(['next', 'alive']);
    // A renewal does not restore an admission that has expired.
    expect(await dead.renew(60_000)).toBe('ok');
    expect(await rig.redis.zscore(gate.admitted, 'dead')).toBeNull();
  });
});
