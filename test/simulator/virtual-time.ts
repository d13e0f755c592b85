/**
 * Virtual time for everything that runs in one simulation: a queue of events, and the globals by which code reads the clock, sets
 * timers and draws random numbers.
 *
 * What must hold:
 * 1. One event at a time. After an event, all promise callbacks run before the next event begins, so the order of events alone
 *    decides the order of everything.
 * 2. Each event belongs to a process of the simulation, or to none (the network and the far ends). While an event runs, its
 *    process is the current one: timers and calls that the code makes belong to that process.
 * 3. The events of a dead process never run: its continuations end at whatever they await. The events of a stopped process wait
 *    until it continues.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Random } from '../chaos/random.ts';

export function newOwner(name: string): Owner {
  return { name, dead: false, stoppedUntil: 0, skewMs: 0, untilFault: 0, onFault: null };
}

/** A process of the simulation. */
export interface Owner {
  readonly name: string;
  dead: boolean;
  /** Nothing of this process runs before this time. */
  stoppedUntil: number;
  /** How far its wall clock is ahead, ms. Its monotonic clock is always right. */
  skewMs: number;
  /** How many more events run before `onFault`. So faults come where a process does much. */
  untilFault: number;
  onFault: (() => void) | null;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly owner: Owner | null;
  run: (() => unknown) | null;
}

/** The time at which every simulation begins, ms since 1970: a Monday at midnight, UTC. */
export const DAY_STARTS = Date.UTC(2030, 0, 7);

let installed = false;
const realSetImmediate = setImmediate;
const RealDate = Date;

export class VirtualTime {
  /** ms since 1970, with fractions. */
  now = DAY_STARTS;
  current: Owner | null = null;
  events = 0;
  readonly #heap = new Heap();
  readonly #random: Random;
  #order = 0;
  #restore: (() => void) | null = null;

  /** @param random the random numbers of the product: `Math.random`, ids and tokens. */
  constructor(random: Random) {
    this.#random = random;
  }

  /** Calls `run` at a time. @returns a function that takes the call back. */
  at(at: number, owner: Owner | null, run: () => unknown): () => void {
    this.#order += 1;
    const event: Event = { at: Math.max(at, this.now), order: this.#order, owner, run };
    this.#heap.push(event);
    return () => {
      event.run = null;
    };
  }

  after(ms: number, owner: Owner | null, run: () => unknown): () => void {
    return this.at(this.now + ms, owner, run);
  }

  /** Calls `run` as a process, now. */
  as<T>(owner: Owner | null, run: () => T): T {
    const before = this.current;
    this.current = owner;
    try {
      return run();
    } finally {
      this.current = before;
    }
  }

  /** Runs events until `isDone`, or until none is left. @returns whether it is done. */
  async run(isDone: () => boolean): Promise<boolean> {
    while (!isDone()) {
      const event = this.#heap.pop();
      if (event === undefined) return false;
      const { owner, run } = event;
      if (run === null || owner?.dead === true) continue;
      if (owner !== null && owner.stoppedUntil > event.at) {
        this.#heap.push({ ...event, at: owner.stoppedUntil });
        continue;
      }
      this.now = event.at;
      this.events += 1;
      if (owner !== null && this.#failsNow(owner)) {
        this.#heap.push({ ...event, at: Math.max(event.at, owner.stoppedUntil) });
        continue;
      }
      this.current = owner;
      const pending = run();
      if (pending instanceof Promise) await pending;
      // The network and the far ends call no code of the product, so nothing can wait behind their events.
      if (owner !== null) await drained();
    }
    return true;
  }

  #failsNow(owner: Owner): boolean {
    owner.untilFault -= 1;
    if (owner.untilFault !== 0) return false;
    this.current = null;
    owner.onFault?.();
    return true;
  }

  // ── globals ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Replaces the clock, the timers and the sources of randomness of this Node process, until `uninstall`. */
  install(): void {
    if (installed) throw new Error('one simulation runs at a time: virtual time is installed already');
    installed = true;
    const time = this;
    const undo: (() => void)[] = [];
    const replace = (target: object, name: string, value: unknown) => {
      const own = Object.getOwnPropertyDescriptor(target, name);
      Object.defineProperty(target, name, { value, configurable: true, writable: true });
      undo.push(() => {
        if (own === undefined) Reflect.deleteProperty(target, name);
        else Object.defineProperty(target, name, own);
      });
    };
    class VirtualDate extends RealDate {
      constructor(...parts: unknown[]) {
        if (parts.length === 0) super(VirtualDate.now());
        else super(...(parts as [number]));
      }
      static override now(): number {
        return Math.floor(time.now + (time.current?.skewMs ?? 0));
      }
    }
    replace(globalThis, 'Date', VirtualDate);
    replace(performance, 'now', () => time.now - DAY_STARTS);
    replace(globalThis, 'setTimeout', (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
      this.#timer(() => run(...args), delayOf(ms), false),
    );
    replace(globalThis, 'setInterval', (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
      this.#timer(() => run(...args), delayOf(ms), true),
    );
    replace(globalThis, 'setImmediate', (run: (...args: unknown[]) => void, ...args: unknown[]) =>
      this.#timer(() => run(...args), 0, false),
    );
    for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate'] as const) {
      const real = globalThis[name] as (timer: unknown) => void;
      // Node and the test runner have timers of their own, from before.
      replace(globalThis, name, (timer: unknown) => (timer instanceof VirtualTimer ? timer.stop() : real(timer)));
    }
    replace(AbortSignal, 'timeout', (ms: number) => {
      const controller = new AbortController();
      const reason = () => new DOMException('The operation was aborted due to timeout', 'TimeoutError');
      this.#timer(() => controller.abort(reason()), ms, false);
      return controller.signal;
    });
    replace(timersPromises, 'setTimeout', (ms?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
      this.#sleep(delayOf(ms), value, options?.signal),
    );
    replace(Math, 'random', () => this.#random.next());
    replace(crypto, 'randomBytes', (size: number) => this.#randomBytes(size));
    replace(crypto, 'randomUUID', () => uuidOf(this.#randomBytes(16)));
    replace(globalThis.crypto, 'randomUUID', () => uuidOf(this.#randomBytes(16)));
    syncBuiltinESMExports();
    this.#restore = () => {
      for (const step of undo.reverse()) step();
      syncBuiltinESMExports();
      installed = false;
    };
  }

  uninstall(): void {
    this.#restore?.();
    this.#restore = null;
  }

  #timer(run: () => void, ms: number, repeats: boolean): VirtualTimer {
    const owner = this.current;
    const start = (): (() => void) =>
      this.after(ms, owner, () => {
        if (repeats) timer.cancel = start();
        run();
      });
    const timer = new VirtualTimer();
    timer.cancel = start();
    return timer;
  }

  #sleep(ms: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const aborted = () => new DOMException('The operation was aborted', 'AbortError');
    if (signal?.aborted === true) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const timer = this.#timer(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve(value);
        },
        ms,
        false,
      );
      const onAbort = () => {
        timer.stop();
        reject(aborted());
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #randomBytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    for (let i = 0; i < size; i += 1) bytes[i] = this.#random.int(0, 255);
    return bytes;
  }
}

/** What `setTimeout` returns. */
class VirtualTimer {
  cancel: () => void = () => undefined;

  stop(): void {
    this.cancel();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

/** Resolves when no promise callback is left to run. */
export function drained(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve);
  });
}

/** Node's own rule: a timer takes at least a millisecond. */
function delayOf(ms: number | undefined): number {
  return ms === undefined || !(ms >= 1) ? 1 : Math.trunc(ms);
}

function uuidOf(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A binary heap of events, the earliest first. Events of the same time keep the order in which they were added. */
class Heap {
  readonly #events: Event[] = [];

  push(event: Event): void {
    const events = this.#events;
    let i = events.length;
    events.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = events[parent] as Event;
      if (!isEarlier(event, above)) break;
      events[i] = above;
      i = parent;
    }
    events[i] = event;
  }

  pop(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= events.length) break;
      const right = events[child + 1];
      if (right !== undefined && isEarlier(right, events[child] as Event)) child += 1;
      const below = events[child] as Event;
      if (!isEarlier(below, last)) break;
      events[i] = below;
      i = child;
    }
    events[i] = last;
    return first;
  }
}

function isEarlier(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
