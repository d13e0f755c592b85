/** Erasing on demand: what is told afterwards, and what stands against it. No personal data in either but an operator's words. */
import type { Mode, UploadWay } from './verification.ts';

/** A verification that must not be erased, by anybody, until it is lifted. */
export interface LegalHold {
  readonly by: string;
  readonly why: string;
  /** ISO 8601. */
  readonly since: string;
}

/** What was deleted, and who says so; and what nobody here can say. */
export interface ErasureReceipt {
  readonly id: string;
  /** Whose it was. */
  readonly tenant?: string;
  readonly mode: Mode;
  /** ISO 8601. */
  readonly requestedAt: string;
  readonly by: string;
  readonly why: string;
  /** Journal, history and places in the indexes: gone in one step, when it was asked for. */
  readonly record: { readonly confirmedAt: string; readonly by: 'Redis' };
  /** The job in the queue; null until it is gone. */
  readonly job: Confirmation | null;
  /** Objects in the own bucket, with all versions; `not ours` by CreateUploadUrl. */
  readonly objects: (Confirmation & { readonly versions: number }) | 'not ours' | null;
  readonly frame: Confirmation | 'none' | null;
  /** Everything that can be confirmed is. */
  readonly complete: boolean;
  /** In words. */
  readonly notConfirmed: readonly string[];
}

export interface Confirmation {
  readonly confirmedAt: string;
  readonly by: 'Redis' | 'COS' | 'file system';
}

/** @param underWay somebody may have been uploading when it was asked for. */
export function notConfirmed(upload: UploadWay, underWay: boolean): string[] {
  return [
    ...(underWay
      ? [
          'an upload that was on its way when this was asked for: the bucket is looked through again within half an hour',
        ]
      : []),
    ...(upload === 'create-upload-url'
      ? ["the resources in Tencent's bucket: it has no call to delete them, and clears them about every two hours"]
      : []),
    'what Tencent Cloud keeps of its calls: that is a matter of your contract with it',
    "Redis's append-only file until it is rewritten, its replicas' files, and backups",
  ];
}

export interface EraseRequest {
  /** Who asks for it, and why: in the receipt. */
  readonly by: string;
  readonly why: string;
}

export type Erased =
  /** Gone from Redis; the receipt says what is still being deleted elsewhere. */
  | { readonly status: 'erased'; readonly receipt: ErasureReceipt }
  /** It was erased before. */
  | { readonly status: 'gone'; readonly receipt: ErasureReceipt | null }
  | { readonly status: 'missing' }
  /** Null where it was lifted just now. */
  | { readonly status: 'legal hold'; readonly hold: LegalHold | null };
