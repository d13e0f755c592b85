/** The journal's fence and the rules of intent and outcome, each by the scripts themselves on a real Redis. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../src/domain/history.ts';
import { Journal } from '../../src/runtime/journal.ts';
import {
  ADMISSION,
  DECIDED,
  DETECT,
  entry,
  handOver,
  historyOf,
  intentOf,
  letGo,
  outcomeOf,
  payUnknown,
  REGION,
  settling,
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
    ['nobody: the lock ran out', async () => letGo(rig, id)],
  ])('a worker that lost it to %s writes nothing', async (_who, lose) => {
    const zombie = await take('worker:1', 1);
    expect((await zombie.begin('interactive', 5, ADMISSION)).verdict).toBe('go');
    await lose();
    const before = await rig.redis.hgetall(rig.names.journal(id));
    expect(await zombie.commit('upload', 0, { resources: {} }, entry())).toBe('lost');
    expect(await zombie.handback(handOver)).toBe('lost');
    expect((await zombie.intent(intentOf(randomUUID()))).kind).toBe('lost');
    expect((await zombie.settle(settling)).kind).toBe('lost');
    expect((await zombie.unknown(entry('unknown'))).kind).toBe('lost');
    expect(await zombie.renew(8_000)).toBe('lost');
    expect((await zombie.begin('interactive', 5, ADMISSION)).verdict).toBe('lost');
    expect(await rig.redis.hgetall(rig.names.journal(id))).toEqual(before);
  });

  it('an older generation writes nothing', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    expect(await journal.handback({ ...handOver, rewind: true })).toBe('ok');
    expect(await journal.commit('upload', 0, { resources: {} }, entry())).toBe('lost');
    expect((await journal.intent(intentOf(randomUUID()))).kind).toBe('lost');
    expect(await field('s:upload')).toBeNull();
  });

  it('a repeated script (a reply was dropped) changes nothing again', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await journal.begin('interactive', 5, ADMISSION);
    expect(await field('starts')).toBe('1');
    const same = entry();
    await journal.commit('upload', 0, { resources: {} }, same);
    await journal.commit('upload', 0, { resources: {} }, same);
    expect(await history()).toHaveLength(1);
    const iid = randomUUID();
    expect((await journal.intent(intentOf(iid))).kind).toBe('go');
    expect((await journal.intent(intentOf(iid))).kind).toBe('go');
    expect(await journal.outcome(outcomeOf(iid, DECIDED))).toBe('committed');
    expect(await journal.outcome(outcomeOf(iid, DECIDED))).toBe('again');
    expect(await field('paid')).toBe('1');
    expect(await journal.settle(settling)).toEqual({ kind: 'ok', state: 'completed' });
    expect(await journal.settle(settling)).toEqual({ kind: 'ended', state: 'completed' });
  });
});

describe('at most one paid call for each intent', () => {
  it('declares no second intent while one is open', async () => {
    const journal = await take('worker:1', 1);
    expect((await journal.intent(intentOf('first'))).kind).toBe('go');
    expect((await journal.intent(intentOf('second'))).kind).toBe('open');
  });

  it('declares none after a decision, after the end, after a cancel, past the deadline, or over the bound', async () => {
    const journal = await take('worker:1', 1);
    await rig.redis.hset(rig.names.journal(id), 'paid', 1, 'maybe', 1);
    expect((await journal.intent(intentOf('a'))).kind).toBe('exhausted');
    await rig.redis.hset(rig.names.journal(id), 'paid', 0, 'maybe', 0, 'deadline', 1);
    expect((await journal.intent(intentOf('a'))).kind).toBe('expired');
    await rig.redis.hset(rig.names.journal(id), 'deadline', Date.now() + 60_000);
    expect((await rig.client.cancel(id)).status).toBe('cancelling');
    expect((await journal.intent(intentOf('a'))).kind).toBe('cancel');
    await rig.redis.hdel(rig.names.journal(id), 'cancel');
    await journal.intent(intentOf('a'));
    await journal.outcome(outcomeOf('a', DECIDED));
    expect((await journal.intent(intentOf('b'))).kind).toBe('decided');
    await journal.settle(settling);
    expect((await journal.intent(intentOf('c'))).kind).toBe('ended');
  });

  it('an outcome needs no lock: an answer that was paid for is never thrown away', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent(intentOf('a'));
    await take('other:1', 2);
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect(await field('decision')).toBe('match');
  });

  it('the first decision wins; a later one is in the history only, counted and billed', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent({ ...intentOf('a'), callMs: -1_000 });
    expect((await journal.unknown(entry('unknown'))).kind).toBe('unknown');
    expect(await field('maybe')).toBe('1');
    await journal.intent(intentOf('b'));
    expect(await journal.outcome(outcomeOf('b', DECIDED))).toBe('committed');
    expect(await journal.outcome(outcomeOf('a', { ...DECIDED, decision: 'no_match' }))).toBe('late');
    expect(await field('decision')).toBe('match');
    expect([await field('paid'), await field('maybe')]).toEqual(['2', '0']);
  });

  it('a late answer that decided it is not failed over: whoever comes next goes on from there', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent({ ...intentOf('a'), callMs: -1_000 });
    await journal.unknown(entry('unknown'));
    await journal.outcome(outcomeOf('a', DECIDED));
    expect((await journal.settle({ ...settling, state: 'failed' })).kind).toBe('lost');
    expect(await field('state')).not.toBe('failed');
    const next = await (await take('worker:2', 2)).begin('interactive', 5, ADMISSION);
    expect(next).toMatchObject({ verdict: 'go', record: { decision: 'match' } });
  });

  it('a late answer that decided it is not uploaded again: a rewind comes too late', async () => {
    const journal = await take('worker:1', 1);
    await journal.commit('upload', 0, { resources: {} }, entry());
    await payUnknown(journal, 'a');
    await journal.intent(intentOf('b'));
    await journal.outcome(outcomeOf('b', null));
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect(await journal.handback({ ...handOver, rewind: true })).toBe('lost');
    expect([await field('gen'), await field('s:upload')]).toEqual(['0', JSON.stringify({ resources: {} })]);
  });

  it('a decision takes the place of the reason of an earlier wait', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await journal.handback(handOver);
    expect(await field('reason')).toContain('TIMEOUT');
    const again = await take('worker:1', 2);
    await again.intent(intentOf('a'));
    const reason = { code: 'FailedOperation.ActionLightDark', class: 'rejected' };
    const decided = { ...DECIDED, decision: 'recapture', result: reason.code } as const;
    await again.outcome({ ...outcomeOf('a', decided), reason });
    expect(await rig.client.get(id)).toMatchObject({ decision: 'recapture', next: 'recapture', reason });
  });

  it('an unknown intent that is answered after all, before anybody called again, decides', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent({ ...intentOf('a'), callMs: -1_000 });
    await journal.unknown(entry('unknown'));
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect([await field('paid'), await field('maybe')]).toEqual(['1', '0']);
  });

  it('after a rewind, an answer of the older generation is late', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent({ ...intentOf('a'), callMs: -1_000 });
    await journal.unknown(entry('unknown'));
    await journal.handback({ ...handOver, rewind: true });
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('late');
    expect(await field('decision')).toBeNull();
    expect(await field('paid')).toBe('1');
  });

  it('an outcome that is sent again is known, though other calls were answered in the meantime', async () => {
    const journal = await take('worker:1', 1);
    await payUnknown(journal, 'a');
    await payUnknown(journal, 'b');
    await journal.handback({ ...handOver, rewind: true });
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('late');
    const throttled = { ...outcomeOf('b', null), penaltyMs: 1 };
    expect(await journal.outcome(throttled)).toBe('closed');
    const before = await rig.redis.hgetall(rig.names.journal(id));
    const { gate } = rig.names.gate(REGION, DETECT);
    const pace = await rig.redis.hget(gate, 'pace');
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('again');
    expect(await journal.outcome(throttled)).toBe('again');
    expect(await rig.redis.hgetall(rig.names.journal(id))).toEqual(before);
    expect(await rig.redis.hget(gate, 'pace')).toBe(pace);
    expect(await field('paid')).toBe('1');
  });

  it('after the end, and where there is no journal, nothing is overwritten or made', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent(intentOf('a'));
    await journal.settle({ ...settling, state: 'failed' });
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('late');
    expect(await field('state')).toBe('failed');
    await rig.redis.del(rig.names.journal(id));
    expect(await journal.outcome(outcomeOf('b', DECIDED))).toBe('orphan');
    expect(await rig.redis.exists(rig.names.journal(id))).toBe(0);
    expect(await rig.redis.hget(rig.names.counters, 'orphanOutcomes')).toBe('1');
  });

  it('late, after a cancel: in the history, billed, and nothing else', async () => {
    const journal = await take('worker:1', 1);
    await journal.begin('interactive', 5, ADMISSION);
    await payUnknown(journal, 'a');
    await letGo(rig, id);
    expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
    expect(await journal.outcome({ ...outcomeOf('a', DECIDED), entry: { ...entry(), billed: true } })).toBe('late');
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

  it('a call that provably never left closes its intent unpaid, and another may follow', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent(intentOf('a'));
    const unsent = { ...outcomeOf('a', null), sent: false, entry: entry('unsent') };
    expect(await journal.outcome(unsent)).toBe('closed');
    expect(await rig.client.get(id)).toMatchObject({ decision: null, paidCalls: 0, possiblyPaidCalls: 0 });
    expect(await history()).toMatchObject([{ event: 'unsent' }]);
    // As often as it takes: what was not sent is not counted against the most that may be paid.
    for (const iid of ['b', 'c', 'd']) {
      expect((await journal.intent(intentOf(iid))).kind).toBe('go');
      expect(await journal.outcome({ ...unsent, iid })).toBe('closed');
    }
  });

  it('late, after it was erased: what is left is a tombstone, and no writer adds to it', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent(intentOf('a'));
    const key = rig.names.journal(id);
    await rig.redis.multi().del(key, rig.names.history(id)).hset(key, 'erased', 1).exec();
    const orphans = async () => Number(await rig.redis.hget(rig.names.counters, 'orphanOutcomes'));
    const before = await orphans();
    expect(await journal.outcome(outcomeOf('a', DECIDED))).toBe('orphan');
    expect(await orphans()).toBe(before + 1);
    expect((await journal.begin('interactive', 5, ADMISSION)).verdict).toBe('missing');
    expect(await journal.commit('upload', 0, { resources: {} }, entry())).toBe('ended');
    expect((await journal.intent(intentOf('b'))).kind).toBe('ended');
    expect((await journal.unknown(entry('unknown'))).kind).toBe('ended');
    expect(await journal.handback(handOver)).toBe('ended');
    expect(await journal.hold(0, handOver.reason, 60_000, entry('held'))).toBe('ended');
    expect(await journal.settle(settling)).toEqual({ kind: 'ended', state: null });
    expect((await rig.client.cancel(id)).status).toBe('missing');
    expect(await rig.redis.hgetall(key)).toEqual({ erased: '1' });
    expect(await history()).toEqual([]);
  });

  it('an error answer closes the intent unbilled, and another may follow', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent(intentOf('a'));
    expect(await journal.outcome(outcomeOf('a', null))).toBe('closed');
    expect(await field('paid')).toBeNull();
    expect((await journal.intent(intentOf('b'))).kind).toBe('go');
  });

  it('an intent is not unknown before its deadline', async () => {
    const journal = await take('worker:1', 1);
    await journal.intent({ ...intentOf('a'), callMs: 60_000 });
    const { kind, leftMs } = await journal.unknown(entry('unknown'));
    expect(kind).toBe('open');
    expect(leftMs).toBeGreaterThan(50_000);
  });
});

describe('the preamble', () => {
  it('counts crashes: starts that were not handed back, and no others', async () => {
    for (let ats = 1; ats <= 3; ats += 1) {
      const journal = await take('worker:1', ats);
      expect((await journal.begin('interactive', 2, ADMISSION)).verdict).toBe('go');
      await journal.handback(handOver);
    }
    for (let ats = 4; ats <= 5; ats += 1) {
      const journal = await take('worker:1', ats);
      expect((await journal.begin('interactive', 2, ADMISSION)).verdict).toBe('go');
    }
    const journal = await take('worker:1', 6);
    expect((await journal.begin('interactive', 2, ADMISSION)).verdict).toBe('poison');
  });

  it('says wait, expired, held, terminal and missing', async () => {
    const journal = await take('worker:1', 1);
    await journal.handback({ ...handOver, delayMs: 30_000 });
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

  it('what nobody decided in time fails, though a worker dies over it or its reply is dropped', async () => {
    const first = await take('worker:1', 1);
    await first.begin('interactive', 5, ADMISSION);
    await payUnknown(first, 'a');
    await first.hold(0, handOver.reason, 0, entry('held'));
    const died = await take('worker:1', 2);
    expect((await died.begin('interactive', 5, ADMISSION)).verdict).toBe('unheld');
    expect((await died.begin('interactive', 5, ADMISSION)).verdict).toBe('unheld');
    const next = await take('worker:2', 3);
    expect((await next.begin('interactive', 5, ADMISSION)).verdict).toBe('unheld');
    // Unless an answer has come in the meantime.
    expect(await next.outcome(outcomeOf('a', DECIDED))).toBe('committed');
    expect((await next.settle({ ...settling, state: 'failed' })).kind).toBe('lost');
    expect((await (await take('worker:1', 4)).begin('interactive', 5, ADMISSION)).verdict).toBe('go');
  });
});

it('a held one is nobody’s: cancel ends it, though the lock of who set it aside is still there', async () => {
  const journal = await take('worker:1', 1);
  await journal.begin('interactive', 5, ADMISSION);
  await journal.hold(0, handOver.reason, 60_000, entry('held'));
  expect(await rig.client.cancel(id)).toEqual({ status: 'cancelled', state: 'cancelled' });
  expect(await rig.redis.zscore(rig.names.held, id)).toBeNull();
});

it('a person may accept the answer that came too late, and it decides as the vendor said', async () => {
  const BY = { by: 'maria', why: 'looked at the bill' };
  const reason = { code: 'OUTCOME_UNKNOWN', class: 'transient' };
  const decided = { ...DECIDED, decision: 'no_match', similarity: 12 } as const;
  const first = await take('worker:1', 1);
  await first.begin('interactive', 5, ADMISSION);
  await payUnknown(first, 'a');
  expect(await first.hold(0, reason, 60_000, entry('held'))).toBe('ok');
  await letGo(rig, id);
  expect(await rig.client.resolve(id, 'accept-late', BY)).toEqual({ status: 'nothing late', state: 'held' });
  expect(await rig.client.resolve(id, 'rewind', BY)).toEqual({ status: 'pay again', state: 'held' });
  expect(await rig.client.resolve(id, 'rewind', { ...BY, payAgain: true })).toEqual({ status: 'ok', state: 'delayed' });

  const second = await take('worker:2', 2);
  expect(await second.begin('interactive', 5, ADMISSION)).toMatchObject({ verdict: 'go', record: { generation: 1 } });
  expect(await first.outcome(outcomeOf('a', decided))).toBe('late');
  expect(await rig.client.get(id)).toMatchObject({ state: 'active', decision: null, lateAnswer: true, paidCalls: 1 });
  expect(await second.hold(1, reason, 60_000, entry('held'))).toBe('ok');
  await letGo(rig, id);
  expect(await rig.client.resolve(id, 'accept-late', BY)).toEqual({ status: 'ok', state: 'delayed' });

  const third = await take('worker:1', 3);
  expect((await third.begin('interactive', 5, ADMISSION)).verdict).toBe('go');
  expect((await third.intent(intentOf('b', 1))).kind).toBe('decided');
  expect(await third.settle({ ...settling, generation: 1 })).toEqual({ kind: 'ok', state: 'completed' });
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

it('the end and its follow-ups are one step: who dies right after it leaves them to the sweeper', async () => {
  const journal = await take('worker:1', 1);
  const followUps = {
    erase: { id, region: REGION, action: 'DetectReflectLivenessAndCompare', generations: 1 },
  } as const;
  await journal.settle({ ...settling, followUps });
  expect(JSON.parse((await rig.redis.hget(rig.names.outbox, id)) ?? '')).toEqual(followUps);
  await rig.redis.hdel(rig.names.outbox, id);
});

describe('admission', () => {
  it('holds batch to its capacity, lets interactive pass, and no batch one while an interactive one stands there', async () => {
    const names = rig.names.gate('ap-bangkok', 'DetectReflectLivenessAndCompare');
    const job = rig.names.job('ap-bangkok', 'x');
    const one = (who: string) => new Journal(rig.redis, rig.names, who, { token: 't', ats: 1 }, job, names, 1_000);
    const two = { capacity: 2, holdMs: 60_000 };
    expect((await one('b1').admit('batch', two)).waitMs).toBe(0);
    await rig.redis.zadd(names.express, Date.now() + 60_000, 'i1');
    expect((await one('b2').admit('batch', two)).waitMs).toBeGreaterThan(0);
    expect((await one('i1').admit('interactive', two)).waitMs).toBe(0);
    expect((await one('b2').admit('batch', two)).waitMs).toBeGreaterThan(0); // both places are taken
    expect((await one('i2').admit('interactive', two)).waitMs).toBe(0);
    await rig.redis.zrem(names.admitted, 'b1', 'i1');
    expect((await one('b2').admit('batch', two)).waitMs).toBe(0);
    expect((await one('b2').admit('batch', two)).waitMs).toBe(0); // who is in stays in
    expect((await one('b3').admit('batch', two)).waitMs).toBeGreaterThan(0);
  });

  it('of batch waits for an interactive one that is given no slot for so long only as somebody is admitted', async () => {
    const names = rig.names.gate('ap-bangkok', 'VideoLivenessCompare');
    const job = rig.names.job('ap-bangkok', 'x');
    const one = (who: string) => new Journal(rig.redis, rig.names, who, { token: 't', ats: 1 }, job, names, 1_000);
    const two = { capacity: 2, holdMs: 60_000 };
    await rig.redis.zadd(names.express, Date.now() + 15_000, 'just-claimed');
    expect((await one('b1').admit('batch', two)).waitMs).toBeGreaterThan(0);
    await rig.redis.zadd(names.express, Date.now() + 9_900, 'no-slot');
    expect((await one('b1').admit('batch', two)).waitMs).toBe(0);
    expect((await one('b2').admit('batch', two)).waitMs).toBeGreaterThan(0);
    await rig.redis.zrem(names.admitted, 'b1');
    expect((await one('b2').admit('batch', two)).waitMs).toBe(0);
  });

  it('is renewed with the lease, and given up with it: the dead keep nobody out who has taken their slots', async () => {
    const gate = rig.names.gate('ap-hongkong', 'DetectReflectLivenessAndCompare');
    const attempt = async (id: string) => {
      const job = rig.names.job('ap-hongkong', id);
      await rig.redis.set(job.lock, 't', 'PX', 60_000);
      await rig.redis.hset(job.job, 'ats', 1);
      return new Journal(rig.redis, rig.names, id, { token: 't', ats: 1 }, job, gate, 1_000);
    };
    const [dead, alive, next] = [await attempt('dead'), await attempt('alive'), await attempt('next')];
    const two = { capacity: 2, holdMs: 300 };
    expect((await dead.admit('batch', two)).waitMs).toBe(0);
    expect((await alive.admit('batch', two)).waitMs).toBe(0);
    expect(await alive.renew(60_000)).toBe('ok');
    await expect.poll(async () => (await next.admit('batch', two)).waitMs).toBe(0);
    expect(await rig.redis.zrange(gate.admitted, '0', '-1')).toEqual(['next', 'alive']);
    // Who was never admitted is not by a renewal.
    expect(await dead.renew(60_000)).toBe('ok');
    expect(await rig.redis.zscore(gate.admitted, 'dead')).toBeNull();
  });
});
