/** A gate as an operator sees it. A gate controls the calls of one region and action. */
import type { GatedAction } from '../verification/actions.ts';
import type { Region } from '../verification/regions.ts';

/** State of the gate for one region and action. */
export interface GateView {
  readonly region: Region;
  readonly action: GatedAction;
  /** `closed`: by Bestframe or an operator; a successful probe reopens the gate. `paused`: by an operator, until `resume`. */
  readonly state: 'open' | 'closed' | 'paused';
  /** Code of the failure that closed the gate; null if it is open. */
  readonly code: string | null;
  /** What to do about the code. */
  readonly advice: string | null;
  /** ISO 8601. */
  readonly since: string | null;
  /** ISO 8601. */
  readonly nextProbeAt: string | null;
  /** Probes since the gate closed. */
  readonly probes: number;
  /** `account` or `budget` if Bestframe itself closed or opened the gate; otherwise the operator's name. */
  readonly by: string | null;
  /** The operator's reason. */
  readonly why: string | null;
  /** Slow-down after throttling: 1 is full speed, 2 is half the rate limit. */
  readonly pace: number;
  /** Verifications that were admitted to upload and have not finished `detect`. */
  readonly admitted: number;
}

/** `open`, `close`: an operator does what Bestframe also does by itself. `pause`: stops all calls until `resume`. */
export const GATE_COMMANDS = ['open', 'close', 'pause', 'resume'] as const;
export type GateCommand = (typeof GATE_COMMANDS)[number];
