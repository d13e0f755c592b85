import { COPY_WITHIN_MS } from '../../domain/operations/evidence.ts';
import { type EvidenceRecord, placeText } from '../../domain/verification/evidence.ts';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { OpinionOutcome, StoredFrame, StoredMedium } from '../../domain/verification/outcomes.ts';
import type { FrameState, State } from '../../domain/verification/states.ts';
import { deletionText } from '../deletions.ts';
import type { Deployment } from '../deployment.ts';
import type { EraseJob } from '../erase-queue.ts';
import { type FollowUps, followUpsText } from '../outbox.ts';
import type { Reason } from '../record.ts';
import { type Passed, passedArgs } from './ask-breakers.ts';
import { type AttemptRef, fencedKeys, gateKeys, opinionOf } from './attempt-ref.ts';
import { runWithEntry } from './run-with-entry.ts';

/** What a retry of an ended verification needs: its sources and, for a lost frame, the answer with the frame's link. */
export interface KeptSources {
  /** How long sources and answer are kept, ms. */
  readonly ms: number;
  /** A retry is refused if this many calls were paid or may have been paid. */
  readonly maxPayments: number;
}

export interface Ending {
  readonly generation: number;
  readonly state: State;
  readonly reason: Reason | null;
  readonly followUps: FollowUps | null;
  /** An ordinary deletion, see deletions.ts. Default: nothing is to be deleted, or the follow-ups say what. */
  readonly deletion?: EraseJob | null;
  readonly entry: HistoryEntry | null;
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
  /** What a session stored besides its frame. Default: nothing. */
  readonly media?: readonly StoredMedium[];
  /** The second opinion, if it was asked for and never given. Default: nothing. */
  readonly opinion?: OpinionOutcome | null;
  /** How long Bestframe keeps the frame, ms. 0: Bestframe never deletes it. */
  readonly keepFrameMs: number;
  /** How long the record is kept, ms. */
  readonly expiryMs: number;
  /** What is kept for a retry. Default: nothing. */
  readonly keep?: KeptSources | null;
  /** What the record says about its evidence. Default: nothing. */
  readonly evidence?: EvidenceRecord | null;
  /** Default: none. */
  readonly passed?: Passed | undefined;
}

/** `ended`: the verification had already ended, in `state`; null if its record is gone. */
export type SettleAnswer =
  | { readonly kind: 'ok'; readonly state: State }
  | { readonly kind: 'ended'; readonly state: State | null }
  | { readonly kind: 'lost' };

export async function settle(deployment: Deployment, attempt: AttemptRef, ending: Ending): Promise<SettleAnswer> {
  const { names, sealer } = deployment;
  const { id, region, token, ats } = attempt;
  const { live, ended, outbox, held, frames, channel } = names;
  const { admitted, gate } = gateKeys(deployment, ending.opinion == null ? attempt : opinionOf(attempt));
  const reply = await runWithEntry(
    { deployment, id, entry: ending.entry },
    'settle',
    {
      ...fencedKeys(deployment, attempt),
      live,
      ended,
      outbox,
      admitted,
      gate,
      held,
      frames,
      breakers: names.breakers(region),
      kept: names.kept(id),
      toCopy: names.toCopy(id),
      copies: names.copies,
      evidence: names.evidence,
      deletions: names.deletions,
    },
    {
      token,
      ats,
      generation: ending.generation,
      id,
      channel,
      state: ending.state,
      reason: ending.reason === null ? '' : JSON.stringify(ending.reason),
      outboxEntry: followUpsText(ending.followUps),
      deletion: deletionText(ending.deletion ?? null),
      expiryMs: ending.expiryMs,
      frame: ending.frame,
      stored: ending.stored === null ? '' : sealer.seal(id, 'stored', JSON.stringify(ending.stored)),
      media: (ending.media ?? []).length === 0 ? '' : sealer.seal(id, 'media', JSON.stringify(ending.media)),
      opinion: ending.opinion == null ? '' : sealer.seal(id, 's:opinion', JSON.stringify(ending.opinion)),
      keepFrameMs: ending.keepFrameMs,
      ...passedArgs(ending.passed),
      ...keepArgs(ending.keep),
      ...evidenceArgs(ending.evidence ?? null),
    },
  );
  const [kind, state] = reply as [SettleAnswer['kind'], State | ''];
  if (kind === 'lost') return { kind };
  if (kind === 'ended') return { kind, state: state === '' ? null : state };
  return { kind, state: state as State };
}

function evidenceArgs(evidence: EvidenceRecord | null) {
  const { state = null, place = null, until = 0 } = evidence ?? {};
  return {
    evidenceText: evidence === null ? '' : JSON.stringify(evidence),
    evidencePlace: state !== 'pending' || place === null ? '' : placeText(place),
    evidenceUntil: until,
    copyMs: COPY_WITHIN_MS,
  };
}

export function keepArgs(keep: KeptSources | null | undefined): { keepMs: number; maxPayments: number } {
  return { keepMs: Math.floor(keep?.ms ?? 0), maxPayments: keep?.maxPayments ?? 0 };
}
