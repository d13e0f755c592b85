/** Time: the only actor that moves the clock. */
import { isTerminal } from '../../../src/domain/verification/states.ts';
import type { Actor } from '../step.ts';
import { ACTION, REGION, type World } from '../world.ts';
import { named } from './outside.ts';

export type Moment = 'lease' | 'call' | 'wait' | 'deadline' | 'hold' | 'probe' | 'slot';

/**
 * Moves the clock to the next moment of a kind, such as the end of a lease or of a call. The number of steps of each kind is
 * limited.
 */
export function time(kinds: readonly Moment[], id = 'a'): Actor {
  const actor = named('time', id);
  return {
    name: actor,
    start: { pc: '0' },
    steps: (world) =>
      kinds.flatMap((kind) => {
        const until = momentOf(world, id, kind);
        if (until <= world.clock || (world.left[`time ${kind}`] ?? 0) <= 0) return [];
        const name = `${actor} passes: ${kind}`;
        const run = async () => {
          world.left[`time ${kind}`] = (world.left[`time ${kind}`] ?? 0) - 1;
          world.pass(until);
        };
        return [{ name, actor, touches: [], movesClock: true, run }];
      }),
  };
}

export function momentOf(world: World, id: string, kind: Moment): number {
  const { names } = world;
  const journal = world.hash(names.journal(id));
  switch (kind) {
    case 'lease':
      return world.snapshot[names.job(REGION, id).lock]?.expires ?? 0;
    case 'call':
      return journal.open === undefined ? 0 : (JSON.parse(journal.open) as { until: number }).until;
    case 'slot':
      return journal.open === undefined ? 0 : (JSON.parse(journal.open) as { at: number }).at + 1_000;
    case 'wait':
      return Math.max(world.factsOf(id).due, Number(journal.notBefore ?? 0));
    case 'deadline':
      return isTerminal((journal.state ?? 'queued') as 'queued') ? 0 : Number(journal.deadline ?? 0);
    case 'hold':
      return Number(journal.heldUntil ?? 0);
    case 'probe':
      return nextProbe(world);
  }
}

function nextProbe(world: World): number {
  const { nextProbe = 0, proberUntil = 0 } = world.hash(world.names.gate(REGION, ACTION).gate);
  const breakers = Object.entries(world.hash(world.names.breakers(REGION))).filter(([name]) => !name.startsWith('#'));
  const nexts = breakers.map(([, text]) => {
    const { next = 0, proberUntil: until = 0 } = JSON.parse(text) as { next?: number; proberUntil?: number };
    return [next, until];
  });
  const ahead = [Number(nextProbe), Number(proberUntil), ...nexts.flat()].filter((each) => each > world.clock);
  return ahead.length === 0 ? 0 : Math.ceil(Math.min(...ahead));
}
