/** A gate as an operator sees it: what lets the calls of one region and action through, or holds them back. */
import type { GatedAction, Region } from './actions.ts';

export interface GateView {
  readonly region: Region;
  readonly action: GatedAction;
  /** `paused` is an operator's, and outlives what the breaker does beneath it. */
  readonly state: 'open' | 'closed' | 'paused';
  /** Why it is not open. */
  readonly code: string | null;
  readonly advice: string | null;
  /** ISO 8601. */
  readonly since: string | null;
  readonly nextProbeAt: string | null;
  readonly probes: number;
  /** `breaker`, or the operator. */
  readonly by: string | null;
  readonly why: string | null;
  /** How many times slower than its limit it goes, after throttling. */
  readonly pace: number;
  /** Uploaded and not yet detected. */
  readonly admitted: number;
}

export const STEERS = ['open', 'close', 'pause', 'resume'] as const;
export type Steer = (typeof STEERS)[number];
