import type { EvidenceRecord } from '../../domain/verification/evidence.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** @returns whether the record says it now. It does not if the verification was erased, or if its evidence was given up. */
export async function recordEvidence(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  id: string,
  evidence: EvidenceRecord,
): Promise<boolean> {
  const { copies, counters } = names;
  const reply = await runScript(
    redis,
    'record-evidence',
    { journal: names.journal(id), toCopy: names.toCopy(id), copies, counters },
    {
      id,
      evidence: JSON.stringify(evidence),
      done: evidence.state === 'pending' ? 0 : 1,
      incomplete: evidence.state === 'incomplete' ? 1 : 0,
    },
  );
  return reply === 'recorded';
}
