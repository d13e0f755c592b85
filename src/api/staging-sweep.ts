/**
 * Removes staged files that nobody needs any more: of what has ended or was erased at once, of what was never taken after a
 * while. Safe beside itself: removing what is away is fine.
 */
import type { Logger } from 'pino';
import type { BestframeClient } from '../client/client.ts';
import { Failure } from '../domain/failure.ts';
import type { StagedFile, Staging } from '../storage/staging.ts';

export interface StagingSweepOptions {
  readonly client: BestframeClient;
  readonly staging: Staging;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
/** Between a file's name and the claim of its verification lie moments; a Redis that was away may have lost the answer. */
const NEVER_TAKEN_MS = 10 * 60_000;
const AT_ONCE = 500;

export class StagingSweep {
  readonly #options: StagingSweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: StagingSweepOptions) {
    this.#options = options;
  }

  start(): void {
    const { everyMs = EVERY_MS, log } = this.#options;
    const turn = () => {
      this.#running = this.sweep()
        .catch((error: unknown) => {
          const code = error instanceof Failure ? error.code : error instanceof Error ? error.name : 'unknown';
          log.warn({ event: 'round failed', round: 'staging', error: code }, 'staging: will try again');
        })
        .then(() => {
          if (!this.#stopped) this.#timer = setTimeout(turn, everyMs);
        });
    };
    this.#timer = setTimeout(turn, everyMs);
  }

  /** Waits for a round that runs. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** One round, now. */
  async sweep(): Promise<void> {
    const { client, staging } = this.#options;
    const files = await staging.list();
    for (let start = 0; start < files.length; start += AT_ONCE) {
      const some = files.slice(start, start + AT_ONCE);
      const standing = await client.standing(some.map(({ id }) => id));
      await staging.remove(some.filter((file, index) => isOver(file, standing[index])));
    }
  }
}

function isOver({ ageMs }: StagedFile, standing: Awaited<ReturnType<BestframeClient['standing']>>[number] | undefined) {
  switch (standing) {
    case 'ended':
    case 'erased':
      return true;
    case 'missing':
      return ageMs > NEVER_TAKEN_MS;
    default:
      return false;
  }
}
