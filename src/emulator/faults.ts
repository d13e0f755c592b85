/** What is to go wrong, told over the control port. A fault takes part in the calls that it matches, so often and no more. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';

const common = {
  service: z.enum(['faceid', 'cos', 'origin']).exactOptional(),
  action: z.string().exactOptional(),
  region: z.string().exactOptional(),
  /** A part of `bucket/key`. */
  object: z.string().exactOptional(),
  /** How many calls; default 1. `null`: all, until the faults are cleared. */
  times: z.int().positive().nullable().exactOptional(),
  /** Of the calls that match, this share, from 0 to 1; default 1. */
  share: z.number().min(0).max(1).exactOptional(),
};
const code = z.string().min(1);
const status = z.int().min(200).max(599);
const when = z.enum(['before', 'after']).exactOptional();

export const faultSchema = z.discriminatedUnion('kind', [
  /** Nothing is done. `status` is for COS and origins; default 503. FaceID says errors under 200. */
  z.strictObject({
    ...common,
    kind: z.literal('error'),
    code,
    message: z.string().exactOptional(),
    status: status.exactOptional(),
  }),
  /** FaceID's other channel: an answer whose Result is this code. Nothing is done, no other service takes part. */
  z.strictObject({
    ...common,
    kind: z.literal('result'),
    code,
    similarity: z.number().min(0).max(100).exactOptional(),
  }),
  /** As a gateway answers, with HTML. Nothing is done. */
  z.strictObject({ ...common, kind: z.literal('status'), status, retryAfterS: z.int().min(0).exactOptional() }),
  z.strictObject({ ...common, kind: z.literal('delay'), ms: z.number().min(0) }),
  /** Hangs up without an answer, after the call was done (default) or before. */
  z.strictObject({ ...common, kind: z.literal('drop'), when }),
  /** Half of the answer, then hangs up. */
  z.strictObject({ ...common, kind: z.literal('cut') }),
  /** Holds the call back until it is released, before it is done (default) or before it is answered. */
  z.strictObject({ ...common, kind: z.literal('hold'), when }),
]);

export type Fault = z.infer<typeof faultSchema>;

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
    (fault.kind !== 'result' || call.service === 'faceid') &&
    (fault.service === undefined || fault.service === call.service) &&
    (fault.action === undefined || fault.action === call.action) &&
    (fault.region === undefined || fault.region === call.region) &&
    (fault.object === undefined || (call.objects ?? []).some((object) => object.includes(fault.object ?? '')))
  );
}
