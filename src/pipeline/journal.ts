/**
 * The journal of one verification, bound to one attempt. Each write is one Lua script in `redis/scripts`.
 *
 * What must hold:
 * 1. Every write checks the fence (lock token, `ats`, generation). Only `recordOutcome` needs no lock, because a paid answer must
 *    never be thrown away.
 * 2. Every write is idempotent: if a write is repeated because its reply was lost, it takes effect only once.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Counter } from '../domain/operations/metrics.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import type { Lane } from '../domain/verification/request.ts';
import { isNotNow } from '../redis/connection.ts';
import { increment } from '../redis/counters.ts';
import type { Deployment } from '../redis/deployment.ts';
import { adoptDecision, type FoundDecision } from '../redis/scripts/adopt-decision.ts';
import { type Admission, askAdmission } from '../redis/scripts/ask-admission.ts';
import type { AttemptRef, WriteAnswer } from '../redis/scripts/attempt-ref.ts';
import { type AttemptStart, beginAttempt } from '../redis/scripts/begin-attempt.ts';
import { commitStage, type StageCommit } from '../redis/scripts/commit-stage.ts';
import { declareIntent, type Intent, type IntentRequest } from '../redis/scripts/declare-intent.ts';
import { type HoldRequest, holdForReview } from '../redis/scripts/hold-for-review.ts';
import { leaveAdmission } from '../redis/scripts/leave-admission.ts';
import { markAlone } from '../redis/scripts/mark-alone.ts';
import { markOutcomeUnknown, type UnknownAnswer } from '../redis/scripts/mark-outcome-unknown.ts';
import { type Parking, parkSession } from '../redis/scripts/park-session.ts';
import { type OutcomeAnswer, type OutcomeReport, recordOutcome } from '../redis/scripts/record-outcome.ts';
import { type ResultReport, recordResult } from '../redis/scripts/record-result.ts';
import { type Renewal, renewLease } from '../redis/scripts/renew-lease.ts';
import { type RequeueStep, requeue } from '../redis/scripts/requeue.ts';
import { type Ending, type SettleAnswer, settle } from '../redis/scripts/settle.ts';

/** Pauses between two tries of a write that Redis cannot accept now. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export class Journal {
  readonly #deployment: Deployment;
  readonly #attempt: AttemptRef;
  readonly #expiryMs: number;

  /** @param expiryMs Redis drops the record this long after the end of the verification. */
  constructor(deployment: Deployment, attempt: AttemptRef, expiryMs: number) {
    this.#deployment = deployment;
    this.#attempt = attempt;
    this.#expiryMs = expiryMs;
  }

  begin(lane: Lane, crashBudget: number, admission: Admission): Promise<AttemptStart> {
    return beginAttempt(this.#deployment, this.#attempt, { lane, crashBudget, admission });
  }

  askAdmission(lane: Lane, admission: Admission): Promise<{ waitMs: number; epoch: string }> {
    return askAdmission(this.#deployment, this.#attempt, lane, admission);
  }

  leaveAdmission(): Promise<void> {
    return leaveAdmission(this.#deployment, this.#attempt);
  }

  renew(leaseMs: number): Promise<Renewal> {
    return renewLease(this.#deployment, this.#attempt, leaseMs);
  }

  commit(stage: StageCommit): Promise<WriteAnswer> {
    return commitStage(this.#deployment, this.#attempt, stage);
  }

  declareIntent(request: IntentRequest): Promise<Intent> {
    return declareIntent(this.#deployment, this.#attempt, request);
  }

  /**
   * Records the outcome of a paid call, and tries again until Redis accepts the write: if the answer were missing from the
   * journal, the call would be made again.
   * @param onWait called once, when Redis first answers that it cannot run the command now.
   */
  async recordOutcome(report: OutcomeReport, onWait: () => void = () => undefined): Promise<OutcomeAnswer> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await recordOutcome(this.#deployment, this.#attempt, report);
      } catch (error) {
        if (!isNotNow(error)) throw error;
        if (pauseMs === FIRST_PAUSE_MS) onWait();
      }
      await wait(pauseMs);
    }
  }

  markOutcomeUnknown(entry: HistoryEntry): Promise<UnknownAnswer> {
    return markOutcomeUnknown(this.#deployment, this.#attempt, entry);
  }

  markAlone(): Promise<WriteAnswer> {
    return markAlone(this.#deployment, this.#attempt);
  }

  park(parking: Parking): Promise<WriteAnswer> {
    return parkSession(this.#deployment, this.#attempt, parking);
  }

  recordResult(report: ResultReport): Promise<'ok' | 'lost' | 'ended'> {
    return recordResult(this.#deployment, this.#attempt, report);
  }

  requeue(step: RequeueStep): Promise<WriteAnswer> {
    return requeue(this.#deployment, this.#attempt, step);
  }

  adopt(found: FoundDecision): Promise<WriteAnswer | 'refused'> {
    return adoptDecision(this.#deployment, this.#attempt, found);
  }

  hold(request: HoldRequest): Promise<WriteAnswer> {
    return holdForReview(this.#deployment, this.#attempt, request);
  }

  settle(ending: Omit<Ending, 'expiryMs'>): Promise<SettleAnswer> {
    return settle(this.#deployment, this.#attempt, { ...ending, expiryMs: this.#expiryMs });
  }

  /** Increments a counter of the deployment. */
  count(counter: Counter): Promise<void> {
    return increment(this.#deployment, counter);
  }
}
