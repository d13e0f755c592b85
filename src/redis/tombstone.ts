/** What a tombstone keeps until everything outside Redis is deleted. */
import type { EvidenceRecord } from '../domain/verification/evidence.ts';
import type { MediaName } from '../domain/verification/flows.ts';
import type { StoredFrame, StoredMedium } from '../domain/verification/outcomes.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { FrameTarget, Order, UploadWay } from '../domain/verification/request.ts';
import { readPacked } from './record.ts';
import type { Sealer } from './sealer.ts';

/** What an erasure on demand still has to delete outside Redis. */
export interface Tombstone {
  readonly region: Region;
  readonly upload: UploadWay;
  readonly stored: StoredFrame | null;
  /** Where the frame would have been stored. A worker may have stored it there just when the record was erased. */
  readonly target: FrameTarget | null;
  /** What a session wanted besides the frame; it may be stored too. */
  readonly media: readonly MediaName[];
  /** What it had stored, if it had ended. */
  readonly storedMedia: readonly StoredMedium[];
  readonly evidence: EvidenceRecord | null;
}

/** @returns null if nothing is left to delete. @throws Failure SEAL_KEY_MISSING */
export function readTombstone(id: string, hash: Readonly<Record<string, string>>, sealer: Sealer): Tombstone | null {
  if (hash.erased === undefined || hash.pending === undefined) return null;
  const open = (field: string) => {
    const value = hash[field];
    return value === undefined ? undefined : sealer.open(id, field, value);
  };
  const { region, upload } = readPacked(hash.rq ?? '');
  const order = parsed<Pick<Order, 'frame' | 'session'>>(open('src'));
  const media = parsed<StoredMedium[]>(open('media')) ?? [];
  return {
    region,
    upload,
    stored: parsed<StoredFrame>(open('stored')),
    target: order?.frame ?? null,
    media: order?.session?.media ?? [],
    storedMedia: media,
    evidence: parsed<EvidenceRecord>(hash.ev),
  };
}

function parsed<T>(text: string | undefined): T | null {
  return text === undefined ? null : (JSON.parse(text) as T);
}
