/**
 * A Redis of a run's own, that can be killed and come back: same port, same folder, same settings. Or its replica comes in its
 * place, at the same address, as it does where a provider or a virtual address moves it.
 */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findRedis, type ProvidedRedis, startPrivateRedis } from '../../src/world/redis.ts';

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

  /** Starts a replica. Resolves when it has all there is. */
  async follow(): Promise<void> {
    const args = [...this.#args, '--replicaof', '127.0.0.1', String(this.port), '--repl-diskless-sync-delay', '0'];
    this.#replica = await launch(`${this.#dir}-replica`, this.#cacheDir, args);
    const admin = new Redis(this.#replica.url);
    while (!(await admin.info('replication')).includes('master_link_status:up')) await sleep(20);
    admin.disconnect();
  }

  /** The primary is gone; what its replica had not heard is lost. @param afterMs until somebody has noticed. */
  async failOver(afterMs: number): Promise<void> {
    if (this.#replica === null) throw new Error('nobody follows');
    await this.kill();
    await sleep(afterMs);
    const { url } = this.#replica;
    const admin = new Redis(url);
    await admin.replicaof('NO', 'ONE');
    admin.disconnect();
    this.#address = await leadTo(this.port, Number(new URL(url).port));
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

/** What connects to `port` is at `target` from here on. */
async function leadTo(port: number, target: number): Promise<Address> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined); // its other half hears of it by `close`
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
