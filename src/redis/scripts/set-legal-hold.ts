import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { LegalHold } from '../../domain/verification/legal-hold.ts';
import type { Deployment } from '../deployment.ts';
import { runWithEntry } from './run-with-entry.ts';

export interface LegalHoldChange {
  /** The new hold. Null lifts the current hold. */
  readonly hold: LegalHold | null;
  readonly entry: HistoryEntry;
  /** How long the record is kept. This time starts again when the hold is lifted. */
  readonly expiryMs: number;
}

export async function setLegalHold(
  deployment: Deployment,
  { id, subject }: { id: string; subject: string | null },
  { hold, entry, expiryMs }: LegalHoldChange,
): Promise<'ok' | 'missing'> {
  const { names, sealer } = deployment;
  const journal = names.journal(id);
  const reply = await runWithEntry(
    { deployment, id, entry },
    'set-legal-hold',
    {
      journal,
      history: names.history(id),
      subjectIndex: subject === null ? journal : names.subject(subject),
    },
    {
      hold: hold === null ? '' : sealer.seal(id, 'legal', JSON.stringify(hold)),
      expiryMs,
    },
  );
  return reply as 'ok' | 'missing';
}
