/**
 * Reads what waiting verifications share with others: the gates and the open breakers. The commands are added to the pipeline
 * that reads the journals, so they cost no extra round trip.
 */
import type { ChainableCommander } from 'ioredis';
import { ACTION_NAMES, type ActionName, REGIONS, type Region } from '../domain/verification/actions.ts';
import type { Surroundings } from '../domain/verification/pauses.ts';
import type { Names } from './names.ts';

const GATES = REGIONS.flatMap((region) => ACTION_NAMES.map((action) => ({ region, action })));
/** How many replies `askSurroundings` adds to the pipeline. */
export const SURROUNDING_REPLIES = GATES.length + REGIONS.length;

type Fields = readonly (string | null)[];
type Replies = readonly [error: Error | null, reply: unknown][];
export type SurroundingsOf = (region: Region, action: ActionName) => Surroundings;

export function askSurroundings(pipeline: ChainableCommander, names: Names): void {
  for (const { region, action } of GATES) {
    pipeline.hmget(names.gate(region, action).gate, 'paused', 'state', 'code', 'nextProbe', 'tat');
  }
  for (const region of REGIONS) pipeline.hget(names.breakers(region), '#open');
}

/** @param replies the replies to the commands of `askSurroundings`. @throws the error of a failed command */
export function surroundingsFrom(replies: Replies, now: number): SurroundingsOf {
  const values = replies.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
  const gates = new Map(GATES.map(({ region, action }, index) => [`${region} ${action}`, values[index] as Fields]));
  const breakers = new Map(REGIONS.map((region, index) => [region, values[GATES.length + index] as string | null]));
  return (region, action) => {
    // Another version of Bestframe may have written the record, with a region that this version does not know. Then nothing is
    // known to block the verification.
    const [paused, state, code, nextProbe, tat] = gates.get(`${region} ${action}`) ?? [];
    const closed = state === 'closed';
    const open = breakers.get(region);
    return {
      gate: {
        paused: paused != null,
        closedFor: closed ? (code ?? '') : null,
        nextProbe: closed && nextProbe != null ? Number(nextProbe) : null,
        nextSlot: Number(tat ?? 0),
      },
      down: (open ?? '').split(' ').filter((each) => each !== ''),
      now,
    };
  };
}
