import type { GatedCall } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** The vendor's rate limit for a call, divided into lanes: see includes/slot.lua. */
export interface Rate {
  readonly lanes: number;
  /** Time from one call in a lane to the next. */
  readonly laneMs: number;
  /** Shortest time between taking a slot and the slot itself, ms. */
  readonly soonMs: number;
  /** An intent is declared at most this long before its slot. */
  readonly aheadMs: number;
}

/** The earliest time at which a call may be sent, by Redis's clock, in ms since 1970. */
export interface Slot {
  readonly lane: number;
  readonly at: number;
}

/** @returns Redis's time and the slots, ms since 1970. */
export async function reserveSlots(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, call }: { region: Region; call: GatedCall },
  { lanes, laneMs, soonMs }: Rate,
  count: number,
): Promise<{ now: number; slots: number[] }> {
  const { gate } = names.gate(region, call);
  const reply = await runScript(redis, 'reserve-slots', { gate }, { lanes, laneMs, soonMs, count });
  const [now = 0, ...slots] = reply as number[];
  return { now, slots };
}
