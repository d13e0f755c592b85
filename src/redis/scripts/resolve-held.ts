import type { HeldChoice, HeldDecisionResult } from '../../domain/operations/held.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { State } from '../../domain/verification/states.ts';
import type { Deployment } from '../deployment.ts';
import type { NotifyJob } from '../notify-queue.ts';
import { type FollowUps, followUpsText, outboxArgs } from '../outbox.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface HeldResolution {
  readonly choice: HeldChoice;
  readonly by: string;
  readonly entry: HistoryEntry;
  /** Whether the operator agrees that another call may be paid. */
  readonly payAgain: boolean;
  /** If the verification continues, its deadline is moved so that at least this much time is left. */
  readonly leastMs: number;
  readonly expiryMs: number;
  /** The follow-ups if the choice ends the verification. */
  readonly followUps: FollowUps | null;
  /** The runs from which `followUps` are derived, see `runsOf`. */
  readonly seen: string;
  /** The notification if the choice is a decision. */
  readonly notify: NotifyJob | undefined;
}

/** `stale`: nothing changed, because a run began after the record was read. Read the record and choose again. */
export interface HeldAnswer {
  readonly status: HeldDecisionResult['status'] | 'stale';
  readonly state: State | null;
}

export async function resolveHeld(deployment: Deployment, id: string, resolution: HeldResolution): Promise<HeldAnswer> {
  const { names } = deployment;
  const { live, ended, outbox, held, channel } = names;
  const { outboxField: decisionField, outboxEntry: decisionEntry } = outboxArgs(resolution.notify);
  const reply = await runWithEntry(
    { deployment, id, entry: resolution.entry },
    'resolve-held',
    { journal: names.journal(id), history: names.history(id), live, ended, outbox, held },
    {
      id,
      channel,
      choice: resolution.choice,
      leastMs: resolution.leastMs,
      payAgain: resolution.payAgain ? 1 : 0,
      expiryMs: resolution.expiryMs,
      outboxEntry: followUpsText(resolution.followUps),
      seen: resolution.seen,
      by: resolution.by,
      decisionField,
      decisionEntry,
    },
  );
  const [status, state] = reply as [HeldAnswer['status'], State | ''];
  return { status, state: state === '' ? null : state };
}
