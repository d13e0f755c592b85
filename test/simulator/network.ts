/**
 * The simulated network: how long everything takes, what is lost, and which processes are cut off.
 *
 * What must hold: all times and losses are drawn from the seed, in the order of events.
 */
import type { Random } from '../chaos/random.ts';
import type { SimulatedRedis } from './redis-client.ts';
import type { Owner, VirtualTime } from './virtual-time.ts';

/** ioredis gives a silent connection up after this time: SOCKET_TIMEOUT_MS of src/redis/connection.ts. */
const SOCKET_TIMEOUT_MS = 12_000;
const RECONNECT_MS = 200;

export class Network {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #clients = new Map<Owner, SimulatedRedis[]>();
  readonly #cut = new Set<Owner>();
  #redisDown = false;

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  register(owner: Owner, client: SimulatedRedis): void {
    this.#clients.set(owner, [...(this.#clients.get(owner) ?? []), client]);
  }

  /** A process died: the kernel closes its connections. */
  bury(owner: Owner): void {
    for (const client of this.#clients.get(owner) ?? []) client.drop();
    this.#clients.delete(owner);
    this.#cut.delete(owner);
  }

  isCut(owner: Owner): boolean {
    return this.#redisDown || this.#cut.has(owner);
  }

  /** Loses every packet between a process and Redis for a time. */
  cut(owner: Owner, ms: number): void {
    if (this.#cut.has(owner)) return;
    this.#cut.add(owner);
    const each = (does: (client: SimulatedRedis) => void) => {
      for (const client of this.#clients.get(owner) ?? []) this.#time.as(owner, () => does(client));
    };
    if (ms >= SOCKET_TIMEOUT_MS) this.#time.after(SOCKET_TIMEOUT_MS, owner, () => each((client) => client.drop()));
    this.#time.after(ms, owner, () => {
      this.#cut.delete(owner);
      if (ms < SOCKET_TIMEOUT_MS) each((client) => client.heal());
      else this.#time.after(RECONNECT_MS, owner, () => each((client) => client.reconnect()));
    });
  }

  /** Redis restarts, with all data. */
  restartRedis(ms: number): void {
    this.#redisDown = true;
    for (const [owner, clients] of this.#clients)
      this.#time.at(this.#time.now, owner, () => {
        for (const client of clients) client.drop();
      });
    this.#time.after(ms, null, () => {
      this.#redisDown = false;
      for (const [owner, clients] of this.#clients)
        this.#time.after(RECONNECT_MS, owner, () => {
          for (const client of clients) client.reconnect();
        });
    });
  }

  // ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One way between a process and Redis, ms. */
  redisMs(_owner: Owner): number {
    return this.#spread(0.2, 0.2, 0.002, 30);
  }

  /**
   * One way between a process and Tencent, ms. All ways to Tencent differ by less than the headroom of the rate limit (80 ms), so
   * a call that the vendor throttles is a fault of the product.
   */
  vendorMs(): number {
    return Math.min(this.#spread(15, 8, 0, 0), 75);
  }

  /** The vendor's own work, ms. @param usual of one call */
  workMs(usual: number): number {
    return this.#spread(usual, usual / 3, 0.002, usual * 8);
  }

  diskMs(): number {
    return this.#spread(0.5, 1, 0.01, 50);
  }

  chance(share: number): boolean {
    return this.#random.chance(share);
  }

  int(least: number, most: number): number {
    return this.#random.int(least, most);
  }

  /** @param more mean of the part that varies. @param rare share of the delays that take `long` more. */
  #spread(least: number, more: number, rare: number, long: number): number {
    const varied = -Math.log(1 - this.#random.next()) * more;
    const late = this.#random.chance(rare) ? this.#random.next() * long : 0;
    return Math.round((least + varied + late) * 1_000) / 1_000;
  }
}
