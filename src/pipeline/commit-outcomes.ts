/** Writes the outcomes of unpaid stages to the journal. */
import type { HistoryEntry } from '../domain/verification/history.ts';
import { describeSentParameters } from '../domain/verification/sent-parameters.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { StageCommit } from '../redis/scripts/commit-stage.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { CallWithheld } from './payment.ts';

type Tools = Pick<AttemptTools, 'journal' | 'breakers' | 'objectFolder'>;

export function commitUpload(
  tools: Tools,
  lease: Lease,
  record: JournalRecord,
  { stage, ms }: { readonly stage: 'upload' | 'read'; readonly ms: number },
): Promise<void> {
  const { id, order, outcomes } = record;
  const { upload } = outcomes;
  const folder = `${tools.objectFolder}/${id}`;
  const sent = upload === undefined ? {} : { sent: describeSentParameters(upload, folder, order?.liveness) };
  const entry: HistoryEntry = { at: Date.now(), event: 'done', stage, ms, ...sent };
  return commit(tools, lease, record, { stage: 'upload', outcome: upload, entry });
}

/**
 * Usually the outcome of the download is written with the end. If a second opinion follows, an attempt that asks for it again must not
 * depend on the link to the frame.
 * @param entry the download's history entry; null: there was nothing to fetch
 */
export function commitDownload(
  tools: Tools,
  lease: Lease,
  record: JournalRecord,
  entry: HistoryEntry | null,
): Promise<void> {
  const stage = 'download';
  const written = entry ?? { at: Date.now(), event: 'done', stage };
  return commit(tools, lease, record, { stage, outcome: record.outcomes.download, entry: written });
}

/** @throws CallWithheld if the attempt has lost its job, or the verification has ended or was cancelled. */
export async function commit(
  { journal, breakers }: Pick<Tools, 'journal' | 'breakers'>,
  lease: Lease,
  { generation }: Pick<JournalRecord, 'generation'>,
  outcome: Pick<StageCommit, 'stage' | 'outcome' | 'entry'>,
): Promise<void> {
  const answer = await lease.guard(journal.commit({ ...outcome, generation, passed: breakers.takePassed() }));
  if (answer !== 'ok') throw new CallWithheld({ why: answer });
}
