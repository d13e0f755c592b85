/**
 * The vendor's rate limits, held over all processes. Interval = 1.1 ÷ limit: six calls at 5 a second then span 1.1 s, and a
 * tenth of a second of jitter on the way to the vendor breaks no sliding second.
 */
import type { Redis } from 'ioredis';
import { ACTIONS, type ActionName, CREATE_UPLOAD_URL_QPS, type Region } from '../domain/actions.ts';
import type { Names } from '../queue/names.ts';
import { run } from '../queue/scripts.ts';
import type { Admission } from './journal.ts';
import { sleep } from './sleep.ts';

/** Calls a second, by action; what is not named is Tencent's default. */
export type Limits = Readonly<Partial<Record<ActionName | 'CreateUploadUrl', number>>>;

const HEADROOM = 1.1;
/** Uploaded and not yet detected: as many as are called within this time. */
const ADMITTED_AHEAD_MS = 2_000;
/** An admission that is never used (a killed worker) frees its place after this. */
const ADMISSION_HOLD_MS = 60_000;

export class Gate {
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #limits: Limits;

  constructor(redis: Redis, names: Names, limits: Limits) {
    this.#redis = redis;
    this.#names = names;
    this.#limits = limits;
  }

  limit(call: ActionName | 'CreateUploadUrl'): number {
    return this.#limits[call] ?? (call === 'CreateUploadUrl' ? CREATE_UPLOAD_URL_QPS : ACTIONS[call].qps);
  }

  intervalMs(call: ActionName | 'CreateUploadUrl'): number {
    return (1_000 * HEADROOM) / this.limit(call);
  }

  admission(action: ActionName): Admission {
    const capacity = Math.max(2, Math.ceil(ADMITTED_AHEAD_MS / this.intervalMs(action)));
    return { capacity, holdMs: ADMISSION_HOLD_MS };
  }

  /** Books slots for CreateUploadUrl; each entry waits for its own. */
  async uploadUrlSlots(region: Region, count: number, signal: AbortSignal): Promise<(() => Promise<void>)[]> {
    const keys = [this.#names.gate(region, 'CreateUploadUrl').gate];
    const askedAt = performance.now();
    const reply = (await run(this.#redis, 'reserve', keys, [this.intervalMs('CreateUploadUrl'), count])) as number[];
    const [now = 0, ...slots] = reply;
    return slots.map((slot) => () => sleep(slot - now - (performance.now() - askedAt), signal));
  }
}
