/**
 * Simulates a fleet of verify workers in virtual time, to see where a load that no single machine can produce would break first. Nothing
 * runs: a verification is a sequence of visits to Redis, to the core of its worker, to the network and to FaceID. Their times are given:
 * `figures/fleet.ts` takes them from what `figures/capacity.ts` measured.
 *
 * What must hold: the random numbers come from the seed, so the same fleet has the same result on every machine.
 *
 * Not in the model: erase and notify workers, BullMQ's own waits, failures, and that Redis slows down while it writes a snapshot.
 */

/** What one verification costs. Times are in ms. */
export interface Costs {
  /** Core of Redis, in all visits together. */
  readonly redisMs: number;
  /** Core of the worker, in all its steps together. */
  readonly workerMs: number;
  readonly uploadMs: number;
  readonly checkMs: number;
  readonly detectMs: number;
  readonly downloadMs: number;
}

/** The verifications of a region, or of some of its tenants, with the workers that serve them. */
export interface Part {
  /** Share of the load. The workers are divided in the same way. */
  readonly share: number;
  /** Which of the fleet's Redis servers holds them. */
  readonly redis: number;
  /** Calls per second that FaceID allows. */
  readonly rate: number;
}

export interface Fleet {
  readonly parts: readonly Part[];
  readonly workers: number;
  readonly slots: number;
  /** Verifications per second, over all parts. */
  readonly load: number;
  /** Simulated time. */
  readonly seconds: number;
  readonly costs: Costs;
}

export interface FleetResult {
  readonly ended: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** How busy the busiest one was, from 0 to 1: of the Redis servers; of the parts, their workers' cores and slots, and FaceID's rate. */
  readonly busy: { readonly redis: number; readonly cores: number; readonly slots: number; readonly rate: number };
  /** How many had arrived and were undecided at the end. */
  readonly unfinished: number;
}

/** How much further apart two calls are than the rate would allow: see src/pipeline/gate.ts. */
const HEADROOM = 1.08;
/** Visits to Redis: claim, job, begin, upload, intent, outcome, settle, erase job, end. */
const VISITS = 9;
const WORKER_STEPS = 4;

export function simulate(fleet: Fleet, seed = 1): FleetResult {
  return new Simulation(fleet, seed).run();
}

/** Serves one visitor at a time, in the order in which they come. */
class Server {
  busyMs = 0;
  #freeAt = 0;

  /** @returns when a visit that comes at `now` is over */
  visit(now: number, ms: number): number {
    this.busyMs += ms;
    this.#freeAt = Math.max(now, this.#freeAt) + ms;
    return this.#freeAt;
  }
}

interface Running {
  readonly rate: number;
  readonly redis: Server;
  readonly cores: readonly Server[];
  readonly waiting: number[];
  readonly slots: number;
  readonly free: number[];
  busySlotMs: number;
  nextCall: number;
  calls: number;
}

class Simulation {
  readonly #fleet: Fleet;
  readonly #random: () => number;
  readonly #events = new Events();
  readonly #parts: Running[];
  readonly #redis: Server[];
  readonly #times: number[] = [];
  readonly #endMs: number;
  #now = 0;
  #arrived = 0;

  constructor(fleet: Fleet, seed: number) {
    this.#fleet = fleet;
    this.#random = randomFrom(seed);
    this.#endMs = fleet.seconds * 1_000;
    this.#redis = Array.from({ length: 1 + Math.max(...fleet.parts.map(({ redis }) => redis)) }, () => new Server());
    this.#parts = fleet.parts.map(({ share, redis, rate }) => {
      const processes = Math.max(1, Math.round(fleet.workers * share));
      const slots = processes * fleet.slots;
      return {
        rate,
        redis: this.#redis[redis] as Server,
        cores: Array.from({ length: processes }, () => new Server()),
        waiting: [],
        slots,
        free: Array.from({ length: slots }, (_, slot) => slot),
        busySlotMs: 0,
        nextCall: 0,
        calls: 0,
      };
    });
    for (const [index, part] of this.#parts.entries())
      this.#arrive(part, fleet.load * (fleet.parts[index]?.share ?? 0));
  }

  run(): FleetResult {
    for (let next = this.#events.take(); next !== undefined && next.at <= this.#endMs; next = this.#events.take()) {
      this.#now = next.at;
      next.run();
    }
    const times = this.#times.sort((a, b) => a - b);
    // Work that began before the end may finish after it.
    const share = (busyMs: number, of = 1) => Math.min(1, busyMs / this.#endMs / of);
    const most = (of: (part: Running) => number) => Math.max(...this.#parts.map(of));
    const coreMs = (cores: readonly Server[]) => cores.reduce((sum, { busyMs }) => sum + busyMs, 0);
    return {
      ended: times.length,
      p50Ms: times[Math.floor(times.length * 0.5)] ?? 0,
      p95Ms: times[Math.floor(times.length * 0.95)] ?? 0,
      busy: {
        redis: Math.max(...this.#redis.map(({ busyMs }) => share(busyMs))),
        cores: most(({ cores }) => share(coreMs(cores), cores.length)),
        slots: most(({ busySlotMs, slots }) => share(busySlotMs, slots)),
        rate: most(({ calls, rate }) => Math.min(1, (calls * HEADROOM) / (rate * this.#fleet.seconds))),
      },
      unfinished: this.#arrived - times.length,
    };
  }

  /** Verifications come independently of one another. */
  #arrive(part: Running, perSecond: number): void {
    this.#after((-Math.log(1 - this.#random()) * 1_000) / perSecond, () => {
      this.#arrived += 1;
      const claimed = this.#redisVisit(part, this.#redisVisit(part, this.#now));
      const came = this.#now;
      this.#at(claimed, () => {
        part.waiting.push(came);
        this.#take(part);
      });
      this.#arrive(part, perSecond);
    });
  }

  #take(part: Running): void {
    if (part.waiting.length === 0 || part.free.length === 0) return;
    const came = part.waiting.shift() as number;
    const slot = part.free.pop() as number;
    const core = part.cores[slot % part.cores.length] as Server;
    this.#run(part, core, { came, slot, from: this.#now });
  }

  #run(part: Running, core: Server, { came, slot, from }: { came: number; slot: number; from: number }): void {
    const { uploadMs, checkMs, detectMs, downloadMs } = this.#fleet.costs;
    const redis = (next: () => void) => () => this.#at(this.#redisVisit(part, this.#now), next);
    const work = (next: () => void) => () => this.#at(this.#coreVisit(core), next);
    const wait = (ms: number, next: () => void) => () => this.#after(ms * (0.5 + this.#random()), next);
    const call = (next: () => void) => () => {
      part.nextCall = Math.max(this.#now, part.nextCall) + (1_000 * HEADROOM) / part.rate;
      part.calls += 1;
      this.#at(part.nextCall, wait(detectMs, next));
    };
    const end = () => {
      this.#times.push(this.#now - came);
      part.busySlotMs += this.#now - from;
      part.free.push(slot);
      this.#take(part);
    };
    const download = work(wait(downloadMs, work(redis(redis(redis(end))))));
    const detect = redis(call(redis(download)));
    redis(work(wait(uploadMs, redis(work(wait(checkMs, detect))))))();
  }

  #redisVisit(part: Running, at: number): number {
    return part.redis.visit(at, this.#fleet.costs.redisMs / VISITS);
  }

  #coreVisit(core: Server): number {
    return core.visit(this.#now, this.#fleet.costs.workerMs / WORKER_STEPS);
  }

  #after(ms: number, run: () => void): void {
    this.#at(this.#now + ms, run);
  }

  #at(at: number, run: () => void): void {
    this.#events.add({ at, run });
  }
}

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Events, the earliest first: a binary heap. */
class Events {
  readonly #heap: Event[] = [];

  add(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((heap[parent] as Event).at <= event.at) break;
      heap[index] = heap[parent] as Event;
      index = parent;
    }
    heap[index] = event;
  }

  take(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Event).at < (heap[child] as Event).at) child += 1;
      if ((heap[child] as Event).at >= last.at) break;
      heap[index] = heap[child] as Event;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
