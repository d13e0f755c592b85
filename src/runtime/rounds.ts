/** Something that is done now and then, by one process at a time: a claim in Redis says whose turn it is. */

import type { Logger } from 'pino';
import { Failure } from '../domain/failure.ts';
import type { RedisClient } from '../queue/connection.ts';

export interface RoundsOptions {
  readonly redis: RedisClient;
  /** Key of the claim. */
  readonly claim: string;
  readonly everyMs: number;
  readonly log: Logger;
  /** For the log. */
  readonly name: string;
  /** Must be safe beside itself: a round that takes longer than a claim lives meets the next one. */
  round(): Promise<void>;
}

export class Rounds {
  readonly #options: RoundsOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  start(): void {
    const turn = () => {
      this.#running = this.#turn().finally(() => {
        if (!this.#stopped) this.#timer = setTimeout(turn, this.#options.everyMs);
      });
    };
    this.#timer = setTimeout(turn, this.#options.everyMs);
  }

  /** Waits for a round that runs. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #turn(): Promise<void> {
    const { redis, claim, everyMs, log, name, round } = this.#options;
    try {
      const mine = await redis.set(claim, '1', 'PX', Math.ceil(everyMs * 0.9), 'NX');
      if (mine === 'OK') await round();
    } catch (error) {
      const code = error instanceof Failure ? error.code : error instanceof Error ? error.name : 'unknown';
      log.warn({ event: 'round failed', round: name, error: code }, `${name}: will try again`);
    }
  }
}
