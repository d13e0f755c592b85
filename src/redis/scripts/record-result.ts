import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { DetectOutcome, StartOutcome } from '../../domain/verification/outcomes.ts';
import type { FrameState } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import type { NotifyJob } from '../notify-queue.ts';
import { outboxArgs } from '../outbox.ts';
import type { Reason } from '../record.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { type AttemptRef, fencedKeys } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface ResultReport {
  readonly generation: number;
  readonly decided: DetectOutcome;
  readonly reason: Reason | null;
  readonly frame: FrameState;
  /** How many checks the vendor bills; null if it does not say. The start call then still counts as possibly paid. */
  readonly billedChecks: number | null;
  /** The charge that was recorded when the session was started. */
  readonly charge: StartOutcome['charge'];
  readonly entry: HistoryEntry;
  readonly notify: NotifyJob | undefined;
  readonly passed: Passed;
}

/** Records the result of a session. */
export async function recordResult(
  deployment: Deployment,
  attempt: AttemptRef,
  report: ResultReport,
): Promise<'ok' | 'lost' | 'ended'> {
  const { names, sealer } = deployment;
  const { id, region, action, token, ats } = attempt;
  const { decided, charge, billedChecks } = report;
  const reply = await runWithEntry(
    { deployment, id, entry: report.entry },
    'record-result',
    {
      ...fencedKeys(deployment, attempt),
      outbox: names.outbox,
      breakers: names.breakers(region),
      costsDay: names.costs(charge.day),
      costsMonth: names.costs(charge.month),
    },
    {
      token,
      ats,
      generation: report.generation,
      id,
      outcome: sealer.seal(id, 's:detect', JSON.stringify(decided)),
      facts: sealer.seal(id, 'ses', JSON.stringify(decided.session)),
      decision: decided.decision,
      similarity: decided.similarity ?? '',
      frame: report.frame,
      reason: report.reason === null ? '' : JSON.stringify(report.reason),
      paid: billedChecks ?? 0,
      settles: billedChecks === null ? 0 : 1,
      channel: names.channel,
      ...outboxArgs(report.notify),
      ...passedArgs(report.passed),
      place: `${region}|${action}`,
      currency: charge.currency,
      micros: charge.micros,
    },
  );
  return reply as 'ok' | 'lost' | 'ended';
}
