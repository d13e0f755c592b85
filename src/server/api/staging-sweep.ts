/**
 * Removes staged files that are no longer needed: at once if their verification has ended or was erased, and after ten minutes if
 * no verification names them. The files of a failed verification are kept as long as it can be retried.
 *
 * What must hold: the sweep tolerates concurrent runs by several processes. Removing a missing file is not an error.
 */
import type { Logger } from 'pino';
import type { StagedFile, Staging } from '../../adapters/storage/staging.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { Failure } from '../../domain/errors/failure.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { Presence } from '../../redis/read-records.ts';

export interface StagingSweepOptions {
  readonly client: BestframeClient;
  readonly staging: Staging;
  readonly log: Logger;
  /** @default 15_000 */
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
/**
 * Files that no verification names are kept this long. Normally a verification is accepted moments after its files are staged.
 */
const UNCLAIMED_MS = 10 * 60_000;
const CHUNK = 500;

export class StagingSweep {
  readonly #options: StagingSweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: StagingSweepOptions) {
    this.#options = options;
  }

  start(): void {
    const { everyMs = EVERY_MS } = this.#options;
    const next = () => {
      this.#running = this.#sweepAndLog().finally(() => {
        if (!this.#stopped) this.#timer = setTimeout(next, everyMs);
      });
    };
    this.#timer = setTimeout(next, everyMs);
  }

  /** Stops the sweep and waits for the current run. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async sweep(): Promise<void> {
    const { client, staging } = this.#options;
    const files = await staging.list();
    for (let start = 0; start < files.length; start += CHUNK) {
      const chunk = files.slice(start, start + CHUNK);
      const presence = await client.presence(chunk.map(({ id }) => id));
      await staging.remove(chunk.filter((file, index) => isUnneeded(file, presence[index])));
      await this.#removeUnnamed(chunk.filter((file, index) => isOldAndUsable(file, presence[index])));
    }
  }

  /**
   * Removes files that their verification does not name. Such files remain if two requests had the same key, and the process of
   * the refused request died before it removed the request's files.
   */
  async #removeUnnamed(files: readonly StagedFile[]): Promise<void> {
    const { client, staging } = this.#options;
    const named = await client.sourceFiles(files.map(({ id }) => id));
    await staging.remove(files.filter(({ path }, index) => named[index]?.includes(path) === false));
  }

  async #sweepAndLog(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      const code = error instanceof Failure ? error.code : error instanceof Error ? error.name : 'unknown';
      this.#options.log.warn(
        { event: 'periodic_task_failed', task: 'staging-sweep', error: code },
        'staging-sweep failed; it runs again soon',
      );
    }
  }
}

function isOldAndUsable({ ageMs }: StagedFile, presence: Presence | undefined): boolean {
  return ageMs > UNCLAIMED_MS && presence?.status === 'present' && isUsable(presence);
}

/** Whether the sources may still be read: the verification has not ended, or may be retried. */
function isUsable({ state, keepsSources }: Extract<Presence, { status: 'present' }>): boolean {
  return !isTerminal(state) || keepsSources;
}

function isUnneeded({ ageMs }: StagedFile, presence: Presence | undefined): boolean {
  switch (presence?.status) {
    case 'present':
      return !isUsable(presence);
    case 'erased':
      return true;
    case 'missing':
      return ageMs > UNCLAIMED_MS;
    case undefined:
      return false;
  }
}
