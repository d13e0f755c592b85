/** What is to go wrong, told over the control port. A fault takes part in the calls that it matches, so often and no more. */
import { randomUUID } from 'node:crypto';

interface Common {
  readonly service?: 'faceid' | 'cos' | 'origin';
  readonly action?: string;
  readonly region?: string;
  /** A part of `bucket/key`. */
  readonly object?: string;
  /** How many calls; default 1. `null`: all, until the faults are cleared. */
  readonly times?: number | null;
  /** Of the calls that match, this share, from 0 to 1; default 1. */
  readonly share?: number;
}

export type Fault = Common &
  (
    | { readonly kind: 'error'; readonly code: string; readonly message?: string; readonly status?: number }
    | { readonly kind: 'result'; readonly code: string; readonly similarity?: number }
    | { readonly kind: 'status'; readonly status: number; readonly retryAfterS?: number }
    | { readonly kind: 'delay'; readonly ms: number }
    /** Hangs up without an answer, after the call was done (default) or before. */
    | { readonly kind: 'drop'; readonly when?: 'before' | 'after' }
    /** Half of the answer, then hangs up. */
    | { readonly kind: 'cut' }
    /** Holds the call back until it is released, before it is done (default) or before it is answered. */
    | { readonly kind: 'hold'; readonly when?: 'before' | 'after' }
  );

export interface CallFacts {
  readonly service: 'faceid' | 'cos' | 'origin';
  readonly action: string;
  readonly region?: string;
  readonly objects?: readonly string[];
}

export interface Taken {
  readonly id: string;
  readonly fault: Fault;
  readonly released: Promise<void>;
}

interface Standing {
  readonly id: string;
  readonly fault: Fault;
  left: number;
  readonly released: Promise<void>;
  readonly release: () => void;
}

export class Faults {
  readonly #standing: Standing[] = [];
  /** Released once, also for calls that are held after their fault was used up. */
  readonly #all = new Map<string, Standing>();

  add(fault: Fault): string {
    const id = randomUUID();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const standing = {
      id,
      fault,
      left: fault.times === null ? Number.POSITIVE_INFINITY : (fault.times ?? 1),
      released,
      release,
    };
    this.#standing.push(standing);
    this.#all.set(id, standing);
    return id;
  }

  /** The first fault that matches, counted as used. */
  take(call: CallFacts): Taken | null {
    const standing = this.#standing.find(
      ({ fault, left }) => left > 0 && matches(fault, call) && Math.random() < (fault.share ?? 1),
    );
    if (standing === undefined) return null;
    standing.left -= 1;
    return standing;
  }

  /** Lets go of what a `hold` holds, and of what it would hold. */
  release(id: string): boolean {
    const standing = this.#all.get(id);
    if (standing === undefined) return false;
    standing.left = 0;
    standing.release();
    return true;
  }

  clear(): void {
    for (const id of this.#all.keys()) this.release(id);
    this.#standing.length = 0;
    this.#all.clear();
  }
}

function matches(fault: Fault, call: CallFacts): boolean {
  return (
    (fault.service === undefined || fault.service === call.service) &&
    (fault.action === undefined || fault.action === call.action) &&
    (fault.region === undefined || fault.region === call.region) &&
    (fault.object === undefined || (call.objects ?? []).some((object) => object.includes(fault.object ?? '')))
  );
}
