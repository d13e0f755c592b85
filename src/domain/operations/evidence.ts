/** Which evidence is kept: for how many days, in which bucket and folder, and how long it is tried to copy it. */
import type { EvidenceRecord } from '../verification/evidence.ts';
import type { Region } from '../verification/regions.ts';
import { tenantFolder } from './tenants.ts';

const DAY_MS = 86_400_000;
/**
 * For so long after the end of a verification, its evidence is copied. Then what is missing is given up, because the sources must
 * not stay longer: a lifecycle rule deletes objects in the own bucket after a day.
 */
export const COPY_WITHIN_MS = DAY_MS;

/** The deployment's settings. */
export interface EvidenceSettings {
  /** The bucket of each region. Empty: no evidence is kept. */
  readonly buckets: ReadonlyMap<Region, string>;
  /** For how many days. 0: only for tenants whose policy says so. */
  readonly days: number;
  /** Folder in the buckets. */
  readonly folder: string;
}

interface Decided {
  readonly id: string;
  readonly tenant: string | null;
  readonly region: Region;
  readonly decidedAt: number;
  /** What the record says already, from an earlier end. */
  readonly before: EvidenceRecord | null;
}

/**
 * The evidence that a decided verification is to have. A lock never becomes shorter.
 * @param days of the tenant's policy, else of the settings. @returns null: none.
 */
export function planEvidence(
  { id, tenant, region, decidedAt, before }: Decided,
  { buckets, folder }: EvidenceSettings,
  days: number,
): EvidenceRecord | null {
  if (days === 0) return before;
  const until = Math.max(before?.until ?? 0, lockEnd(decidedAt, days));
  const bucket = buckets.get(region);
  const place = bucket === undefined ? null : { region, bucket, folder: evidenceFolder(folder, { id, tenant }) };
  const { objects = [], missing = [] } = before ?? {};
  return { state: place === null ? 'incomplete' : 'pending', until, place: before?.place ?? place, objects, missing };
}

/** Folder of a verification's evidence. @param folder of the deployment */
export function evidenceFolder(
  folder: string,
  { id, tenant }: { readonly id: string; readonly tenant: string | null },
): string {
  return `${tenantFolder(folder, tenant)}/${id}/`;
}

/** COS may keep whole seconds only. */
function lockEnd(decidedAt: number, days: number): number {
  return Math.ceil((decidedAt + days * DAY_MS) / 1_000) * 1_000;
}
