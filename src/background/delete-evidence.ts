/**
 * Deletes evidence whose lock has ended, and confirms it in the receipt of an erasure if there was one. The index of evidence lives
 * longer than the records, so it says where the objects are.
 */
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import type { EvidenceBuckets } from '../domain/ports.ts';
import { parsePlace } from '../domain/verification/evidence.ts';
import type { Deployment } from '../redis/deployment.ts';
import { readReceipt, writeReceipt } from '../redis/erasures.ts';
import { dropEvidence, evidenceDue, forgetEvidence, postponeEvidence } from '../redis/evidence.ts';
import { readJournal } from '../redis/read-records.ts';
import { confirmedBy } from './finish-erasure.ts';

interface Tools {
  readonly deployment: Deployment;
  readonly evidence: EvidenceBuckets;
  readonly log: Logger;
}

const BATCH = 100;
/** Verifications whose evidence is deleted at the same time. */
const DELETIONS = 8;
const REMOVE_MS = 60_000;
/** If evidence cannot be deleted now, its deletion is tried again after this time. */
const RETRY_MS = 10 * 60_000;

/** @returns for how many verifications all evidence is deleted. */
export async function deleteDueEvidence(tools: Tools, now: number): Promise<number> {
  const due = await evidenceDue(tools.deployment, now, BATCH);
  let deleted = 0;
  for (let at = 0; at < due.length; at += DELETIONS) {
    const results = await Promise.all(due.slice(at, at + DELETIONS).map((text) => deleteOne(text, tools, now)));
    deleted += results.filter(Boolean).length;
  }
  return deleted;
}

/** @returns whether everything at the place is deleted. If not, it is tried again later. */
async function deleteOne(text: string, tools: Tools, now: number): Promise<boolean> {
  const { deployment, log } = tools;
  const place = parsePlace(text);
  if (place === null) {
    await dropEvidence(deployment, text);
    return false;
  }
  try {
    const later = await deleteAt(text, place, tools, now);
    if (later !== null) await postponeEvidence(deployment, text, later);
    return later === null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    log.warn({ id: place.id, event: 'evidence_not_deleted', code: error.code }, 'evidence could not be deleted yet');
    await postponeEvidence(deployment, text, now + RETRY_MS);
    return false;
  }
}

/** @returns null if everything is deleted; otherwise when to try again, ms since 1970. */
async function deleteAt(
  text: string,
  { id, region, bucket, folder }: NonNullable<ReturnType<typeof parsePlace>>,
  { deployment, evidence }: Tools,
  now: number,
): Promise<number | null> {
  const record = await readJournal(deployment, id);
  if (record?.legalHold != null) return now + RETRY_MS; // the legal hold may be lifted later
  const removed = await evidence.of(region, bucket).removeUnlocked(folder, now, AbortSignal.timeout(REMOVE_MS));
  if (removed.locked.length > 0) return Math.max(...removed.locked.map(({ until }) => until));
  const receipt = await readReceipt(deployment, id);
  if (receipt !== null)
    await writeReceipt(deployment, { ...receipt, evidence: { ...confirmedBy('COS'), versions: removed.versions } });
  if (record !== null) await forgetEvidence(deployment, id);
  await dropEvidence(deployment, text);
  return null;
}
