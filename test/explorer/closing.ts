/**
 * Checks that a verification can still end (I1) and that its follow-ups can still be delivered (I14) after all actors of the
 * scenario are gone. To find out, the check lets a new worker, the vendor, BullMQ and the sweeper act, and lets time pass.
 */
import { steerGate } from '../../src/redis/scripts/steer-gate.ts';
import { outboxSweeper, reaper, repairer } from './actors/recovery.ts';
import { feeder } from './actors/session.ts';
import { type Moment, momentOf, time } from './actors/time.ts';
import { vendor } from './actors/vendor.ts';
import { worker } from './actors/worker.ts';
import { check, observe, type Violation } from './invariants.ts';
import type { Actor, Step } from './step.ts';
import { ACTION, hashOfState, REGION, type State, type World } from './world.ts';

const MOMENTS: readonly Moment[] = ['lease', 'call', 'wait', 'slot', 'deadline', 'hold', 'probe'];
/** Every verification that can end does so within this number of steps. */
const MOST_STEPS = 150;

function actorsFor(world: World, id: string): Actor[] {
  const session = (world.hash(world.names.journal(id)).rq ?? '').includes('|in-request|');
  return [
    worker(`fresh-${id}`, { id, session }),
    feeder(`fresh feeder-${id}`, { id }),
    vendor(['answers'], id),
    reaper(id),
    outboxSweeper(id, `fresh sweeper-${id}`),
    repairer(id, `fresh repairer-${id}`),
  ];
}

/**
 * @param known hashes of states for which this check has already succeeded. The states of this check are added.
 * @returns what can never happen any more, or null
 */
export async function close(world: World, leaf: State, known: Set<string>): Promise<Violation | null> {
  const ids = Object.keys(leaf.facts);
  world.look(leaf);
  const actors = ids.flatMap((id) => actorsFor(world, id));
  const fresh = Object.fromEntries(actors.map(({ name, start }) => [name, start]));
  const left = {
    takes: MOST_STEPS,
    feeds: MOST_STEPS,
    ...Object.fromEntries(MOMENTS.map((kind) => [`time ${kind}`, MOST_STEPS])),
  };
  let state: State = { ...leaf, actors: fresh, left };
  const seen = new Set<string>();
  for (;;) {
    world.look(state);
    if (ids.every((id) => isDone(world, id))) break;
    const hash = hashOfState({ ...state, left: {} }, world.names);
    if (known.has(hash)) break;
    seen.add(hash);
    const next = seen.size > MOST_STEPS ? null : await progress(world, state, seen, { actors, ids });
    if (next === null) return unfinished(world, state);
    if ('invariant' in next) return next;
    state = next;
  }
  for (const hash of seen) known.add(hash);
  return null;
}

function unfinished(world: World, state: State): Violation {
  world.look(state);
  const stuck = Object.keys(state.facts).find((id) => !isDone(world, id)) ?? '';
  const { state: last = 'erased' } = world.hash(world.names.journal(stuck));
  const { ended, erased } = world.factsOf(stuck);
  return ended !== null || erased
    ? { invariant: 'I14', what: `${stuck}: its follow-ups are never delivered` }
    : { invariant: 'I1', what: `${stuck}: it is ${last} and never ends` };
}

/** Takes the first step to a state that was not seen before. If there is none, time passes until the next moment. */
async function progress(
  world: World,
  state: State,
  seen: ReadonlySet<string>,
  { actors, ids }: { readonly actors: readonly Actor[]; readonly ids: readonly string[] },
): Promise<State | Violation | null> {
  world.look(state);
  const steps = actors.flatMap((actor) => actor.steps(world, state.actors[actor.name] ?? actor.start));
  for (const step of [...steps, resume(world), ...moments(world, ids)]) {
    const next = await take(world, state, step);
    if ('invariant' in next || !seen.has(hashOfState({ ...next, left: {} }, world.names))) return next;
  }
  return null;
}

/** An operator ends a pause of the gate. */
function resume({ left }: World): Step {
  const run = async (world: World) => {
    await world.script((deployment) =>
      steerGate(deployment, { region: REGION, action: ACTION }, { act: 'resume', by: 'maria', why: 'closing' }),
    );
    world.left = left;
  };
  return { name: 'operator resumes the gate', actor: 'operator', touches: [], run };
}

async function take(world: World, state: State, step: Step): Promise<State | Violation> {
  world.enter(state);
  await step.run(world);
  observe(world, state);
  const next = world.leave();
  return check(world, state, next, step) ?? next;
}

function moments(world: World, ids: readonly string[]): Step[] {
  const ahead = ids.flatMap((id) =>
    MOMENTS.map((kind) => ({ at: momentOf(world, id, kind), id, kind })).filter(({ at }) => at > world.clock),
  );
  const [first] = ahead.sort((a, b) => a.at - b.at);
  return first === undefined ? [] : time([first.kind], first.id).steps(world, { pc: '0' });
}

/** Whether the verification has ended or never began, and no outbox entry remains. */
function isDone(world: World, id: string): boolean {
  const facts = world.factsOf(id);
  const { state } = world.hash(world.names.journal(id));
  const outbox = Object.keys(world.hash(world.names.outbox)).filter((field) => field.split(':')[0] === id);
  return (facts.ended !== null || facts.erased || state === undefined) && outbox.length === 0;
}
