/**
 * Reads what waiting verifications share with others: the gates and the open breakers. The commands are added to the pipeline that
 * reads the journals, so they cost no extra round trip.
 */
import type { ChainableCommander } from 'ioredis';
import type { PaidCall } from '../domain/verification/actions.ts';
import type { Surroundings } from '../domain/verification/pauses.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Names } from './names.ts';

/** What has a gate of its own. */
export interface Place {
  readonly region: Region;
  readonly action: PaidCall;
}

/**
 * The places of the verifications that this process has read. A deployment uses few of all places, so each read asks for the gates of
 * these, and not for all that could exist.
 */
export class Places {
  readonly #met = new Map<string, Place>();

  get all(): readonly Place[] {
    return [...this.#met.values()];
  }

  /** @returns whether any of the places was new */
  add(places: readonly Place[]): boolean {
    const before = this.#met.size;
    for (const place of places) if (!this.#met.has(nameOf(place))) this.#met.set(nameOf(place), place);
    return this.#met.size > before;
  }
}

/** Fields of a gate: paused, state, code, nextProbe, tat. */
export type GateFields = readonly (string | null)[];
type Replies = readonly [error: Error | null, reply: unknown][];
export type SurroundingsOf = (place: Place) => Surroundings;

/** Adds the commands to a pipeline. @returns a function that reads their replies; it throws the error of a failed command */
export function askSurroundings(
  pipeline: ChainableCommander,
  names: Names,
  places: readonly Place[],
): (replies: Replies, now: number) => SurroundingsOf {
  const from = pipeline.length;
  const regions = [...new Set(places.map(({ region }) => region))];
  for (const { region, action } of places)
    pipeline.hmget(names.gate(region, action).gate, 'paused', 'state', 'code', 'nextProbe', 'tat');
  for (const region of regions) pipeline.hget(names.breakers(region), '#open');
  return (replies, now) => {
    const values = replies.slice(from, from + places.length + regions.length).map(([error, reply]) => {
      if (error !== null) throw error;
      return reply;
    });
    const gates = new Map(places.map((place, index) => [nameOf(place), values[index] as GateFields]));
    const breakers = new Map(regions.map((region, index) => [region, values[places.length + index] as string | null]));
    return (place) => surroundings(gates.get(nameOf(place)) ?? [], breakers.get(place.region) ?? '', now);
  };
}

/** @param open the region's open breakers, separated by spaces. @param now ms since 1970 */
export function surroundings(
  [paused, state, code, nextProbe, tat]: GateFields,
  open: string,
  now: number,
): Surroundings {
  const closed = state === 'closed';
  return {
    gate: {
      paused: paused != null,
      closedFor: closed ? (code ?? '') : null,
      nextProbe: closed && nextProbe != null ? Number(nextProbe) : null,
      nextSlot: Number(tat ?? 0),
    },
    down: open.split(' ').filter((each) => each !== ''),
    now,
  };
}

function nameOf({ region, action }: Place): string {
  return `${region} ${action}`;
}
