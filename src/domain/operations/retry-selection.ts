/**
 * Decides which ended verifications a retry selects. This is a file of its own because it needs the error table, which the HTTP
 * client does not load.
 */
import { explain } from '../errors/index.ts';
import type { VerificationView } from '../verification/view.ts';
import type { RetrySelection } from './retries.ts';

/** Whether a verification that failed or lost its frame matches the selection. @param until ms since 1970. */
export function isSelected(
  {
    state,
    frame,
    reason,
    region,
    endedAt,
    history,
  }: Pick<VerificationView, 'state' | 'frame' | 'reason' | 'region' | 'endedAt' | 'history'>,
  selection: RetrySelection,
  until: number,
): boolean {
  if (state !== 'failed' && !(state === 'completed' && frame === 'lost')) return false;
  const at = Date.parse(endedAt ?? '');
  if (!(at >= Date.parse(selection.since ?? '') && at <= until)) return false;
  if (selection.region !== undefined && selection.region !== region) return false;
  // `reason` may be the reason for a decision. Then only the `ended` entry of the history says why the frame was lost.
  const lostFor = frame === 'lost' ? history.findLast(({ event }) => event === 'ended')?.code : undefined;
  const code = lostFor ?? reason?.code;
  const kind = lostFor === undefined ? reason?.class : explain(lostFor)?.class;
  // A verification that waited for the end of an outage until its deadline is selected by the outage, too.
  const reasons = [{ code, class: kind }, ...(reason?.waitedFor === undefined ? [] : [reason.waitedFor])];
  return reasons.some(
    (each) =>
      (selection.class === undefined || selection.class === each.class) &&
      (selection.code === undefined || selection.code === each.code),
  );
}
