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

export type GatedCall = ActionName | 'CreateUploadUrl';
/** Calls a second, by region and action; what is not named is Tencent's default. */
export type Limits = Readonly<Partial<Record<GatedCall, Readonly<Partial<Record<Region, number>>>>>>;

const HEADROOM = 1.1;
/** Uploaded and not yet detected: as many as are called within this time. */
const ADMITTED_AHEAD_MS = 2_000;
/** Waits between probes of a gate that trouble with the account has closed: first, and longest. */
const FIRST_PROBE_MS = 2_000;
const LONGEST_PROBE_MS = 5 * 60_000;
/** Throttled all the same: nobody calls for this long. */
export const REST_MS = 1_000;
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

  limit(region: Region, call: GatedCall): number {
    return this.#limits[call]?.[region] ?? (call === 'CreateUploadUrl' ? CREATE_UPLOAD_URL_QPS : ACTIONS[call].qps);
  }

  intervalMs(region: Region, call: GatedCall): number {
    return (1_000 * HEADROOM) / this.limit(region, call);
  }

  admission(region: Region, action: ActionName): Admission {
    const capacity = Math.max(2, Math.ceil(ADMITTED_AHEAD_MS / this.intervalMs(region, action)));
    return { capacity, holdMs: ADMISSION_HOLD_MS };
  }

  /** Books slots for CreateUploadUrl; each entry waits for its own. */
  async uploadUrlSlots(region: Region, count: number, signal: AbortSignal): Promise<(() => Promise<void>)[]> {
    const keys = [this.#names.gate(region, 'CreateUploadUrl').gate];
    const askedAt = performance.now();
    const reply = (await run(this.#redis, 'reserve', keys, [
      this.intervalMs(region, 'CreateUploadUrl'),
      count,
    ])) as number[];
    const [now = 0, ...slots] = reply;
    return slots.map((slot) => () => sleep(slot - now - (performance.now() - askedAt), signal));
  }

  /** The vendor throttled CreateUploadUrl. */
  async slowUploadUrls(region: Region): Promise<void> {
    await run(this.#redis, 'slow', [this.#names.gate(region, 'CreateUploadUrl').gate], [REST_MS]);
  }

  /**
   * Trouble with the account: closes the gate, or keeps it closed for longer where the prober says so.
   * @param epoch of the gate when the work began that met the trouble.
   */
  async trip(region: Region, action: ActionName, id: string, epoch: string, code: string): Promise<Tripped> {
    const keys = [this.#names.gate(region, action).gate, this.#names.counters];
    return (await run(this.#redis, 'trip', keys, [id, epoch, code, FIRST_PROBE_MS, LONGEST_PROBE_MS])) as Tripped;
  }

  /** The prober had an answer. @returns whether that has opened the gate. */
  async heal(region: Region, action: ActionName, id: string): Promise<boolean> {
    const keys = [this.#names.gate(region, action).gate, this.#names.counters];
    return (await run(this.#redis, 'heal', keys, [id])) === 'opened';
  }
}

export type Tripped = 'tripped' | 'probed' | 'closed' | 'stale';
