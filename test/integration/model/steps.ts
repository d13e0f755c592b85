/**
 * What workers, zombies, the vendor, a caller, an operator, the sweeper and time can do to a verification: each asks the
 * script and the model, and compares the answers. A worker does what the product's workers do; that it has lost its lock, it
 * does not know until a script says so.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { HeldChoice } from '../../../src/domain/held.ts';
import { DECISIONS } from '../../../src/domain/states.ts';
import { notification } from '../../../src/queue/notify-queue.ts';
import type { Journal } from '../../../src/runtime/journal.ts';
import { type Attempt, type Call, CRASH_BUDGET, MAX_PAYMENTS, type Model, OUTCOMES_KNOWN, type Said } from './model.ts';
import { ENTRY, HOUR_MS, OPERATOR, type World } from './world.ts';

const ADMISSION = { capacity: 1_000_000, holdMs: HOUR_MS };
const PACKAGE = { digest: 'package', ttlMs: HOUR_MS, refuse: false };
const REASON = { code: 'TIMEOUT', class: 'transient' };

const seldom = fc.nat(9).map((n) => n === 9);
const said = fc.oneof(
  fc.record({
    kind: fc.constant('decision' as const),
    decision: fc.constantFrom(...DECISIONS),
    similarity: fc.nat(100),
    billed: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('error', 'unsent') }),
) satisfies fc.Arbitrary<Said>;

/** What chance decides about a step; each takes what it needs. */
export const chance = fc.record({
  /** How far back from the newest, or from the one that holds the lock: mostly not at all. */
  back: fc.oneof({ arbitrary: fc.constant(0), weight: 5 }, { arbitrary: fc.nat(7), weight: 1 }),
  /** The reply is dropped, and the script is sent again. */
  twice: fc.nat(4).map((n) => n === 4),
  token: fc.constantFrom('a:0', 'b:0'),
  /** Does what is of little use, or seldom happens. */
  anyway: seldom,
  /** Takes it, and comes to its preamble later. */
  slow: seldom,
  /** Dies between what it wrote and giving the job back. */
  dies: seldom,
  waits: fc.boolean(),
  counts: fc.boolean(),
  rewind: fc.boolean(),
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
  ...{ rewind: false, said: { kind: 'error' }, choice: 'retry', payAgain: false },
};

export interface Step {
  /** How often, beside the others. */
  readonly weight: number;
  may(model: Model, chance: Chance): boolean;
  /** @returns what was answered. */
  act(model: Model, chance: Chance, world: World): Promise<string>;
}

/** Asks the model as often as the script was sent. */
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

/** Where it is of use; else only now and then. */
function mostly(use: (model: Model) => boolean, step: Step): Step {
  return { ...step, may: (model, chance) => step.may(model, chance) && (chance.anyway || use(model)) };
}

/** Neither decided nor cancelled. */
function wanted({ decision, cancelled }: Model): boolean {
  return decision === null && !cancelled;
}

// ── of an attempt ──────────────────────────────────────────────────────────────────────────────────────────────────

type Write = (attempt: Attempt, journal: Journal, model: Model, chance: Chance, world: World) => Promise<string>;

/** By the attempt that holds the lock, or by one further back, which may only think so. */
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
      // Whoever has lost the fence writes nothing.
      if (lost) expect(await world.read()).toEqual(before);
      return answer;
    },
  };
}

const WORKING = ['go'] as const;
const ENDING = ['go', 'poison', 'expired', 'unheld'] as const;

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
  const answer = await journal.commit('upload', attempt.generation, outcome, ENTRY);
  expect(answer).toBe(asked(twice, () => model.commit(attempt, JSON.stringify(outcome))));
  return answer;
};

let intents = 0;
const intent: Write = async (attempt, journal, model, { twice }, world) => {
  intents += 1;
  const iid = `i${intents}`;
  const { generation } = attempt;
  const { kind } = await journal.intent({
    iid,
    generation,
    preflight: { checkedAt: 1 },
    preflightEntry: ENTRY,
    callMs: HOUR_MS,
    rate: { lanes: 1, laneMs: 0.001, soonMs: 0, aheadMs: HOUR_MS },
    slot: null,
    maxPayments: MAX_PAYMENTS,
    package: PACKAGE,
  });
  expect(kind).toBe(asked(twice, () => model.intent(attempt, iid)));
  if (kind !== 'go') return kind;
  model.calls.push({ iid, generation, by: attempt, said: null });
  world.outstanding.add(iid);
  return kind;
};

const unknown: Write = async ({ fence }, journal, model, { twice }, world) => {
  const open = model.open?.iid;
  const { kind } = await journal.unknown(ENTRY);
  expect(kind).toBe(asked(twice, () => model.unknownOutcome(fence)));
  if (model.open === null && open !== undefined) world.outstanding.delete(open);
  return kind;
};

/** BullMQ takes the lock from whoever moves a job on; a worker that died before leaves it to run out. */
async function letGo(attempt: Attempt, model: Model, { dies }: Chance, world: World): Promise<void> {
  attempt.letGo = true;
  if (dies || model.lock !== attempt.fence) return;
  model.lock = null;
  await world.unlock();
}

const handback: Write = async (attempt, journal, model, chance, world) => {
  const { waits, counts, rewind, twice } = chance;
  const answer = await journal.handback({
    generation: attempt.generation,
    delayMs: waits ? HOUR_MS : 0,
    stage: 'detect',
    counts,
    rewind,
    reason: REASON,
    entry: ENTRY,
  });
  expect(answer).toBe(asked(twice, () => model.handback(attempt, { waits, counts, rewind })));
  if (answer === 'ok') await letGo(attempt, model, chance, world);
  return rewind ? `${answer}, rewind` : answer;
};

const hold: Write = async (attempt, journal, model, chance, world) => {
  const answer = await journal.hold(
    attempt.generation,
    REASON,
    HOUR_MS,
    ENTRY,
    notification(world, 'held', world.record?.starts).notify,
  );
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
  });
  expect(answer).toEqual(asked(chance.twice, () => model.settle(attempt, state)));
  if (answer.kind !== 'lost') await letGo(attempt, model, chance, world);
  return `${answer.kind} ${answer.state}`;
};

const renew: Write = async ({ fence }, journal, model) => {
  const answer = await journal.renew(HOUR_MS);
  expect(answer).toBe(model.renew(fence));
  return answer;
};

// ── of the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────

function unanswered({ calls }: Model, { back }: Chance): Call | undefined {
  const all = calls.filter((call) => call.said === null);
  return pick(all, back);
}

async function tell(call: Call, said: Said, twice: boolean, model: Model, world: World): Promise<string> {
  const { iid, generation, by } = call;
  const decided = said.kind === 'decision' ? said : null;
  if (call.said === null && decided?.billed && !model.erased) world.billed += 1;
  if (decided !== null) world.told.add(decided.decision);
  call.said = said;
  const before = world.record?.decision;
  const answer = await world.journal(by.fence, twice).outcome({
    iid,
    generation,
    decided: decided && { ...decided, result: 'Success', requestId: null, bestFrame: null },
    reason: null,
    frame: 'none',
    sent: said.kind !== 'unsent',
    billed: decided?.billed ?? false,
    entry: ENTRY,
    penaltyMs: 0,
    package: PACKAGE,
    notify: notification(world, 'decided').notify,
  });
  expect(answer).toBe(asked(twice, () => model.outcome(call, said)));
  world.outstanding.delete(iid);
  // What comes late decides nothing by itself.
  if (answer === 'late') expect((await world.read()).decision ?? null).toBe(before);
  if (answer === 'committed') by.decided = true;
  return answer;
}

// ── all of them ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A time that it waits for has come. @param pass what changes in the journal. */
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
    // A lock that somebody holds runs out now and then.
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
  handback: fenced(7, WORKING, handback),
  // Nobody holds what has a call out: that waits for the call's time first.
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
  /** Its reply was dropped long ago: in the meantime other calls were answered. */
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
