/** A Redis of a run's own, that can be killed and come back: same port, same folder, same settings. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedis, type ProvidedRedis, startPrivateRedis } from '../../src/world/redis.ts';

export type Fsync = 'always' | 'everysec';

export class ChaosRedis {
  readonly port: number;
  readonly version: string;
  readonly #dir: string;
  readonly #args: readonly string[];
  readonly #cacheDir: string;
  #running: ProvidedRedis;

  private constructor(running: ProvidedRedis, dir: string, cacheDir: string, args: readonly string[]) {
    this.#running = running;
    this.#dir = dir;
    this.#cacheDir = cacheDir;
    this.#args = args;
    this.port = Number(new URL(running.url).port);
    this.version = running.version;
  }

  static async start(dir: string, cacheDir: string, fsync: Fsync, more: readonly string[] = []): Promise<ChaosRedis> {
    const args = ['--appendfsync', fsync, ...more];
    return new ChaosRedis(await launch(dir, cacheDir, args), dir, cacheDir, args);
  }

  get url(): string {
    return this.#running.url;
  }

  /** SIGKILL, as a machine that loses its power; what the kernel has of its files stays. */
  async kill(): Promise<void> {
    if (this.#running.pid !== null) process.kill(this.#running.pid, 'SIGKILL');
    await this.#running.stop();
  }

  /** @param wiped its data are gone. */
  async restart(wiped = false): Promise<void> {
    if (wiped) await rm(this.#dir, { recursive: true, force: true });
    this.#running = await launch(this.#dir, this.#cacheDir, this.#args, this.port);
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }
}

async function launch(dir: string, cacheDir: string, args: readonly string[], port?: number): Promise<ProvidedRedis> {
  const binary = await findRedis({ cacheDir, log: (line) => process.stderr.write(`${line}\n`) });
  const where = port === undefined ? {} : { port };
  return startPrivateRedis({ binary, dir: join(dir), appendonly: true, args, ...where });
}
