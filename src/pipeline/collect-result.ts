/** Asks for the result of a session, and records the decision if the result is final. */
import { Failure } from '../domain/errors/failure.ts';
import { faceIdDependency } from '../domain/operations/breakers.ts';
import { FLOWS, isFlow } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { type DetectOutcome, frameUntil } from '../domain/verification/outcomes.ts';
import { askAgainMs } from '../domain/verification/policy.ts';
import { billedChecksOf, expiredSession, type FlowResult, judgeResult } from '../domain/verification/session-result.ts';
import type { NotifyJob } from '../redis/notify-queue.ts';
import { decisionReason, type JournalRecord } from '../redis/record.ts';
import { SessionUnfinished } from './after-failure.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { CallWithheld } from './payment.ts';

interface Asking {
  /** Makes the result call. */
  ask(): Promise<FlowResult>;
  /** The notification of the decision; undefined if no endpoint is to be notified. */
  readonly notify: NotifyJob | undefined;
  tookMs(): number;
}

/**
 * @returns the decision, and the result that led to it; the result is null if the vendor no longer has one.
 * @throws SessionUnfinished if the person may still go on; CallWithheld if this attempt lost its job, or the session has ended
 */
export async function collectResult(
  { breakers, journal, policy, log }: Pick<AttemptTools, 'breakers' | 'journal' | 'policy' | 'log'>,
  lease: Lease,
  { action, order, outcomes, deadline, threshold, toldAt, generation }: JournalRecord,
  { ask, notify, tookMs }: Asking,
): Promise<{ readonly decided: DetectOutcome; readonly result: FlowResult | null }> {
  const { start } = outcomes;
  if (start === undefined || order?.session === undefined || !isFlow(action)) throw new Error('no session to collect');
  const { resultMs, resultCall } = FLOWS[action];
  const result = Date.now() < start.at + resultMs ? await askUnlessGone(ask) : null;
  breakers.pass([faceIdDependency(resultCall)]);
  const { parameters, media } = order.session;
  const wanted = order.frame.to === 'none' ? [] : media;
  const session = { action, parameters, wanted, threshold, isTold: toldAt !== null, startedAt: start.at, deadline };
  const decided = result === null ? expiredSession() : judgeResult(result, session, Date.now());
  if (decided === null)
    throw new SessionUnfinished(askAgainMs(policy.askMs, { startedAt: start.at, toldAt }, Date.now()));
  const billedChecks = billedChecksOf(decided, session, Date.now());
  const { requestId, result: code } = decided;
  const entry: HistoryEntry = {
    ...{ at: Date.now(), event: 'done', stage: 'collect', code, ms: tookMs() },
    ...(requestId === null ? {} : { requestId }),
    ...((billedChecks ?? 0) > 0 ? { billed: true } : {}),
  };
  const answer = await lease.guard(
    journal.recordResult({
      generation,
      decided,
      reason: decisionReason(decided),
      frame: frameUntil(decided) === null ? 'none' : 'pending',
      billedChecks,
      charge: start.charge,
      entry,
      notify,
      passed: breakers.takePassed(),
    }),
  );
  if (answer !== 'ok') throw new CallWithheld({ why: answer });
  if (billedChecks !== null && billedChecks > 0) log.billedChecks(action, billedChecks, start.charge);
  return { decided, result };
}

/** @returns null if the vendor says that the token has expired. */
async function askUnlessGone(ask: () => Promise<FlowResult>): Promise<FlowResult | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Failure && /Token\w*Expired$/.test(error.code)) return null;
    throw error;
  }
}
