/** A verify worker as an operator sees it. */
import type { Region } from '../verification/regions.ts';

/** How many verifications a worker process runs, and how many it may run at the same time in all of its regions together. */
export interface Slots {
  readonly used: number;
  readonly of: number;
}

export interface WorkerView {
  /** Host name and process id. @example 'worker-3:4711' */
  readonly worker: string;
  readonly regions: readonly Region[];
  /** `out_of_service`: the worker's machine has a fault, and the worker takes no work until the fault is repaired. */
  readonly state: 'ready' | 'out_of_service';
  /** Code of the machine's fault; null if the worker is ready. */
  readonly code: string | null;
  /** What to do about the code. */
  readonly advice: string | null;
  /** Since when the worker is in this state. ISO 8601, by the worker's own clock. */
  readonly since: string;
  /** Version of Bestframe. */
  readonly version: string;
  /** As of the last heartbeat. */
  readonly slots: Slots;
  /** Time of the last heartbeat by Redis's clock, ISO 8601. */
  readonly lastBeat: string;
}
