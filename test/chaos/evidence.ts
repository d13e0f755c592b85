/** The evidence that a run leaves for the oracle. Workers contribute only their logs; the rest is observed from outside. */
import type { VerificationView } from '../../src/domain/verification/view.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import type { ExecutedCommand } from './witness.ts';

export interface Payload {
  readonly md5: string;
  readonly bytes: number;
}

/** An enqueue that was acknowledged. */
export interface Accepted {
  readonly id: string;
  readonly key: string;
  readonly status: 'new' | 'same';
  readonly at: number;
  readonly upload: 'own-bucket' | 'create-upload-url';
  readonly lane: 'interactive' | 'batch';
  readonly card: string;
  /** The caller, if the fault distinguishes callers. */
  readonly caller?: string;
  /** Whether the request names a webhook endpoint. */
  readonly hasWebhook: boolean;
  readonly liveData: Payload;
  readonly image: Payload;
}

/** A period during which a part of the world is down, so that the oracle expects no progress. In ms since 1970. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly why: 'redis' | 'gate' | 'workers' | 'vendor';
}

/** A host that only one caller uses does not answer during this period. In ms since 1970. */
export interface Stall {
  readonly from: number;
  /** If a verification of another caller was accepted between `from` and this time, it must end before `to`. */
  readonly acceptedUntil: number;
  readonly to: number;
  readonly caller: string;
}

export interface Kill {
  readonly at: number;
  /** The `host:port` of each connection that the process had to Redis. */
  readonly sources: readonly string[];
  /** The time at which another process first had free slots for the work of the killed process. */
  readonly freeAt: number;
}

export interface Limits {
  readonly qps: number;
  /** The time limit of a paid call in the lane with the longer limit, in ms. */
  readonly callMs: number;
  /** Work must resume within this time after its worker died, in ms. */
  readonly resumeMs: number;
  /** While work is waiting, some of it must progress at least this often, in ms. */
  readonly standstillMs: number;
  readonly maxPayments: number;
  readonly crashBudget: number;
}

export interface LeftKey {
  readonly key: string;
  readonly type: string;
  readonly size: number;
}

export interface Evidence {
  readonly prefix: string;
  readonly limits: Limits;
  readonly accepted: readonly Accepted[];
  /** The final views by id. Null means that Redis does not know the verification. */
  readonly views: ReadonlyMap<string, VerificationView | null>;
  /** The ledger of all days. */
  readonly ledger: { readonly paidCalls: number; readonly possiblyPaidCalls: number };
  /** The emulator's call log as it is on disk. */
  readonly calls: readonly CallEntry[];
  readonly objects: readonly {
    readonly bucket: string;
    readonly key: string;
    readonly sizeBytes: number;
    readonly md5: string;
  }[];
  /** Frames in the frames folder, by path. */
  readonly frames: ReadonlyMap<string, Payload>;
  /** MD5s of objects that were overwritten at the vendor. No frame with such an MD5 may be stored. */
  readonly forged: ReadonlySet<string>;
  readonly executed: readonly ExecutedCommand[];
  readonly gaps: readonly { readonly from: number; readonly to: number | null }[];
  readonly kills: readonly Kill[];
  readonly windows: readonly Window[];
  readonly stalls: readonly Stall[];
  readonly left: readonly LeftKey[];
  /** Texts that must not contain personal data, by the place where they were found. */
  readonly texts: ReadonlyMap<string, string>;
  /** The planted values that must not occur in `texts`. */
  readonly canaries: readonly string[];
  readonly startedAt: number;
  readonly settledAt: number;
  /** Whether everything ended and was erased in time. */
  readonly settled: boolean;
  /** Ids of verifications that need not end, because the fault removes them. */
  readonly excused: ReadonlySet<string>;
  /** Whether there was always more work than slots, so that recovered work had to wait for a slot. */
  readonly saturated: boolean;
  /** Ids that were erased on demand. */
  readonly erased: ReadonlySet<string>;
  /** Whether the fault may make Redis lose acknowledged writes, for example at a failover. */
  readonly lossy: boolean;
  /** Violations found by the fault's own checks, in addition to those that the invariants find. */
  readonly findings: readonly { readonly invariant: string; readonly message: string }[];
}
