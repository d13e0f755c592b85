/** The vendor, which answers and bills calls. */
import { type Actor, type Sketch, stepsOf } from '../step.ts';
import type { Local } from '../world.ts';
import { named } from './outside.ts';

export type Vendor = 'answers' | 'loses' | 'refuses' | 'unclear' | 'never';

/** Decides what happens to a call that was sent. After its deadline a call is not billed, because its links have expired. */
export function vendor(may: readonly Vendor[], id = 'a'): Actor {
  const name = named('vendor', id);
  return {
    name,
    start: { pc: '0' },
    steps: (world) =>
      world.factsOf(id).calls.flatMap(({ iid, state, until }, index) => {
        const open = state === 'sent' && world.clock < until;
        const step = (what: Vendor, does: string, billed: number, next: typeof state) =>
          may.includes(what) && open
            ? [
                {
                  does: `${does} ${iid}`,
                  touches: [`calls:${id}`],
                  readsClock: true,
                  act: outcome(index, billed, next),
                },
              ]
            : [];
        return stepsOf(name, id, [
          ...step('answers', 'bills and answers', 1, 'answered'),
          ...step('loses', 'bills and loses the answer of', 1, 'billed'),
          ...step('refuses', 'refuses', 0, 'refused'),
          ...step('unclear', 'fails and bills', 1, 'unclear'),
          ...step('never', 'never gets', 0, 'gone'),
        ]);
      }),
  };
}

function outcome(
  index: number,
  billed: number,
  next: 'answered' | 'billed' | 'refused' | 'unclear' | 'gone' | 'sent',
): Sketch<Local>['act'] {
  return ({ facts }) => {
    const call = facts.calls[index];
    if (call !== undefined) call.state = next;
    if (call?.opinion === true) facts.opinions.billed += billed;
    else facts.billed += billed;
  };
}
