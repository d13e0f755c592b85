import { type Billed, explain } from '../../domain/errors/index.ts';
import type { Charge } from '../../domain/operations/costs.ts';
import type { PaidCall } from '../../domain/verification/actions.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { DetectOutcome, OpinionOutcome, StartOutcome } from '../../domain/verification/outcomes.ts';
import type { FrameState } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import type { NotifyJob } from '../notify-queue.ts';
import { outboxArgs } from '../outbox.ts';
import type { Reason } from '../record.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { type AttemptRef, countsOf } from './attempt-ref.ts';
import type { PackageDigest } from './declare-intent.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface OutcomeReport {
  /** Default: the attempt's action. */
  readonly call?: PaidCall;
  readonly intentId: string;
  readonly generation: number;
  /** The decision. Null if the call was answered with an error, or was not sent. */
  readonly decided: DetectOutcome | null;
  /** The token of a session, if the call started one. Default: none. */
  readonly started?: StartOutcome | null;
  /** The second opinion, if the call asked for one. Default: none. */
  readonly opinion?: OpinionOutcome | null;
  /** The reason for the decision, if the vendor reports the decision as a code; otherwise null. */
  readonly reason: Reason | null;
  readonly frame: FrameState;
  /** Whether documented fields of the answer do not have the documented shape. Default: false. */
  readonly hasUnknownShape?: boolean;
  /** False only if it is certain that the call was not sent. */
  readonly sent: boolean;
  /** Whether the vendor bills the call. `no` if the call was not sent. */
  readonly billed: Billed;
  readonly entry: HistoryEntry;
  /** If the vendor throttled the call: how long no call may be sent. Otherwise 0. */
  readonly restMs: number;
  readonly package: PackageDigest;
  /** The charge that was recorded when the intent of the call was declared. */
  readonly charge: Charge;
  /** The notification of a decision, if an endpoint is to be notified. */
  readonly notify?: NotifyJob | undefined;
  /** Default: none. */
  readonly passed?: Passed | undefined;
}

/** See record-outcome.lua. */
export type OutcomeAnswer = 'committed' | 'closed' | 'late' | 'again' | 'orphan';

/** Needs no lock: even an attempt that has lost its job records its paid answer. */
export async function recordOutcome(
  deployment: Deployment,
  { id, region, action }: Pick<AttemptRef, 'id' | 'region' | 'action'>,
  report: OutcomeReport,
): Promise<OutcomeAnswer> {
  const { names, sealer } = deployment;
  const { call = action } = report;
  const { decided } = report;
  const answer = answerOf(report);
  const reply = await runWithEntry(
    { deployment, id, entry: report.entry },
    'record-outcome',
    {
      journal: names.journal(id),
      history: names.history(id),
      gate: names.gate(region, call).gate,
      counters: names.counters,
      held: names.held,
      answered: names.answered,
      outbox: names.outbox,
      breakers: names.breakers(region),
      costsDay: names.costs(report.charge.day),
      costsMonth: names.costs(report.charge.month),
    },
    {
      id,
      intentId: report.intentId,
      generation: report.generation,
      kind: answer?.kind ?? (report.sent ? 'error' : 'unsent'),
      outcome: answer === null ? '' : sealer.seal(id, answer.field, JSON.stringify(answer.outcome)),
      counts: countsOf(call),
      decision: decided?.decision ?? '',
      similarity: decided?.similarity ?? '',
      frame: report.frame,
      unknownShape: report.hasUnknownShape === true ? 1 : 0,
      billed: report.billed,
      restMs: report.restMs,
      channel: names.channel,
      reason: report.reason === null ? '' : JSON.stringify(report.reason),
      packageDigest: report.package.digest,
      packageTtlMs: report.package.ttlMs,
      photoRetries: report.package.photoRetries,
      photoOnly: decided !== null && explain(decided.result)?.retake === 'photo' ? 1 : 0,
      ...outboxArgs(report.notify),
      ...passedArgs(report.passed),
      place: `${region}|${call}`,
      currency: report.charge.currency,
      micros: report.charge.micros,
    },
  );
  return reply as OutcomeAnswer;
}

/** What the answer says, and the field of the journal that keeps it. Null: it says nothing. */
function answerOf({ decided, started = null, opinion = null }: OutcomeReport) {
  if (started !== null) return { kind: 'started', field: 's:start', outcome: started } as const;
  if (opinion !== null) return { kind: 'opinion', field: 's:opinion', outcome: opinion } as const;
  return decided === null ? null : ({ kind: 'decision', field: 's:detect', outcome: decided } as const);
}
