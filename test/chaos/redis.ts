/**
 * The Redis of one run. It can be killed and restarted with the same port, folder and settings. Its replica can also take
 * over at the same address, as it does behind a provider's endpoint or a virtual address.
 */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';

export type Fsync = 'always' | 'everysec';

export class ChaosRedis {
  readonly port: number;
  readonly version: string;
  readonly #dir: string;
  readonly #args: readonly string[];
  readonly #cacheDir: string;
  #running: ProvidedRedis;
  #replica: ProvidedRedis | null = null;
  #address: Address | null = null;

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
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Sends SIGKILL. Writes that Redis has already passed to the kernel still reach the files. */
  async kill(): Promise<void> {
    if (this.#running.pid !== null) process.kill(this.#running.pid, 'SIGKILL');
    await this.#running.stop();
  }

  /** @param wiped deletes the data first */
  async restart(wiped = false): Promise<void> {
    if (wiped) await rm(this.#dir, { recursive: true, force: true });
    this.#running = await launch(this.#dir, this.#cacheDir, this.#args, this.port);
  }

  /** Starts a replica. Resolves when it has copied all data. */
  async startReplica(): Promise<void> {
    const args = [...this.#args, '--replicaof', '127.0.0.1', String(this.port), '--repl-diskless-sync-delay', '0'];
    this.#replica = await launch(`${this.#dir}-replica`, this.#cacheDir, args);
    const admin = new Redis(this.#replica.url);
    while (!(await admin.info('replication')).includes('master_link_status:up')) await sleep(20);
    admin.disconnect();
  }

  /**
   * Kills the primary and promotes its replica. Writes that were not replicated are lost.
   * @param afterMs the time until the failure is noticed
   */
  async failOver(afterMs: number): Promise<void> {
    if (this.#replica === null) throw new Error('there is no replica: call startReplica first');
    await this.kill();
    await sleep(afterMs);
    const { url } = this.#replica;
    const admin = new Redis(url);
    await admin.replicaof('NO', 'ONE');
    admin.disconnect();
    this.#address = await forwardPort(this.port, Number(new URL(url).port));
  }

  async stop(): Promise<void> {
    await this.#address?.close();
    await this.#replica?.stop();
    await this.#running.stop();
  }
}

interface Address {
  close(): Promise<void>;
}

/** Forwards connections from `port` to `target`. */
async function forwardPort(port: number, target: number): Promise<Address> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined); // the `close` event destroys the other socket
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function launch(dir: string, cacheDir: string, args: readonly string[], port?: number): Promise<ProvidedRedis> {
  const binary = await findRedis({ cacheDir, log: (line) => process.stderr.write(`${line}\n`) });
  const where = port === undefined ? {} : { port };
  return startPrivateRedis({ binary, dir, appendonly: true, args, ...where });
}
