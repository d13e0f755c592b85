/** A verify worker as an operator sees it. */
import type { Region } from '../verification/actions.ts';

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
  /** ISO 8601, by the worker's own clock. */
  readonly since: string;
}
