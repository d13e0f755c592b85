/** Steps: what an actor may do next in a state. */
import type { SentCall } from './snapshot.ts';
import type { Facts, Local, World } from './world.ts';

export interface Step {
  /** `<actor> <what it does>`: unique among the steps of a state. */
  readonly name: string;
  readonly actor: string;
  /** What the step's condition reads, and what its effect writes, besides the keys of its script. */
  readonly touches: readonly string[];
  /** Whether the step, or its condition, depends on the clock. */
  readonly readsClock?: boolean;
  readonly movesClock?: boolean;
  run(world: World): Promise<void>;
}

/** An actor. `steps` returns the steps that the actor may take next; it reads the world and changes nothing. */
export interface Actor {
  readonly name: string;
  /** What the actor knows at the start. */
  readonly start: Local;
  steps(world: World, local: Local): Step[];
}

export interface Context<L extends Local> {
  readonly world: World;
  readonly local: L;
  readonly facts: Facts;
  /** Runs the step's script. */
  script<T>(call: (deployment: World['deployment']) => Promise<T>): Promise<T>;
}

export interface Sketch<L extends Local> {
  readonly does: string;
  /** Whether the step calls no script, so that no reply can be lost. */
  readonly alone?: boolean;
  readonly touches?: readonly string[];
  readonly readsClock?: boolean;
  act(context: Context<L>): Promise<void> | void;
}

/**
 * Makes the steps of one actor on one verification. Each step may also change what the actor knows. `touches` leaves this out,
 * because no other actor reads it.
 */
export function stepsOf<L extends Local>(actor: string, id: string, sketches: readonly Sketch<L>[]): Step[] {
  return sketches.map((sketch) => stepOf(actor, id, sketch, null));
}

function stepOf<L extends Local>(actor: string, id: string, sketch: Sketch<L>, resend: SentCall | null): Step {
  const { does, touches = [], readsClock = false, act } = sketch;
  return {
    name: `${actor} ${does}`,
    actor,
    touches,
    readsClock,
    run: async (world) => {
      const local = world.actors[actor] as L;
      const script: Context<L>['script'] = (call) => world.script(call, resend);
      await act({ world, local, facts: world.factsOf(id), script });
    },
  };
}

/**
 * Returns the same steps over a connection that may lose one reply: Redis has run the script, but the actor does not
 * know that. The client then sends the same command again, possibly after steps of other actors, and the actor
 * continues with the second reply.
 */
export function overLossyConnection<L extends Local>(
  actor: string,
  id: string,
  local: L,
  sketches: readonly Sketch<L>[],
  mayLose: boolean,
): Step[] {
  const { resend } = local;
  if (resend !== undefined) {
    const again = sketches.filter(({ does }) => does === resend.step);
    return again.map((sketch) => {
      const { run, ...step } = stepOf(actor, id, sketch, resend.call);
      const forgetting = async (world: World) => {
        delete world.actors[actor]?.resend;
        await run(world);
      };
      return { ...step, name: `${step.name}, again`, run: forgetting };
    });
  }
  const steps = stepsOf(actor, id, sketches);
  if (!mayLose) return steps;
  const lossy = sketches.flatMap(({ alone, does }, index) => {
    const step = steps[index];
    return alone === true || step === undefined ? [] : [losing(step, does)];
  });
  return [...steps, ...lossy];
}

function losing(step: Step, does: string): Step {
  return {
    ...step,
    name: `${step.name}, and loses the reply`,
    touches: [...step.touches, 'left:replies'],
    run: async (world) => {
      const { facts, actors } = JSON.parse(JSON.stringify({ facts: world.facts, actors: world.actors })) as Pick<
        World,
        'facts' | 'actors'
      >;
      await step.run(world);
      const { sent } = world.redis;
      // Undo what the actor did with the reply, because the reply was lost.
      Object.assign(world, { facts, actors });
      const local = world.actors[step.actor];
      if (sent === null || local === undefined) throw new Error(`${step.name} has no reply to lose`);
      local.resend = { step: does, call: sent };
      world.left.replies = (world.left.replies ?? 0) - 1;
    },
  };
}
