/** Faults that tests inject over the control port. Each applies to a limited number of the calls that match it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';

const common = {
  service: z.enum(['faceid', 'cos', 'origin', 'sts', 'metadata']).exactOptional(),
  action: z.string().exactOptional(),
  region: z.string().exactOptional(),
  /** A substring of `bucket/key`. */
  object: z.string().exactOptional(),
  /** How many calls the fault applies to; `null` means all, until the faults are cleared. @default 1 */
  times: z.int().positive().nullable().exactOptional(),
  /** The share of matching calls that fail, from 0 to 1. @default 1 */
  share: z.number().min(0).max(1).exactOptional(),
};
const code = z.string().min(1);
const status = z.int().min(200).max(599);
const path = z.string().regex(/^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/);
const when = z.enum(['before', 'after']).exactOptional();

export const faultSchema = z.discriminatedUnion('kind', [
  /**
   * Answers an error without performing the call. `status` (default 503) applies only to COS and origins, because FaceID's errors
   * always have status 200.
   */
  z.strictObject({
    ...common,
    kind: z.literal('error'),
    code,
    message: z.string().exactOptional(),
    status: status.exactOptional(),
  }),
  /** FaceID only: answers this code as the Result, without performing the call. */
  z.strictObject({
    ...common,
    kind: z.literal('result'),
    code,
    similarity: z.number().min(0).max(100).exactOptional(),
  }),
  /** Answers HTML like a gateway, without performing the call. */
  z.strictObject({ ...common, kind: z.literal('status'), status, retryAfterS: z.int().min(0).exactOptional() }),
  /**
   * FaceID only: performs the call, then changes the shape of the answer: first renames the fields in `move`, then deletes those
   * in `remove`, then sets those in `set` to the values given there. A field of an object is written `BestFrame.Url`.
   */
  z.strictObject({
    ...common,
    kind: z.literal('shape'),
    move: z.record(path, path).exactOptional(),
    remove: z.array(path).exactOptional(),
    set: z.record(path, z.unknown()).exactOptional(),
  }),
  /** Waits before performing the call. */
  z.strictObject({ ...common, kind: z.literal('delay'), ms: z.number().min(0) }),
  /** Closes the connection without an answer, before or after (default) performing the call. */
  z.strictObject({ ...common, kind: z.literal('drop'), when }),
  /** Sends half of the answer, then closes the connection. */
  z.strictObject({ ...common, kind: z.literal('cut') }),
  /** Holds the call until it is released, before (default) or after performing it. */
  z.strictObject({ ...common, kind: z.literal('hold'), when }),
]);

export type Fault = z.infer<typeof faultSchema>;

export interface CallFacts {
  readonly service: 'faceid' | 'cos' | 'origin' | 'sts' | 'metadata';
  readonly action: string;
  readonly region?: string;
  readonly objects?: readonly string[];
}

/** A fault that applies to one call. */
export interface ClaimedFault {
  readonly fault: Fault;
  /** Resolves when the fault is released or cleared. */
  readonly released: Promise<void>;
}

interface ActiveFault extends ClaimedFault {
  remainingUses: number;
  readonly release: () => void;
}

export class Faults {
  /** Faults by id, in the order in which they were added. Used-up faults stay, so that the calls they hold can be released. */
  readonly #faults = new Map<string, ActiveFault>();

  /** @returns the fault's id. */
  add(fault: Fault): string {
    const id = randomUUID();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const remainingUses = fault.times === null ? Number.POSITIVE_INFINITY : (fault.times ?? 1);
    this.#faults.set(id, { fault, remainingUses, released, release });
    return id;
  }

  /** Finds the first fault that applies to the call, and counts one use of the fault. */
  claim(call: CallFacts): ClaimedFault | null {
    for (const active of this.#faults.values()) {
      const { fault } = active;
      if (active.remainingUses > 0 && matches(fault, call) && Math.random() < (fault.share ?? 1)) {
        active.remainingUses -= 1;
        return active;
      }
    }
    return null;
  }

  /** Releases the calls that a fault holds, and ends the fault. @returns false if there is no such fault. */
  release(id: string): boolean {
    const active = this.#faults.get(id);
    if (active === undefined) return false;
    active.remainingUses = 0;
    active.release();
    return true;
  }

  clear(): void {
    for (const id of this.#faults.keys()) this.release(id);
    this.#faults.clear();
  }
}

function matches(fault: Fault, call: CallFacts): boolean {
  return (
    ((fault.kind !== 'result' && fault.kind !== 'shape') || call.service === 'faceid') &&
    (fault.service === undefined || fault.service === call.service) &&
    (fault.action === undefined || fault.action === call.action) &&
    (fault.region === undefined || fault.region === call.region) &&
    (fault.object === undefined || (call.objects ?? []).some((object) => object.includes(fault.object ?? '')))
  );
}
