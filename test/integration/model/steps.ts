/**
 * The steps of a random sequence: everything that workers, zombies, the vendor, a caller, an operator, the sweeper and time can
 * do to a verification. Each step runs the script and the model, and compares their answers. A worker behaves as in the product:
 * only the answer of a script shows the worker that it has lost its lock.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { HeldChoice } from '../../../src/domain/operations/held.ts';
import { DECISIONS } from '../../../src/domain/verification/states.ts';
import type { Journal } from '../../../src/pipeline/journal.ts';
import { notification } from '../../../src/redis/notify-queue.ts';
import { type Attempt, type Call, CRASH_BUDGET, MAX_PAYMENTS, type Model, OUTCOMES_KNOWN, type Said } from './model.ts';
import { ENTRY, HOUR_MS, KEEP, OPERATOR, type World } from './world.ts';

const ADMISSION = { capacity: 1_000_000, holdMs: HOUR_MS };
const PACKAGE = { digest: 'package', ttlMs: HOUR_MS, refuseReuse: false, photoRetries: 3 };
const REASON = { code: 'TIMEOUT', class: 'transient' };

const seldom = fc.nat(9).map((n) => n === 9);
const billed = fc.constantFrom('yes', 'no', 'unknown');
const said = fc.oneof(
  fc.record({
    kind: fc.constant('decision' as const),
    decision: fc.constantFrom(...DECISIONS),
    similarity: fc.nat(100),
    billed,
  }),
  fc.record({ kind: fc.constant('error' as const), billed }),
  fc.record({ kind: fc.constant('unsent' as const) }),
) satisfies fc.Arbitrary<Said>;

/** The random choices for one step. A step uses only the choices that it needs. */
export const chance = fc.record({
  /** Which attempt or call to use: 0 is the newest one, or the attempt that holds the lock; higher numbers are older ones. */
  back: fc.oneof({ arbitrary: fc.constant(0), weight: 5 }, { arbitrary: fc.nat(7), weight: 1 }),
  /** Simulates a lost reply: the script is sent twice. */
  twice: fc.nat(4).map((n) => n === 4),
  token: fc.constantFrom('a:0', 'b:0'),
  /** Allows a step that is usually excluded because it is rare or has no effect. */
  anyway: seldom,
  /** The worker takes the job, but begins the attempt only in a later step. */
  slow: seldom,
  /** The worker dies after its script and before it releases the job. */
  dies: seldom,
  waits: fc.boolean(),
  counts: fc.boolean(),
  rewind: fc.boolean(),
  /** The requeue resets the count of failed attempts. */
  forgives: seldom,
  said,
  choice: fc.oneof(
    { arbitrary: fc.constantFrom('retry', 'rewind', 'accept-late'), weight: 4 },
    { arbitrary: fc.constantFrom('recapture', 'fail'), weight: 1 },
  ) satisfies fc.Arbitrary<HeldChoice>,
  payAgain: fc.boolean(),
});
export type Chance = typeof chance extends fc.Arbitrary<infer T> ? T : never;

export const SOBER: Chance = {
  ...{ back: 0, twice: false, token: 'a:0', anyway: false, slow: false, dies: false, waits: false, counts: false },
  ...{ rewind: false, forgives: false, said: { kind: 'error', billed: 'no' }, choice: 'retry', payAgain: false },
};

export interface Step {
  /** Relative frequency of the step. */
  readonly weight: number;
  may(model: Model, chance: Chance): boolean;
  /** @returns the answer, for the log of the sequence. */
  act(model: Model, chance: Chance, world: World): Promise<string>;
}

/** Applies the step to the model, twice if the script was sent twice. @returns the last answer */
function asked<T>(twice: boolean, ask: () => T): T {
  const first = ask();
  return twice ? ask() : first;
}

function pick<T>(all: readonly T[], back: number): T | undefined {
  return all.at(-1 - (back % Math.max(all.length, 1)));
}

function only(when: (model: Model) => boolean, step: Step): Step {
  return { ...step, may: (model, chance) => when(model) && step.may(model, chance) };
}

/** Takes the step if it is useful, and otherwise only rarely. */
function mostly(use: (model: Model) => boolean, step: Step): Step {
  return { ...step, may: (model, chance) => step.may(model, chance) && (chance.anyway || use(model)) };
}

/** @returns whether the verification is neither decided nor cancelled. */
function wanted({ decision, cancelled }: Model): boolean {
  return decision === null && !cancelled;
}

// ── steps of an attempt ────────────────────────────────────────────────────────────────────────────────────────────

type Write = (attempt: Attempt, journal: Journal, model: Model, chance: Chance, world: World) => Promise<string>;

/** A step of the attempt that holds the lock, or of an older attempt that has lost the lock and does not know it. */
function fenced(weight: number, verdicts: readonly Attempt['verdict'][], write: Write): Step {
  const who = ({ attempts, lock }: Model, back: number) => {
    const able = attempts.filter(({ verdict, letGo }) => !letGo && verdicts.includes(verdict));
    return back === 0 ? able.find(({ fence }) => fence === lock) : pick(able, back - 1);
  };
  return {
    weight,
    may: (model, { back }) => who(model, back) !== undefined,
    act: async (model, chance, world) => {
      const attempt = who(model, chance.back);
      if (attempt === undefined) throw new Error('there is no such attempt');
      const before = world.hash;
      const lost = model.lock !== attempt.fence;
      const answer = await write(attempt, world.journal(attempt.fence, chance.twice), model, chance, world);
      // An attempt that has lost its lock must not write anything.
      if (lost) expect(await world.read()).toEqual(before);
      return answer;
    },
  };
}

const WORKING = ['go'] as const;
const ENDING = ['go', 'poison', 'expired', 'hold_expired'] as const;

const begin: Write = async (attempt, journal, model, { twice }) => {
  const begun = await journal.begin('batch', CRASH_BUDGET, ADMISSION);
  expect(begun.verdict).toBe(asked(twice, () => model.begin(attempt.fence)));
  attempt.verdict = begun.verdict;
  attempt.generation = begun.record?.generation ?? 0;
  attempt.decided = begun.record?.outcomes.detect !== undefined;
  return begun.verdict;
};

let uploads = 0;
const commit: Write = async (attempt, journal, model, { twice }) => {
  uploads += 1;
  const outcome = { resources: {}, requestIds: [`${uploads}`] };
  const answer = await journal.commit({ stage: 'upload', generation: attempt.generation, outcome, entry: ENTRY });
  expect(answer).toBe(asked(twice, () => model.commit(attempt, JSON.stringify(outcome))));
  return answer;
};

let intents = 0;
const intent: Write = async (attempt, journal, model, { twice }, world) => {
  intents += 1;
  const iid = `i${intents}`;
  const { generation } = attempt;
  const { kind } = await journal.declareIntent({
    intentId: iid,
    generation,
    preflight: { checkedAt: 1 },
    preflightEntry: ENTRY,
    callMs: HOUR_MS,
    rate: { lanes: 1, laneMs: 0.001, soonMs: 0, aheadMs: HOUR_MS },
    slot: null,
    maxPayments: MAX_PAYMENTS,
    package: PACKAGE,
    charge: world.charge,
  });
  expect(kind).toBe(asked(twice, () => model.intent(attempt, iid)));
  if (kind !== 'go') return kind;
  model.calls.push({ iid, generation, by: attempt, said: null });
  world.outstanding.add(iid);
  return kind;
};

const unknown: Write = async ({ fence }, journal, model, { twice }, world) => {
  const open = model.open?.iid;
  const { kind } = await journal.markOutcomeUnknown(ENTRY);
  expect(kind).toBe(asked(twice, () => model.unknownOutcome(fence)));
  if (model.open === null && open !== undefined) world.outstanding.delete(open);
  return kind;
};

/** BullMQ removes the lock when a worker ends or delays its job. If the worker dies earlier, the lock must expire. */
async function letGo(attempt: Attempt, model: Model, { dies }: Chance, world: World): Promise<void> {
  attempt.letGo = true;
  if (dies || model.lock !== attempt.fence) return;
  model.lock = null;
  await world.unlock();
}

const handback: Write = async (attempt, journal, model, chance, world) => {
  const { waits, counts, rewind, forgives, twice } = chance;
  const answer = await journal.requeue({
    generation: attempt.generation,
    delayMs: waits ? HOUR_MS : 0,
    stage: 'detect',
    countAttempt: counts,
    rewind,
    forgive: forgives,
    reason: REASON,
    entry: ENTRY,
  });
  expect(answer).toBe(asked(twice, () => model.handback(attempt, { waits, counts, rewind, forgives })));
  if (answer === 'ok') await letGo(attempt, model, chance, world);
  return rewind ? `${answer}, rewind` : answer;
};

const adopt: Write = async (attempt, journal, model, { twice, said: { ...told } }, world) => {
  const iid = model.lostCall;
  const call = model.calls.find((each) => each.iid === iid);
  const decided = {
    ...('decision' in told ? told : { decision: 'match' as const, similarity: 99 }),
    billed: 'decision' in told ? told.billed === 'yes' : true,
    ...{ result: 'Success', requestId: null, bestFrame: null, stored: { path: '/frames/1', md5: '', bytes: 1 } },
  };
  const before = model.decision;
  const answer = await journal.adopt({
    generation: attempt.generation,
    decided,
    decidedAt: Date.now(),
    reason: null,
    charge: world.charge,
    entry: ENTRY,
    notify: notification(world, 'decided').notify,
  });
  expect(answer).toBe(asked(twice, () => model.adopt(attempt, decided)));
  if (answer !== 'ok' || before !== null || call === undefined) return answer;
  attempt.decided = true;
  call.said = { kind: 'decision', ...decided, billed: decided.billed ? 'yes' : 'no' };
  world.outstanding.delete(call.iid);
  world.told.add(decided.decision);
  if (decided.billed) world.billed += 1;
  return answer;
};

const markAlone: Write = async ({ fence }, journal, model, { twice }) => {
  const answer = await journal.markAlone();
  expect(answer).toBe(asked(twice, () => model.markAlone(fence)));
  return answer;
};

const hold: Write = async (attempt, journal, model, chance, world) => {
  const answer = await journal.hold({
    generation: attempt.generation,
    reason: REASON,
    holdMs: HOUR_MS,
    entry: ENTRY,
    notify: notification(world, 'held', world.record?.starts).notify,
  });
  expect(answer).toBe(asked(chance.twice, () => model.hold(attempt)));
  if (answer === 'ok') await letGo(attempt, model, chance, world);
  return answer;
};

const settle: Write = async (attempt, journal, model, chance, world) => {
  const state = attempt.decided ? 'completed' : 'failed';
  const answer = await journal.settle({
    generation: attempt.generation,
    state,
    reason: null,
    followUps: world.followUps,
    entry: ENTRY,
    frame: 'none',
    stored: null,
    keepFrameMs: 0,
    ...(state === 'failed' ? { keep: KEEP } : {}),
  });
  expect(answer).toEqual(asked(chance.twice, () => model.settle(attempt, state)));
  if (answer.kind !== 'lost') await letGo(attempt, model, chance, world);
  return answer.kind === 'lost' ? answer.kind : `${answer.kind} ${answer.state}`;
};

const renew: Write = async ({ fence }, journal, model) => {
  const answer = await journal.renew(HOUR_MS);
  expect(answer).toBe(model.renew(fence));
  return answer;
};

// ── steps of the vendor ────────────────────────────────────────────────────────────────────────────────────────────

function unanswered({ calls }: Model, { back }: Chance): Call | undefined {
  const all = calls.filter((call) => call.said === null);
  return pick(all, back);
}

async function tell(call: Call, said: Said, twice: boolean, model: Model, world: World): Promise<string> {
  const { iid, generation, by } = call;
  const decided = said.kind === 'decision' ? said : null;
  const cost = said.kind === 'unsent' ? 'no' : said.billed;
  if (call.said === null && cost === 'yes' && !model.erased) world.billed += 1;
  if (call.said === null && cost === 'unknown' && !model.erased) world.maybeBilled += 1;
  if (decided !== null) world.told.add(decided.decision);
  call.said = said;
  const before = world.record?.decision;
  const answer = await world.journal(by.fence, twice).recordOutcome({
    intentId: iid,
    generation,
    decided: decided && { ...decided, billed: cost === 'yes', result: 'Success', requestId: null, bestFrame: null },
    reason: null,
    frame: 'none',
    sent: said.kind !== 'unsent',
    billed: cost,
    entry: ENTRY,
    restMs: 0,
    package: PACKAGE,
    charge: world.charge,
    notify: notification(world, 'decided').notify,
  });
  expect(answer).toBe(asked(twice, () => model.outcome(call, said)));
  world.outstanding.delete(iid);
  // A late answer must not change the decision.
  if (answer === 'late') expect((await world.read()).decision ?? null).toBe(before);
  if (answer === 'committed') by.decided = true;
  return answer;
}

// ── all steps ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A step that ends one of the verification's waits. @param pass returns the journal's time fields, set to the past. */
function passes(weight: number, waits: (model: Model) => boolean, pass: (model: Model, world: World) => object): Step {
  return {
    weight,
    may: (model) => !model.ended && !model.erased && waits(model),
    act: async (model, _chance, world) => {
      await world.passed(pass(model, world));
      return 'ok';
    },
  };
}

export const STEPS: Readonly<Record<string, Step>> = {
  take: {
    weight: 14,
    // In rare cases, a worker takes a job whose lock has just expired.
    may: ({ lock }, { anyway }) => lock === null || anyway,
    act: async (model, chance, world) => {
      const attempt = model.take(chance.token);
      await world.lock(attempt.fence);
      if (chance.slow) return 'slow';
      return begin(attempt, world.journal(attempt.fence, chance.twice), model, chance, world);
    },
  },
  lapse: {
    weight: 0.3,
    may: ({ lock }) => lock !== null,
    act: async (model, _chance, world) => {
      model.lock = null;
      await world.unlock();
      return 'ok';
    },
  },
  begin: fenced(4, [null], begin),
  renew: fenced(2, ENDING, renew),
  commit: fenced(5, WORKING, commit),
  intent: mostly(wanted, fenced(16, WORKING, intent)),
  unknown: mostly(({ open }) => open !== null, fenced(12, WORKING, unknown)),
  'mark alone': fenced(5, WORKING, markAlone),
  handback: fenced(7, WORKING, handback),
  adopt: only(({ lostCall }) => lostCall !== undefined, fenced(3, WORKING, adopt)),
  // A worker never puts a verification with an open call on hold: it first waits for the end of the call.
  hold: only(({ open }) => open === null, mostly(wanted, fenced(8, WORKING, hold))),
  settle: mostly(({ decision, ended }) => decision !== null && !ended, fenced(4, ENDING, settle)),
  outcome: {
    weight: 12,
    may: (model, chance) => unanswered(model, chance) !== undefined,
    act: async (model, chance, world) => {
      const call = unanswered(model, chance);
      if (call === undefined) throw new Error('there is no such call');
      return tell(call, chance.said, chance.twice, model, world);
    },
  },
  /**
   * Records an outcome again, as if the reply of the first script was lost long ago. Other calls may have been answered since
   * then.
   */
  'outcome again': {
    weight: 1,
    may: ({ told }) => told.length > 0,
    act: async (model, { back, twice }, world) => {
      const iid = pick(model.told.slice(-OUTCOMES_KNOWN), back);
      const call = model.calls.find((each) => each.iid === iid);
      if (call?.said == null) throw new Error('there is no such call');
      return tell(call, call.said, twice, model, world);
    },
  },
  cancel: {
    weight: 0.3,
    may: () => true,
    act: async (model, { twice }, { client, id }) => {
      if (twice) await client.cancel(id);
      const answer = await client.cancel(id);
      expect(answer).toEqual(asked(twice, () => model.cancel()));
      return answer.status;
    },
  },
  resolve: {
    weight: 12,
    may: ({ state, ended }, { anyway }) => state === 'held' || (ended && anyway),
    act: async (model, { choice, payAgain, twice }, world) => {
      const decide = { by: OPERATOR, why: 'looked at it', payAgain };
      if (twice) await world.client.resolve(world.id, choice, decide);
      const answer = await world.client.resolve(world.id, choice, decide);
      expect(answer).toEqual(asked(twice, () => model.resolve(choice, payAgain, OPERATOR)));
      world.allowed = Math.max(world.allowed, model.allowed);
      return `${choice} ${answer.status}`;
    },
  },
  /** The follow-ups of an end are delivered, which must happen before a retry. */
  deliver: {
    weight: 40,
    may: ({ ended, followUps, lock }) => ended && followUps && lock === null,
    act: async (model, _chance, world) => {
      model.deliver();
      await world.deliver();
      return 'ok';
    },
  },
  retry: {
    weight: 40,
    may: ({ ended, erased }, { anyway }) => ended || erased || anyway,
    act: async (model, { twice }, world) => {
      const status = await world.retry(twice);
      expect(status).toBe(model.retry());
      return status;
    },
  },
  expire: mostly(({ deadlineOver, lock }) => deadlineOver && lock === null, {
    weight: 2,
    may: () => true,
    act: async (model, { twice }, world) => {
      const answer = await world.expire(twice);
      expect(answer).toBe(asked(twice, () => model.expire()));
      return String(answer);
    },
  }),
  'the wait passes': passes(
    8,
    ({ waits }) => waits,
    (model) => {
      model.waits = false;
      return { notBefore: 1 };
    },
  ),
  'the call’s time passes': passes(
    14,
    ({ open }) => open !== null && !open.over,
    (model, { hash }) => {
      if (model.open !== null) model.open.over = true;
      return { open: JSON.stringify({ ...JSON.parse(hash.open ?? ''), until: 1 }) };
    },
  ),
  'the holding passes': passes(
    2,
    ({ holding }) => holding === 'on',
    (model) => {
      model.holding = 'over';
      return { heldUntil: 1 };
    },
  ),
  'the deadline passes': passes(
    0.3,
    ({ deadlineOver }) => !deadlineOver,
    (model) => {
      model.deadlineOver = true;
      return { deadline: 1 };
    },
  ),
  erase: {
    weight: 0.03,
    may: ({ erased }) => !erased,
    act: async (model, _chance, world) => {
      model.erased = true;
      await world.erase();
      return 'ok';
    },
  },
};
