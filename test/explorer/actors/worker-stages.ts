/** The steps of an attempt from its open intent to its end. */
import { notification } from '../../../src/redis/notify-queue.ts';
import { askAdmission } from '../../../src/redis/scripts/ask-admission.ts';
import { commitStage } from '../../../src/redis/scripts/commit-stage.ts';
import { declareIntent, type Intent } from '../../../src/redis/scripts/declare-intent.ts';
import { holdForReview } from '../../../src/redis/scripts/hold-for-review.ts';
import { markOutcomeUnknown } from '../../../src/redis/scripts/mark-outcome-unknown.ts';
import { recordOutcome } from '../../../src/redis/scripts/record-outcome.ts';
import { reopenGate } from '../../../src/redis/scripts/reopen-gate.ts';
import { reportTrouble } from '../../../src/redis/scripts/report-trouble.ts';
import { requeue } from '../../../src/redis/scripts/requeue.ts';
import { settle } from '../../../src/redis/scripts/settle.ts';
import type { Sketch } from '../step.ts';
import {
  ACTION,
  CALL_MS,
  type Call,
  EXPIRY_MS,
  HOLD_MS,
  LEASE_MS,
  MAX_PAYMENTS,
  OPINION,
  REGION,
  WEBHOOK,
  type World,
} from '../world.ts';
import { collecting, STARTED } from './session.ts';
import { fail, lose, placeOf, promises, ref, type WorkerLocal, type WorkerOptions } from './worker.ts';

const RATE = { lanes: 10, laneMs: 1_080, soonMs: 0, aheadMs: 600_000 };
const PACKAGE = { digest: 'package', ttlMs: 60_000, photoRetries: 2 };
/** A call that would miss its slot by more than this is not sent, as in the product's `Gate`. */
const MAX_LATE_MS = 20;
const BACKOFF_MS = 2_000;
export const TUNING = {
  ...{ failures: 1, verifications: 1, share: 0.5, windowMs: 5_000, firstProbeMs: 2_000, longestProbeMs: 30_000 },
};

/** How long sources are kept for a retry, and the limit of payments. */
export const KEEP = { ms: 43_200_000, maxPayments: MAX_PAYMENTS };

type Sketches = Generator<Sketch<WorkerLocal>>;

export function* working(world: World, local: WorkerLocal, id: string, options: WorkerOptions): Sketches {
  switch (local.pc) {
    case 'unknown':
      return yield marksUnknown(id, options);
    case 'admission':
      return yield asks(id, options);
    case 'upload':
      yield* uploads(id, options);
      return;
    case 'commits':
      return yield commits(id);
    case 'declares':
      return yield declares(id, options);
    case 'call':
      yield* calls(id, options);
      return;
    case 'calling':
      yield* waits(world, local, id, options);
      return;
    case 'unsent':
      return yield records(id, 'unsent');
    case 'trouble':
      return yield reports(id);
    case 'reopens':
      return yield reopens(id);
    case 'requeues':
    case 'rewinds':
      return yield requeues(id);
    case 'holds':
      return yield holds(id);
    case 'settles':
      return yield settles(id);
    case 'collects':
    case 'parks':
      yield* collecting(local, id);
  }
}

function entry(world: World, event: 'done' | 'retry' | 'held' | 'ended' | 'unknown') {
  return { at: world.clock, event };
}

function later(local: WorkerLocal, wait: number, pc: 'requeues' | 'rewinds' = 'requeues'): void {
  Object.assign(local, { pc, wait });
}

// ── before the call ────────────────────────────────────────────────────────────────────────────────────────────────

function marksUnknown(id: string, { review = false }: WorkerOptions): Sketch<WorkerLocal> {
  return {
    does: 'marks the open call as unknown',
    act: async ({ world, local, script }) => {
      const answer = await script((deployment) =>
        markOutcomeUnknown(deployment, ref(local, id), entry(world, 'unknown')),
      );
      if (answer.kind === 'lost') return lose(local);
      if (answer.kind === 'open') return later(local, answer.leftMs);
      local.open = false;
      local.pc = answer.kind === 'unknown' && review && !local.decided ? 'holds' : placeOf(local);
    },
  };
}

function asks(id: string, { capacity = 10 }: WorkerOptions): Sketch<WorkerLocal> {
  return {
    does: 'asks for admission',
    act: async ({ local, script }) => {
      const { waitMs } = await script((deployment) =>
        askAdmission(deployment, ref(local, id), 'batch', { capacity, holdMs: LEASE_MS }),
      );
      local.wait = waitMs;
      local.pc = placeOf(local);
    },
  };
}

function* uploads(id: string, { failures = [] }: WorkerOptions): Sketches {
  // Even a failed upload may have stored an object.
  const step = (does: string, after: (local: WorkerLocal) => unknown): Sketch<WorkerLocal> => ({
    does,
    alone: true,
    touches: [`objects:${id}`],
    act: ({ local, facts }) => {
      if (!facts.objects.includes(local.gen)) facts.objects.push(local.gen);
      facts.objects.sort();
      after(local);
    },
  });
  yield step('uploads', (local) => Object.assign(local, { pc: 'commits' }));
  const after: Readonly<Record<(typeof failures)[number], (local: WorkerLocal) => unknown>> = {
    retry: (local) => later(local, BACKOFF_MS),
    rewind: (local) => later(local, 0, 'rewinds'),
    hold: (local) => Object.assign(local, { pc: 'holds' }),
    fail: (local) => fail(local, 'failed'),
  };
  for (const failure of failures) yield step(`fails to upload: ${failure}`, after[failure]);
}

function commits(id: string): Sketch<WorkerLocal> {
  return {
    does: 'commits the upload',
    act: async ({ world, local, script }) => {
      const outcome = { uploadedBy: `${local.token}/${local.ats}` };
      const commit = { stage: 'upload', generation: local.gen, outcome, entry: entry(world, 'done') } as const;
      const answer = await script((deployment) => commitStage(deployment, ref(local, id), commit));
      if (answer === 'ok') {
        local.uploaded = true;
        local.pc = placeOf(local);
      } else afterRefusal(local, answer);
    },
  };
}

export function afterRefusal(local: WorkerLocal, answer: 'lost' | 'ended' | 'cancel'): void {
  if (answer === 'lost') lose(local);
  else if (answer === 'cancel') fail(local, 'cancelled');
  else local.pc = 'finishes';
}

// ── the paid call ──────────────────────────────────────────────────────────────────────────────────────────────────

function declares(id: string, options: WorkerOptions): Sketch<WorkerLocal> {
  return {
    does: 'declares a call',
    act: async ({ world, local, script }) => {
      if (local.iid === '') {
        local.n += 1;
        local.iid = `${world.nameOf(local)}-${local.n}`;
      }
      const intent = await script((deployment) =>
        declareIntent(deployment, ref(local, id), {
          ...{
            call: local.decided ? OPINION : ACTION,
            intentId: local.iid,
            generation: local.gen,
            preflight: { checkedAt: world.clock },
            preflightEntry: null,
          },
          ...{ callMs: CALL_MS, rate: RATE, slot: null, maxPayments: options.maxPayments ?? MAX_PAYMENTS },
          ...{ package: { ...PACKAGE, refuseReuse: options.refusesReuse === true }, charge: world.charge },
        }),
      );
      afterDeclaring(local, intent, options);
    },
  };
}

function afterDeclaring(local: WorkerLocal, intent: Intent, { maxPayments }: WorkerOptions): void {
  switch (intent.kind) {
    case 'go':
      Object.assign(local, {
        pc: 'call',
        at: intent.at,
        until: intent.until,
        probe: intent.probe,
        epoch: intent.epoch,
      });
      return;
    case 'open':
      later(local, intent.until - intent.now);
      return;
    case 'closed':
    case 'broken':
      later(local, intent.askAgainAt - intent.now);
      return;
    case 'lost':
    case 'decided':
      lose(local);
      return;
    case 'ended':
      local.pc = 'finishes';
      return;
    case 'exhausted':
      local.pc = maxPayments === undefined && !local.decided ? 'holds' : 'settles';
      return;
    case 'slot':
      throw new Error('slots are not waited for here');
    default:
      fail(local, intent.kind);
  }
}

function* calls(id: string, { unsent = false }: WorkerOptions): Sketches {
  yield {
    does: 'calls, or finds that it may not',
    alone: true,
    touches: [`calls:${id}`],
    readsClock: true,
    act: ({ world, local, facts }) => {
      if (world.clock >= local.validUntil) return lose(local);
      if (world.clock > local.at + MAX_LATE_MS) {
        local.pc = 'declares'; // the call missed its slot, and the intent gets a later one
        return;
      }
      const call = { iid: local.iid, by: world.nameOf(local), until: local.until, opinion: local.decided } as const;
      facts.calls.push({ ...call, state: 'sent' });
      local.pc = 'calling';
    },
  };
  if (unsent)
    yield {
      does: 'is refused a connection',
      alone: true,
      act: ({ local }) => void Object.assign(local, { pc: 'unsent' }),
    };
}

function callOf(world: World, local: WorkerLocal, id: string): Call | undefined {
  return world.factsOf(id).calls.find(({ iid }) => iid === local.iid);
}

/**
 * Records the answer, possibly much later than it came, because Redis or the process may have stalled. Gives up when time is up.
 */
function* waits(world: World, local: WorkerLocal, id: string, { reportsTrouble = false }: WorkerOptions): Sketches {
  const call = callOf(world, local, id);
  if (call?.state === 'answered') yield records(id, 'match');
  if (call?.state === 'refused') yield records(id, 'error');
  if (call?.state === 'unclear') yield records(id, 'unclear error');
  const unanswered = call?.state === 'sent' || call?.state === 'billed' || call?.state === 'gone';
  if (unanswered && world.clock >= local.until) {
    yield {
      does: 'gives up its call',
      alone: true,
      touches: [`calls:${id}`],
      readsClock: true,
      act: ({ local }) => void (reportsTrouble ? Object.assign(local, { pc: 'trouble', wait: 0 }) : later(local, 0)),
    };
  }
}

const DECIDED = {
  decision: 'match',
  billed: true,
  result: 'Success',
  requestId: null,
  bestFrame: null,
} as const;

const GIVEN_UP = { failed: { code: 'DEADLINE_EXCEEDED', unclear: false } } as const;

/** Each call has its own answer. */
function opinionBy(call: number) {
  return { level: 'Low', attacks: [`call ${call}`], requestId: null } as const;
}

function records(id: string, said: 'match' | 'error' | 'unclear error' | 'unsent'): Sketch<WorkerLocal> {
  return {
    does: `records ${said}`,
    touches: [`calls:${id}`],
    act: async ({ world, local, facts, script }) => {
      const isMine = ({ iid }: Call) => iid === local.iid; // each call has its own answer
      const webhook = local.seen?.webhook ?? null;
      const answer = await script((deployment) =>
        recordOutcome(deployment, ref(local, id), {
          ...{
            intentId: local.iid,
            generation: local.gen,
            decided:
              said === 'match' && !local.session && !local.decided
                ? { ...DECIDED, similarity: 90 + facts.calls.findIndex(isMine) }
                : null,
            started: said === 'match' && local.session ? STARTED : null,
            opinion: said === 'match' && local.decided ? opinionBy(facts.calls.findIndex(isMine)) : null,
            call: local.decided ? OPINION : ACTION,
            reason: null,
          },
          ...{
            frame: 'none',
            sent: said !== 'unsent',
            billed:
              said === 'unclear error' || (said === 'match' && local.session)
                ? 'unknown'
                : said === 'match'
                  ? 'yes'
                  : 'no',
          },
          ...{
            entry: entry(world, 'done'),
            restMs: 0,
            package: { ...PACKAGE, refuseReuse: false },
            charge: world.charge,
          },
          ...{
            notify: notification({ id, webhook, retries: local.seen?.retries ?? 0 }, 'decided').notify,
            passed: { dependencies: [`faceid:${ACTION}`], windowMs: TUNING.windowMs },
          },
        }),
      );
      const { probe } = local;
      local.iid = '';
      if (answer === 'closed' || (said !== 'match' && answer === 'again')) later(local, BACKOFF_MS);
      else if (local.session && (answer === 'committed' || answer === 'again'))
        Object.assign(local, { started: true, pc: 'parks' });
      else if (local.decided && (answer === 'committed' || answer === 'again'))
        Object.assign(local, { judged: true, pc: 'settles' });
      else if (answer === 'committed' || answer === 'again') {
        local.decided = true;
        local.reason = webhook === WEBHOOK ? 'notice' : '';
        local.pc = webhook === WEBHOOK ? 'adds' : placeOf(local);
      } else return lose(local);
      if (probe && said !== 'unsent') Object.assign(local, { goesTo: local.pc, pc: 'reopens' });
    },
  };
}

function reopens(id: string): Sketch<WorkerLocal> {
  return {
    does: 'opens the gate',
    act: async ({ local, script }) => {
      await script((deployment) => reopenGate(deployment, { region: REGION, action: ACTION }, id));
      local.pc = local.goesTo;
      delete local.goesTo;
    },
  };
}

function reports(id: string): Sketch<WorkerLocal> {
  return {
    does: 'reports trouble',
    act: async ({ local, script }) => {
      const trouble = { dependency: `faceid:${ACTION}`, code: 'TIMEOUT', epoch: local.breakers, spread: 1 };
      await script((deployment) => reportTrouble(deployment, { id, region: REGION }, trouble, TUNING));
      local.pc = 'requeues';
    },
  };
}

// ── the ends of an attempt ─────────────────────────────────────────────────────────────────────────────────────────

function requeues(id: string): Sketch<WorkerLocal> {
  return {
    does: 'requeues',
    act: async ({ local, script }) => {
      const reason = { code: 'TIMEOUT', class: 'transient' } as const;
      const step = {
        generation: local.gen,
        delayMs: local.wait,
        stage: local.decided ? 'opinion' : 'detect',
        countAttempt: true,
        reason,
      } as const;
      const rewind = local.pc === 'rewinds';
      const answer = await script((deployment) =>
        requeue(deployment, ref(local, id), { ...step, rewind, entry: null }),
      );
      if (answer === 'ok') local.pc = 'delays';
      else afterRefusal(local, answer);
    },
  };
}

function holds(id: string): Sketch<WorkerLocal> {
  return {
    does: 'holds for review',
    act: async ({ world, local, script }) => {
      const reason = { code: 'OUTCOME_UNKNOWN', class: 'transient' } as const;
      const { notify } = notification(
        { id, webhook: local.seen?.webhook ?? null, retries: local.seen?.retries ?? 0 },
        'held',
        local.seen?.starts ?? 0,
      );
      const request = { generation: local.gen, reason, holdMs: HOLD_MS, entry: entry(world, 'held'), notify };
      const answer = await script((deployment) => holdForReview(deployment, ref(local, id), request));
      Object.assign(local, answer === 'ok' ? { pc: 'delays', wait: HOLD_MS } : {});
      if (answer !== 'ok') afterRefusal(local, answer);
    },
  };
}

function settles(id: string): Sketch<WorkerLocal> {
  return {
    does: 'settles',
    act: async ({ world, local, script }) => {
      const webhook = local.seen?.webhook ?? null;
      const state = local.decided ? 'completed' : local.reason === 'cancelled' ? 'cancelled' : 'failed';
      const { deletion, followUps: entries } = promises(local, id, webhook);
      const answer = await script((deployment) =>
        settle(deployment, ref(local, id), {
          ...{ generation: local.gen, state, reason: null, followUps: entries, deletion, entry: entry(world, 'ended') },
          ...{ frame: 'none', stored: null, keepFrameMs: 0, expiryMs: EXPIRY_MS, keep: KEEP },
          opinion: local.decided && local.asks && !local.judged ? GIVEN_UP : null,
        }),
      );
      if (answer.kind === 'lost') return lose(local);
      local.reason = 'ended';
      local.entry = entries === null ? undefined : JSON.stringify(entries);
      local.pc = entries === null ? 'finishes' : 'adds';
    },
  };
}
