/** What a run leaves behind, for the oracle to judge: nothing in it is the word of a worker, but what the worker logged. */
import type { VerificationView } from '../../src/domain/view.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import type { Seen } from './witness.ts';

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
  /** Names an endpoint that is to be told. */
  readonly told: boolean;
  readonly liveData: Payload;
  readonly image: Payload;
}

/** A time in which something cannot be asked of anybody, ms since 1970. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly why: 'redis' | 'gate' | 'workers';
}

export interface Kill {
  readonly at: number;
  /** `host:port`s under which Redis knew the process. */
  readonly sources: readonly string[];
  /** From when on another process had slots free. */
  readonly freeAt: number;
}

export interface Limits {
  readonly qps: number;
  /** Of a paid call, the longer of the two lanes, ms. */
  readonly callMs: number;
  /** Work must go on so long after its worker died, ms. */
  readonly resumeMs: number;
  /** With work waiting, something is done about some of it so often, ms. */
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
  /** By id, at the end; null: Redis does not know it. */
  readonly views: ReadonlyMap<string, VerificationView | null>;
  /** The call log as it is on the disk. */
  readonly calls: readonly CallEntry[];
  readonly objects: readonly {
    readonly bucket: string;
    readonly key: string;
    readonly sizeBytes: number;
    readonly md5: string;
  }[];
  /** Frames in the frames folder, by path. */
  readonly frames: ReadonlyMap<string, Payload>;
  /** MD5s of objects that were overwritten at the vendor's: nobody must keep such a frame. */
  readonly forged: ReadonlySet<string>;
  readonly seen: readonly Seen[];
  readonly gaps: readonly { readonly from: number; readonly to: number | null }[];
  readonly kills: readonly Kill[];
  readonly windows: readonly Window[];
  readonly left: readonly LeftKey[];
  /** Texts in which nothing of a person may be, by where they lie. */
  readonly texts: ReadonlyMap<string, string>;
  /** What was planted to be looked for in them. */
  readonly canaries: readonly string[];
  readonly startedAt: number;
  readonly settledAt: number;
  /** Everything had ended, and been erased, in time. */
  readonly settled: boolean;
  /** Ids that may never be heard of again, and why: what a fault takes on itself. */
  readonly excused: ReadonlySet<string>;
  /** There was always more to do than slots: what is picked up waits for one. */
  readonly saturated: boolean;
  /** Ids that were erased on demand. */
  readonly erased: ReadonlySet<string>;
  /** Redis lost acknowledged writes, as its settings allow. */
  readonly lossy: boolean;
  /** What a fault found out by itself. */
  readonly findings: readonly { readonly invariant: string; readonly what: string }[];
}
