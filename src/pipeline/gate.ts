/**
 * Keeps the vendor's rate limits over all processes. A slot is the time at which one call may be sent. Redis assigns the slots,
 * by its own clock; redis/scripts/includes/slot.lua explains their lanes.
 *
 * The vendor counts calls when they arrive. The delay of a call is the time from its slot to its arrival. If all delays differ by
 * less than the headroom (80 ms), no second contains more arrivals than allowed. Our part of the delay is bounded: no call is
 * sent before its slot, and none more than `MAX_LATE_MS` after it.
 */
import { Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, explain } from '../domain/errors/index.ts';
import type { Turn } from '../domain/ports.ts';
import { callsPerSecond, type GatedAction, type GatedCall, type Limits } from '../domain/verification/actions.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Deployment } from '../redis/deployment.ts';
import { acquireSlot } from '../redis/scripts/acquire-slot.ts';
import type { Admission } from '../redis/scripts/ask-admission.ts';
import { releaseProbe } from '../redis/scripts/release-probe.ts';
import { reopenGate } from '../redis/scripts/reopen-gate.ts';
import { type Rate, reserveSlots } from '../redis/scripts/reserve-slots.ts';
import { slowRate } from '../redis/scripts/slow-rate.ts';
import { type TripAnswer, tripGate } from '../redis/scripts/trip-gate.ts';
import { DEFAULT_LEASE } from './lease.ts';
import { RedisClock } from './redis-clock.ts';
import { sleep } from './sleep.ts';

/**
 * Seconds between two calls of one lane. A limit of n calls per second has n lanes, so 1 ÷ 1.08 = 92.6 % of the limit is used.
 */
const HEADROOM = 1.08;
const MAX_LATE_MS = 20;
/**
 * A call may leave up to `MAX_LATE_MS` after its slot. Half of this is for the script's answer, for which twice the round trip to
 * Redis is allowed, and half is for the machine. If the answer needs more than its half, the earliest slot lies ahead by the rest.
 */
export const NO_LEAD_MS = MAX_LATE_MS / 2;
/** The intent is declared this long before its slot: a busy machine may need the time to get ready. The call is not delayed. */
export const AHEAD_MS = 100;
/** Upper limit for the measured round trip to Redis. A longer round trip means a stall, not network latency. */
const MAX_ROUND_TRIP_MS = 500;
/** Verifications between upload and paid call are limited to the number of paid calls that the rate allows in this time. */
const ADMITTED_AHEAD_MS = 2_000;
/** The first and the longest wait between two probes of a gate that was closed because of trouble with the account. */
const FIRST_PROBE_MS = 2_000;
const LONGEST_PROBE_MS = 5 * 60_000;
/** After the vendor has throttled a call, no call is sent for this long. */
export const REST_MS = 1_000;

export class Gate {
  /** Estimates Redis's clock, because slots are times of that clock. */
  readonly clock = new RedisClock();
  readonly #deployment: Deployment;
  readonly #limits: Limits;
  readonly #holdMs: number;

  /**
   * @param holdMs how long an admission lasts; renewals of the attempt's lease extend it. An admission of a dead attempt must end
   * soon, because other attempts wait for it and may occupy every worker slot meanwhile.
   */
  constructor(deployment: Deployment, limits: Limits, holdMs: number = DEFAULT_LEASE.leaseMs) {
    this.#deployment = deployment;
    this.#limits = limits;
    this.#holdMs = holdMs;
  }

  limit(region: Region, call: GatedCall): number {
    return callsPerSecond(this.#limits, region, call);
  }

  rate(region: Region, call: GatedCall): Rate {
    const limit = this.limit(region, call);
    const lanes = Math.max(1, Math.floor(limit));
    const travelMs = Math.min(2 * this.clock.roundTripMs, MAX_ROUND_TRIP_MS);
    return {
      lanes,
      laneMs: 1_000 * HEADROOM * Math.max(1, 1 / limit),
      soonMs: Math.max(0, travelMs - NO_LEAD_MS),
      aheadMs: AHEAD_MS + travelMs,
    };
  }

  admission(region: Region, action: GatedCall): Admission {
    const { lanes, laneMs } = this.rate(region, action);
    return { capacity: Math.max(2, Math.ceil((ADMITTED_AHEAD_MS * lanes) / laneMs)), holdMs: this.#holdMs };
  }

  /** Waits for a slot. `missed`: it is too late to send, because the call would come too close to the next call in its lane. */
  async waitForSlot(slot: number, signal: AbortSignal): Promise<Turn> {
    // Timers drop fractions of a millisecond, and may fire another millisecond early.
    do await sleep(this.clock.until(slot), signal);
    while (this.clock.until(slot) > 0);
    return { missed: () => this.clock.until(slot) < -MAX_LATE_MS };
  }

  /**
   * Returns a function that waits for the slot of one CreateUploadUrl call. Use the returned function right before each of the
   * `count` calls. The first use reserves slots for all calls in one step. If a call misses its slot, use the function again to
   * get a new slot.
   */
  uploadUrlTurns(region: Region, count: number, signal: AbortSignal): () => Promise<Turn> {
    let reserved: Promise<number[]> | undefined;
    return async () => {
      reserved ??= this.#reserve(region, 'CreateUploadUrl', count);
      const slot = (await reserved).shift();
      return slot === undefined ? this.turn(region, 'CreateUploadUrl', signal) : this.waitForSlot(slot, signal);
    };
  }

  /** Waits for the slot of one unpaid call. */
  async turn(region: Region, call: GatedCall, signal: AbortSignal): Promise<Turn> {
    const [slot = 0] = await this.#reserve(region, call, 1);
    return this.waitForSlot(slot, signal);
  }

  async #reserve(region: Region, call: GatedCall, count: number): Promise<number[]> {
    const askedAt = performance.now();
    const { now, slots } = await reserveSlots(this.#deployment, { region, call }, this.rate(region, call), count);
    this.clock.learn(now, askedAt);
    return slots;
  }

  /**
   * Slows the rate after the vendor throttled an unpaid call. After a throttled paid call, the script that records the outcome
   * slows the rate.
   */
  slowDown(region: Region, call: GatedCall): Promise<void> {
    return slowRate(this.#deployment, { region, call }, REST_MS);
  }

  /** Like `takeSlot`, but only checks whether a slot could be taken now. @throws the same Failures */
  checkEntry(region: Region, action: GatedAction, id: string, mostWaitMs: number): Promise<GateEntry> {
    return this.#acquire({ region, action }, id, mostWaitMs, false);
  }

  /**
   * Takes a slot for a call outside any verification. The call never waits for a closed gate, and only briefly for a slot.
   * @param mostWaitMs the longest acceptable wait for the slot, ms.
   * @throws Failure with the code that closed the gate, if the gate is closed; SEQUENCE_BUSY if the wait would exceed
   * `mostWaitMs`.
   */
  takeSlot(region: Region, action: GatedAction, id: string, mostWaitMs: number): Promise<GateEntry> {
    return this.#acquire({ region, action }, id, mostWaitMs, true);
  }

  async #acquire(
    place: { region: Region; action: GatedAction },
    id: string,
    mostWaitMs: number,
    take: boolean,
  ): Promise<GateEntry> {
    const { region, action } = place;
    const askedAt = performance.now();
    const request = { id, mostWaitMs, rate: this.rate(region, action), take };
    const answer = await acquireSlot(this.#deployment, place, request);
    this.clock.learn(answer.now, askedAt);
    if (answer.kind === 'closed') throw gateClosed(region, action, answer.code);
    if (answer.kind === 'busy') throw gateBusy(region, action);
    const { epoch, probe, slot } = answer;
    return { epoch, probe, slot };
  }

  /** Ends the probe of a call that did not show whether the account is in order. Another call may then probe the closed gate. */
  releaseProbe(region: Region, action: GatedAction, id: string): Promise<void> {
    return releaseProbe(this.#deployment, { region, action }, id);
  }

  /**
   * Reports trouble with the account: closes the gate. If the gate is already closed and this report comes from the gate's probe,
   * the gate stays closed for longer.
   * @param trouble what happened, and the gate's epoch when the work began. If the gate has changed since then, nothing happens.
   */
  trip(region: Region, action: GatedAction, trouble: { id: string; epoch: string; code: string }): Promise<TripAnswer> {
    const waits = { firstProbeMs: FIRST_PROBE_MS, longestProbeMs: LONGEST_PROBE_MS };
    return tripGate(this.#deployment, { region, action }, { ...trouble, ...waits });
  }

  /** Call this when the answer to a probe shows that the account is in order. @returns whether this call opened the gate. */
  reopen(region: Region, action: GatedAction, id: string): Promise<boolean> {
    return reopenGate(this.#deployment, { region, action }, id);
  }
}

export interface GateEntry {
  readonly epoch: string;
  /** Whether this call probes a closed gate. If so, the caller must report the result by `reopen`, `trip` or `releaseProbe`. */
  readonly probe: boolean;
  /** The earliest time at which the call may be sent, ms since 1970; 0 if no slot was taken. */
  readonly slot: number;
}

/** A Failure with the code and title of the trouble that closed the gate. */
function gateClosed(region: Region, action: GatedAction, code: string): Failure {
  const ours = code in CODES;
  const title = explain(code)?.title ?? 'trouble with the account';
  return new Failure(
    { service: ours ? 'bestframe' : 'faceid', channel: ours ? 'local' : 'error', code, sent: 'no' },
    `the gate of ${action} in ${region} is closed: ${title}`,
  );
}

function gateBusy(region: Region, action: GatedAction): Failure {
  return localFailure(
    CODES.SEQUENCE_BUSY,
    `too many calls of ${action} are waiting in ${region}: ask again in a few seconds`,
  );
}
