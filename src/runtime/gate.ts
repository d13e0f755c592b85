/**
 * The vendor's rate limits, held over all processes: slots in lanes, given by Redis and by its clock (lua/parts/slot.lua).
 *
 * A second as the vendor counts it holds at most the limit as long as calls reach it with delays that differ by less than the
 * headroom. Our own share of that is bounded: nothing leaves before its slot, nor more than `LATE_MS` after it.
 */

import {
  type ActionName,
  type GatedAction,
  type GatedCall,
  type Limits,
  limitOf,
  type Region,
} from '../domain/actions.ts';
import { CODES, explain } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { Turn } from '../domain/ports.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { Names } from '../queue/names.ts';
import { run } from '../queue/scripts.ts';
import type { Admission, Rate } from './journal.ts';
import { DEFAULT_LEASE } from './lease.ts';
import { RedisClock } from './redis-clock.ts';
import { sleep } from './sleep.ts';

/** From one call in a lane to the next, in seconds. Of the limit, 1 ÷ 1.08 = 92.6 % can be used. */
const HEADROOM = 1.08;
const LATE_MS = 20;
/** For a slot that is to be had at once: time for the script's answer. Whoever calls alone waits so long. */
const SOON_MS = 10;
/** For one that was waited for: time that a busy machine may need from asking to standing ready. Costs nobody anything. */
const AHEAD_MS = 100;
/** Of a round trip that took longer we know that the process stood still or Redis was away, and not how long the way is. */
const MOST_WAY_MS = 500;
/** Uploaded and not yet detected: as many as are called within this time. */
const ADMITTED_AHEAD_MS = 2_000;
/** Waits between probes of a gate that trouble with the account has closed: first, and longest. */
const FIRST_PROBE_MS = 2_000;
const LONGEST_PROBE_MS = 5 * 60_000;
/** Throttled all the same: nobody calls for this long. */
export const REST_MS = 1_000;

export class Gate {
  /** Slots are times of Redis's clock. */
  readonly clock = new RedisClock();
  readonly #redis: RedisClient;
  readonly #names: Names;
  readonly #limits: Limits;
  readonly #holdMs: number;

  /**
   * @param holdMs a place among the admitted is kept so long, and renewed with its attempt's lease: one that a dead attempt
   * kept for longer would be waited for by those that have taken all slots meanwhile.
   */
  constructor(redis: RedisClient, names: Names, limits: Limits, holdMs: number = DEFAULT_LEASE.leaseMs) {
    this.#redis = redis;
    this.#names = names;
    this.#limits = limits;
    this.#holdMs = holdMs;
  }

  limit(region: Region, call: GatedCall): number {
    return limitOf(this.#limits, region, call);
  }

  rate(region: Region, call: GatedCall): Rate {
    const limit = this.limit(region, call);
    const lanes = Math.max(1, Math.floor(limit));
    const wayMs = Math.min(2 * this.clock.roundTripMs, MOST_WAY_MS);
    return {
      lanes,
      laneMs: 1_000 * HEADROOM * Math.max(1, 1 / limit),
      soonMs: SOON_MS + wayMs,
      aheadMs: AHEAD_MS + wayMs,
    };
  }

  admission(region: Region, action: ActionName): Admission {
    const { lanes, laneMs } = this.rate(region, action);
    return { capacity: Math.max(2, Math.ceil((ADMITTED_AHEAD_MS * lanes) / laneMs)), holdMs: this.#holdMs };
  }

  /** Waits for a slot. A call that leaves too late in it would come too near to the next one of its lane. */
  async reach(slot: number, signal: AbortSignal): Promise<Turn> {
    await sleep(this.clock.until(slot) + 1, signal); // timers may be early by a part of a millisecond
    return { missed: () => this.clock.until(slot) < -LATE_MS };
  }

  /**
   * Turns for calls of CreateUploadUrl, to be asked for right before each. The first that is asked for takes a slot for all
   * of them, in one step; one that is missed is lost, and its call asks again.
   */
  uploadUrlTurns(region: Region, count: number, signal: AbortSignal): () => Promise<Turn> {
    let booked: Promise<number[]> | undefined;
    return async () => {
      booked ??= this.#reserve(region, count);
      const slot = (await booked).shift() ?? (await this.#reserve(region, 1))[0] ?? 0;
      return this.reach(slot, signal);
    };
  }

  async #reserve(region: Region, count: number): Promise<number[]> {
    const keys = [this.#names.gate(region, 'CreateUploadUrl').gate];
    const { lanes, laneMs, soonMs } = this.rate(region, 'CreateUploadUrl');
    const askedAt = performance.now();
    const reply = (await run(this.#redis, 'reserve', keys, [lanes, laneMs, soonMs, count])) as number[];
    const [now = 0, ...slots] = reply;
    this.clock.learn(now, askedAt);
    return slots;
  }

  /** The vendor throttled CreateUploadUrl. */
  slowUploadUrls(region: Region): Promise<void> {
    return this.slow(region, 'CreateUploadUrl');
  }

  /** The vendor throttled a call that has no intent. */
  async slow(region: Region, call: GatedCall): Promise<void> {
    await run(this.#redis, 'slow', [this.#names.gate(region, call).gate], [REST_MS]);
  }

  /**
   * For a call that is no verification's: nobody waits for a gate to open, nor for long.
   * @param mostMs how far away the next slot may be.
   * @param takes whether a slot is taken now, or only asked whether one could be.
   * @throws Failure with the code that says why the gate is closed, or SEQUENCE_BUSY.
   */
  async enter(region: Region, action: GatedAction, id: string, mostMs: number, takes: boolean): Promise<Entered> {
    const { lanes, laneMs, soonMs } = this.rate(region, action);
    const args = [id, Math.round(mostMs), takes ? lanes : 0, laneMs, soonMs];
    const askedAt = performance.now();
    const reply = await run(this.#redis, 'pass', [this.#names.gate(region, action).gate], args);
    const [answer, now, word, probe = 0, slot = 0] = reply as [string, number, string, number?, number?];
    this.clock.learn(now, askedAt);
    if (answer === 'closed') throw closed(region, action, word);
    if (answer === 'busy') throw busy(region, action);
    return { epoch: word, probe: probe === 1, slot };
  }

  /** A prober ends without an answer that says something about the account: another may probe. */
  async leave(region: Region, action: GatedAction, id: string): Promise<void> {
    await run(this.#redis, 'leave', [this.#names.gate(region, action).gate], [id]);
  }

  /**
   * Trouble with the account: closes the gate, or keeps it closed for longer where the prober says so.
   * @param epoch of the gate when the work began that met the trouble.
   */
  async trip(region: Region, action: GatedAction, id: string, epoch: string, code: string): Promise<Tripped> {
    const keys = [this.#names.gate(region, action).gate, this.#names.counters];
    return (await run(this.#redis, 'trip', keys, [id, epoch, code, FIRST_PROBE_MS, LONGEST_PROBE_MS])) as Tripped;
  }

  /** The prober had an answer. @returns whether that has opened the gate. */
  async heal(region: Region, action: GatedAction, id: string): Promise<boolean> {
    const keys = [this.#names.gate(region, action).gate, this.#names.counters];
    return (await run(this.#redis, 'heal', keys, [id])) === 'opened';
  }
}

export type Tripped = 'tripped' | 'probed' | 'closed' | 'stale';

export interface Entered {
  readonly epoch: string;
  /** This one probes a closed gate: it says what came of it by `heal`, `trip` or `leave`. */
  readonly probe: boolean;
  /** 0 where none was taken. */
  readonly slot: number;
}

/** Of the same class, and with the same words, as the trouble that closed it. */
function closed(region: Region, action: GatedAction, code: string): Failure {
  const ours = code in CODES;
  const words = explain(code)?.title ?? 'trouble with the account';
  return new Failure(
    { service: ours ? 'bestframe' : 'faceid', channel: ours ? 'local' : 'error', code, sent: 'no' },
    `the gate of ${action} in ${region} is closed: ${words}`,
  );
}

function busy(region: Region, action: GatedAction): Failure {
  return new Failure(
    { service: 'bestframe', channel: 'local', code: CODES.SEQUENCE_BUSY, sent: 'no' },
    `too many calls of ${action} wait for their turn in ${region}: ask again in a few seconds`,
  );
}
