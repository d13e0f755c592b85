/** Reads the evidence of one verification. Needs the bucket and the key ring, and neither Redis nor a record. */
import { localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { evidenceFolder } from '../domain/operations/evidence.ts';
import type { EvidenceBuckets } from '../domain/ports.ts';
import {
  ANSWER,
  ANSWER_FIELD,
  type EvidenceAnswer,
  type EvidenceName,
  evidenceKey,
  evidenceName,
} from '../domain/verification/evidence.ts';
import type { Region } from '../domain/verification/regions.ts';
import { Sealer } from '../redis/sealer.ts';
import type { Config } from './config.ts';

export interface FoundEvidence {
  readonly region: Region;
  /** Null if the answer is not copied. */
  readonly answer: EvidenceAnswer | null;
  /** `lockedUntil`: ISO 8601; null: the object is not locked. */
  readonly objects: readonly { readonly name: EvidenceName; readonly lockedUntil: string | null }[];
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** @returns null if no bucket has evidence of it. @throws Failure SEAL_KEY_MISSING, or EVIDENCE_ALTERED if the answer is not its own */
export async function readEvidence(
  { evidence, keyRing, tenant }: Pick<Config, 'evidence' | 'keyRing' | 'tenant'>,
  buckets: EvidenceBuckets,
  id: string,
  signal: AbortSignal,
): Promise<FoundEvidence | null> {
  const place = { folder: evidenceFolder(evidence.folder, { id, tenant: tenant ?? null }) };
  for (const region of evidence.buckets.keys()) {
    const bucket = buckets.of(region);
    const listed = await bucket.list(place.folder, signal);
    if (listed.length === 0) continue;
    const sealed = await bucket.read(evidenceKey(place, ANSWER), MAX_ANSWER_BYTES, signal);
    const objects = listed.flatMap(({ key, until }) => {
      const name = evidenceName(key);
      return name === null ? [] : [{ name, lockedUntil: until === 0 ? null : new Date(until).toISOString() }];
    });
    return { region, answer: sealed === null ? null : openAnswer(new Sealer(keyRing), id, sealed), objects };
  }
  return null;
}

function openAnswer(sealer: Sealer, id: string, sealed: string): EvidenceAnswer {
  const text = sealer.openSealed(id, ANSWER_FIELD, sealed);
  if (text !== null) return JSON.parse(text) as EvidenceAnswer;
  const message = 'the answer was not sealed for this verification: it was changed, or copied here';
  throw localFailure(CODES.EVIDENCE_ALTERED, message, { field: 'id' });
}
