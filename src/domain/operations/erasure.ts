/** Erasure on demand: request, result and receipt. The only personal data in them are the operator's name and reason. */

import type { LegalHold } from '../verification/legal-hold.ts';
import type { Mode } from '../verification/mode.ts';
import type { UploadWay } from '../verification/request.ts';
import { type DataFate, describeData } from './data-map.ts';

/** The receipt as Redis stores it. */
export interface StoredReceipt {
  /** Id of the erased verification. */
  readonly id: string;
  /** The tenant that owned the verification. */
  readonly tenant?: string;
  readonly mode: Mode;
  /** ISO 8601. */
  readonly requestedAt: string;
  readonly by: string;
  readonly why: string;
  /** Journal, history and index entries. They are deleted in one step, at the time of the request. */
  readonly record: { readonly confirmedAt: string; readonly by: 'Redis' };
  /** The job in the queue; null until it is deleted. */
  readonly job: Confirmation | null;
  /** Objects in the company's own bucket, with all versions; `not_ours` after CreateUploadUrl; null until they are deleted. */
  readonly objects: (Confirmation & { readonly versions: number }) | 'not_ours' | null;
  /** `none` if there was no frame; null until it is deleted. */
  readonly frame: Confirmation | 'none' | null;
  /**
   * The evidence. Under lock it cannot be deleted: then `lockedUntil` says until when (ISO 8601), and it is deleted afterwards. `none`
   * if there was none; null until the bucket was asked.
   */
  readonly evidence?: EvidenceErasure | null;
  /** True when everything that can be confirmed is confirmed. Evidence under lock is deleted later. */
  readonly complete: boolean;
  /** Copies that may remain, in plain English. */
  readonly notConfirmed: readonly string[];
  /** Redis's time when everything was confirmed, ms since 1970. */
  readonly completeAt?: number;
}

/**
 * Whether Redis has rewritten its append-only file since everything was deleted. `off`: it has none. `unknown`: Redis does not tell.
 */
export type AofState = 'rewritten' | 'not_yet' | 'off' | 'unknown';

/** What was deleted, which system confirmed it, and what Bestframe cannot confirm. */
export interface ErasureReceipt extends Omit<StoredReceipt, 'completeAt' | 'evidence'> {
  readonly evidence: EvidenceErasure | null;
  readonly aof: AofState;
  /** Every class of data that Bestframe handles, and what became of it. */
  readonly data: readonly DataFate[];
}

/** What became of the evidence of an erased verification. `lockedUntil`: the end of the last lock, ISO 8601. */
export type EvidenceErasure =
  | 'none'
  | (Confirmation & { readonly versions: number; readonly lockedUntil?: never })
  | { readonly lockedUntil: string; readonly objects: readonly string[] };

/** @param now the state of the append-only file at this moment */
export function presentReceipt({ completeAt: _time, ...stored }: StoredReceipt, aof: AofState): ErasureReceipt {
  const { evidence = 'none' } = stored; // receipts of earlier versions do not say it
  const notConfirmed = [...stored.notConfirmed, ...lockedEvidence(evidence), REDIS_FILES[aof]];
  return { ...stored, evidence, notConfirmed, aof, data: describeData({ ...stored, evidence }) };
}

function lockedEvidence(evidence: EvidenceErasure | null): string[] {
  if (evidence === null || evidence === 'none' || evidence.lockedUntil === undefined) return [];
  return [
    `the evidence (${evidence.objects.join(', ')}): it is locked until ${evidence.lockedUntil}, and deleted then`,
  ];
}

const REDIS_FILES: Readonly<Record<AofState, string>> = {
  rewritten: "the files of Redis's replicas, and backups",
  not_yet: "Redis's append-only file until it is rewritten, the files of its replicas, and backups",
  off: "Redis's snapshots until they are replaced, the files of its replicas, and backups",
  unknown: "Redis's append-only file until it is rewritten, the files of its replicas, and backups",
};

/** Who confirmed a deletion, and when. */
export interface Confirmation {
  /** ISO 8601. */
  readonly confirmedAt: string;
  readonly by: 'Redis' | 'COS' | 'file system';
}

/**
 * Describes the copies that an erasure cannot confirm as deleted.
 *
 * @param options.uploadMayRun whether a worker may have been uploading at the time of the request.
 */
export function describeUnconfirmed(options: { upload: UploadWay; uploadMayRun: boolean }): string[] {
  const { upload, uploadMayRun } = options;
  return [
    ...(uploadMayRun
      ? ['an upload that was running at the time of the request: the bucket is checked again within half an hour']
      : []),
    ...(upload === 'create-upload-url'
      ? [
          "the resources in Tencent's bucket: there is no call to delete them, and Tencent clears them about every two hours",
        ]
      : []),
    "Tencent Cloud's own records of its calls: your contract with Tencent governs them",
  ];
}

/** Who erases a verification, and why. */
export interface EraseRequest {
  /** Operator who asks for the erasure; stored in the receipt. */
  readonly by: string;
  /** Reason for the erasure; stored in the receipt. */
  readonly why: string;
}

/** The result of an erasure. */
export type EraseResult =
  /** Deleted from Redis. The receipt says what is still being deleted elsewhere. */
  | { readonly status: 'erased'; readonly receipt: ErasureReceipt }
  /** Erased at an earlier time. The receipt is null after its retention has ended. */
  | { readonly status: 'gone'; readonly receipt: ErasureReceipt | null }
  | { readonly status: 'missing' }
  /** Not erased. The hold is null if it was lifted in the meantime. */
  | { readonly status: 'legal_hold'; readonly hold: LegalHold | null };
