/**
 * Visits every state that a scenario can reach, and checks the invariants after each step.
 *
 * What must hold:
 * 1. Depth first: from each state, every enabled step is taken, except those that a sleep set covers.
 * 2. A sleep set contains steps that were taken earlier from an ancestor and commute with all steps since: taking them
 *    again would lead to a state that is visited anyway (docs/decisions/explorer.md). Sleep sets save steps, but skip
 *    no state.
 * 3. A state is visited again only if its earlier visits skipped steps that this visit would take.
 */
import type { Redis } from 'ioredis';
import { close } from './closing.ts';
import { check, observe, type Violation } from './invariants.ts';
import type { Scenario } from './scenarios.ts';
import { digest, type TextChange } from './snapshot.ts';
import type { Step } from './step.ts';
import { type Facts, type Footprint, hashOfState, START, type State, World } from './world.ts';

export interface Found {
  readonly violation: Violation;
  /** The steps that lead to the violation. */
  readonly steps: readonly string[];
}

export interface Report {
  readonly scenario: string;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Whether every state was visited. */
  readonly complete: boolean;
  readonly found: Found | null;
}

export interface Options {
  readonly redis: Redis;
  readonly prefix: string;
  /** Stops after this many states. */
  readonly most?: number;
  readonly changes?: readonly TextChange[];
  /** Whether sleep sets are used. If not, every enabled step is taken. */
  readonly reduce?: boolean;
  readonly onState?: (progress: { states: number; transitions: number; depth: number }) => void;
}

const FACTS: Facts = {
  ...{ queue: 'none', due: 0, acknowledged: false, claims: 0, calls: [], billed: 0, unknown: 0, allowed: 0 },
  opinions: { billed: 0, unknown: 0, first: null },
  ...{ objects: [], jobs: [], decision: null, ended: null, erased: false, retries: 0 },
};

interface Taken {
  readonly state: State;
  readonly hash: string;
  readonly footprint: Footprint;
  readonly violation: Violation | null;
}

type Sleep = ReadonlyMap<string, Footprint>;

interface Frame {
  readonly state: State;
  readonly hash: string;
  readonly todo: Step[];
  sleep: Map<string, Footprint>;
  /** Whether a step led to another state. */
  moved: boolean;
  readonly asleep: boolean;
}

export class Explorer {
  readonly #world: World;
  readonly #scenario: Scenario;
  /** By state hash: the steps that every visit to the state has skipped so far. */
  readonly #visited = new Map<string, ReadonlySet<string>>();
  /** Hashes of states for which `close` has succeeded. */
  readonly #closed = new Set<string>();
  #transitions = 0;

  private constructor(world: World, scenario: Scenario) {
    this.#world = world;
    this.#scenario = scenario;
  }

  static async open(scenario: Scenario, { redis, prefix, changes = [] }: Options): Promise<Explorer> {
    return new Explorer(await World.open(redis, prefix, changes), scenario);
  }

  /** The state in which the scenario begins. */
  async first(): Promise<State> {
    const { actors, prelude = [], left = {}, ids = ['a'] } = this.#scenario;
    const facts = Object.fromEntries(ids.map((id) => [id, FACTS]));
    const known = Object.fromEntries([...prelude, ...actors].map(({ name, start }) => [name, start]));
    let state: State = { clock: START, snapshot: {}, facts, actors: known, left };
    for (const actor of prelude) {
      for (;;) {
        this.#world.enter(state);
        const [step] = actor.steps(this.#world, state.actors[actor.name] ?? actor.start);
        if (step === undefined) break;
        state = (await this.take(state, step)).state;
      }
    }
    for (const { name } of prelude) delete (state.actors as Record<string, unknown>)[name];
    return state;
  }

  enabled(state: State): Step[] {
    this.#world.look(state);
    return this.#scenario.actors.flatMap(({ name, start, steps }) => steps(this.#world, state.actors[name] ?? start));
  }

  async take(state: State, step: Step): Promise<Taken> {
    const world = this.#world;
    world.enter(state);
    world.touch(...step.touches);
    await step.run(world);
    this.#transitions += 1;
    observe(world, state);
    const footprint = world.footprint(step.actor, step.movesClock === true, step.readsClock === true);
    const next = world.leave();
    return { state: next, hash: this.hash(next), footprint, violation: check(world, state, next, step) };
  }

  hash(state: State): string {
    return hashOfState(state, this.#world.names);
  }

  /** Removes the exploration's keys from Redis. */
  end(): Promise<void> {
    return this.#world.clear();
  }

  /** Checks a state in which all actors disappear: everything that must happen must still happen. */
  finish(state: State): Promise<Violation | null> {
    return close(this.#world, state, this.#closed);
  }

  get states(): ReadonlySet<string> {
    return new Set(this.#visited.keys());
  }

  /** Visits states depth first. */
  async explore({ most = Number.POSITIVE_INFINITY, reduce = true, onState }: Options): Promise<Report> {
    const first = await this.first();
    const stack: Frame[] = [];
    const path: string[] = [];
    let depth = 0;
    let found: Found | null = null;
    const enter = (state: State, hash: string, sleep: Sleep) => {
      const frame = this.#visit(state, hash, reduce ? sleep : new Map());
      if (frame === null) return false;
      stack.push(frame);
      return true;
    };
    enter(first, this.hash(first), new Map());
    while (stack.length > 0 && found === null && this.#visited.size < most) {
      depth = Math.max(depth, path.length);
      const frame = stack[stack.length - 1] as Frame;
      const step = frame.todo.shift();
      if (step === undefined) {
        const violation = frame.moved || frame.asleep ? null : await this.finish(frame.state);
        if (violation !== null) found = { violation, steps: [...path] };
        stack.pop();
        path.pop();
        continue;
      }
      const taken = await this.take(frame.state, step);
      if (taken.violation !== null) found = { violation: taken.violation, steps: [...path, step.name] };
      if (taken.hash !== frame.hash) {
        frame.moved = true;
        const sleep = new Map([...frame.sleep].filter(([, other]) => commute(other, taken.footprint)));
        if (enter(taken.state, taken.hash, sleep)) path.push(step.name);
      }
      frame.sleep.set(step.name, taken.footprint);
      onState?.({ states: this.#visited.size, transitions: this.#transitions, depth });
    }
    return this.#report(depth, stack.length === 0, found);
  }

  #report(depth: number, complete: boolean, found: Found | null): Report {
    const { name } = this.#scenario;
    return { scenario: name, states: this.#visited.size, transitions: this.#transitions, depth, complete, found };
  }

  /** Begins a visit to a state. @returns null if nothing new can follow */
  #visit(state: State, hash: string, sleep: Sleep): Frame | null {
    const slept = this.#visited.get(hash);
    const enabled = slept?.size === 0 ? [] : this.enabled(state);
    const todo = enabled.filter(({ name }) =>
      slept === undefined ? !sleep.has(name) : slept.has(name) && !sleep.has(name),
    );
    if (slept !== undefined && todo.length === 0) return null;
    const still = [...sleep.keys()].filter((name) => slept === undefined || slept.has(name));
    this.#visited.set(hash, new Set(still));
    const asleep = enabled.length > todo.length;
    return {
      state,
      hash,
      todo,
      sleep: new Map([...sleep].filter(([name]) => still.includes(name))),
      moved: false,
      asleep,
    };
  }

  /** Visits states breadth first, so that the first violation has the fewest steps. */
  async shortest({ most = Number.POSITIVE_INFINITY, onState }: Options): Promise<Report> {
    const first = await this.first();
    type Node = {
      readonly state: State;
      readonly hash: string;
      readonly by: string;
      readonly from: Node | null;
      readonly depth: number;
    };
    const pathOf = (node: Node | null): string[] =>
      node === null || node.from === null ? [] : [...pathOf(node.from), node.by];
    let layer: Node[] = [{ state: first, hash: this.hash(first), by: '', from: null, depth: 0 }];
    this.#visited.set(layer[0]?.hash ?? '', new Set());
    let depth = 0;
    while (layer.length > 0) {
      const nextLayer: Node[] = [];
      for (const node of layer) {
        let moved = false;
        for (const step of this.enabled(node.state)) {
          const { state, hash, violation } = await this.take(node.state, step);
          if (violation !== null)
            return this.#report(depth + 1, false, { violation, steps: [...pathOf(node), step.name] });
          if (hash !== node.hash) moved = true;
          if (this.#visited.has(hash)) continue;
          this.#visited.set(hash, new Set());
          nextLayer.push({ state, hash, by: step.name, from: node, depth: depth + 1 });
          onState?.({ states: this.#visited.size, transitions: this.#transitions, depth });
        }
        const violation = moved ? null : await this.finish(node.state);
        if (violation !== null) return this.#report(depth, false, { violation, steps: pathOf(node) });
        if (this.#visited.size >= most) return this.#report(depth, false, null);
      }
      layer = nextLayer;
      depth += 1;
    }
    return this.#report(depth, true, null);
  }
}

/** Whether two steps can be taken in either order, with the same result. */
export function commute(a: Footprint, b: Footprint): boolean {
  if (a.actor === b.actor) return false;
  if (a.movesClock && (b.movesClock || b.readsClock)) return false;
  if (b.movesClock && a.readsClock) return false;
  for (const each of a.touches) if (b.touches.has(each)) return false;
  return true;
}

/** A name for the keys of one exploration. */
export function prefixFor(run: string, scenario: string): string {
  return `{explore-${run}-${digest(scenario).slice(0, 6).replace(/\W/g, '0')}}`;
}
