/**
 * Starts Redis servers for tests that need several of them, or one that can be killed. Each server listens on
 * 127.0.0.1, uses the same binary as the private Redis, and has a user `admin` with all permissions, even if other
 * users have few.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { freePort } from '../../src/dev/free-port.ts';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import type { RedisBinary } from '../../src/dev/redis-binary.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { startTethered, type TetheredProcess } from '../../src/dev/tethered-process.ts';
import { HOME } from './rig.ts';

const ADMIN = { username: 'admin', password: 'admin-of-tests' };
const ALWAYS = [
  ...['--user', ADMIN.username, 'on', `>${ADMIN.password}`, '~*', '&*', '+@all'],
  ...['--masteruser', ADMIN.username, '--masterauth', ADMIN.password], // used if it becomes a replica
  ...['--repl-diskless-sync-delay', '0'],
];

const SOON = { timeout: 20_000, interval: 50 };

type Kind = 'redis-server' | 'valkey-server';

export interface Server {
  readonly port: number;
  /** A connection as `admin`, which has all permissions. */
  readonly admin: Redis;
  readonly pid: number;
  /** Kills the process without a shutdown, as a power loss does. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts the server again, on the same port and with the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly dir: string;
  readonly kind?: Kind;
  readonly args?: readonly string[];
  /** Restricts access after each start. It runs last, because the check that the server has started does not log in. */
  readonly close?: (admin: Redis) => Promise<unknown>;
}

export function binaryOf(kind: Kind): Promise<RedisBinary> {
  return findRedis({ server: kind, cacheDir: join(HOME, 'cache'), log: (line) => process.stderr.write(`${line}\n`) });
}

/** Starts a server whose AOF is flushed with each write. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { dir, kind = 'redis-server', args = [], close } = options;
  const binary = await binaryOf(kind);
  const start = (port: { port?: number }) =>
    startPrivateRedis({ binary, dir, appendonly: true, args: [...ALWAYS, ...args], ...port });
  let running = await start({});
  const port = Number(new URL(running.url).port);
  const admin = adminOf(port, ADMIN);
  await close?.(admin);
  return {
    port,
    admin,
    get pid() {
      return pidOf(running);
    },
    async kill() {
      process.kill(pidOf(running), 'SIGKILL');
      await running.stop();
    },
    async restart() {
      running = await start({ port });
      await close?.(admin);
    },
    async stop() {
      admin.disconnect();
      await running.stop();
    },
  };
}

function pidOf({ pid }: ProvidedRedis): number {
  if (pid === null) throw new Error('the private Redis has no pid');
  return pid;
}

/** Resolves when the replica has caught up with its primary. */
export async function untilFollowing({ admin }: Server): Promise<void> {
  await vi.waitUntil(async () => (await admin.info('replication')).includes('master_link_status:up'), SOON);
}

/**
 * Resolves when a replica has all writes that the primary has answered so far. Replication is asynchronous, so a test
 * calls this before it loses the primary. `WAIT` does not do: it waits only for the writes of its own connection.
 */
export async function untilReplicated({ admin }: Server): Promise<void> {
  const offset = (name: string, info: string) => Number(new RegExp(`${name}[:=](\\d+)`).exec(info)?.[1]);
  const target = offset('master_repl_offset', await admin.info('replication'));
  await vi.waitUntil(async () => offset('slave0:.*,offset', await admin.info('replication')) >= target, SOON);
}

/** Connects as an administrator. It retries for ever, so that it survives restarts of the server. */
function adminOf(port: number, login: { username?: string; password: string }): Redis {
  const admin = new Redis({ host: '127.0.0.1', port, ...login, retryStrategy: () => 50, maxRetriesPerRequest: null });
  return admin.on('error', () => undefined);
}

export interface Sentinels {
  readonly ports: readonly number[];
  /** @returns the port of the primary that the Sentinels report. */
  primary(): Promise<number>;
  stop(): Promise<void>;
}

export const PRIMARY = 'faces';
export const SENTINEL_PASSWORD = 'watch/men+1';

/**
 * Starts three Sentinels. They suspect a server after half a second, and two of them must agree that it is down.
 *
 * @param password the password of the data servers.
 */
export async function startSentinels(dir: string, primary: Server, password: string): Promise<Sentinels> {
  const binary = await binaryOf('redis-server');
  const running: { port: number; process: TetheredProcess; admin: Redis }[] = [];
  for (const name of ['a', 'b', 'c']) {
    const port = await freePort();
    const home = join(dir, `sentinel-${name}`);
    await mkdir(home, { recursive: true });
    const file = join(home, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir "${home}"`,
      `requirepass ${SENTINEL_PASSWORD}`,
      `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
      `sentinel monitor ${PRIMARY} 127.0.0.1 ${primary.port} 2`,
      `sentinel auth-pass ${PRIMARY} ${password}`,
      `sentinel down-after-milliseconds ${PRIMARY} 500`,
      `sentinel failover-timeout ${PRIMARY} 3000`,
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const process = startTethered(binary.command, [file, '--sentinel'], { dir: home, env: binary.env });
    running.push({ port, process, admin: adminOf(port, { password: SENTINEL_PASSWORD }) });
  }
  const ask = async (...question: string[]) =>
    Promise.all(running.map(({ admin }) => admin.call('SENTINEL', ...question)));
  await Promise.all(running.map(({ admin }) => admin.ping()));
  const agreed = () =>
    ask('CKQUORUM', PRIMARY).then(
      () => true,
      () => false, // the Sentinels have not found each other yet
    );
  await vi.waitUntil(agreed, SOON);
  return {
    ports: running.map(({ port }) => port),
    async primary() {
      const [first] = (await ask('GET-MASTER-ADDR-BY-NAME', PRIMARY)) as string[][];
      return Number(first?.[1]);
    },
    async stop() {
      for (const { admin } of running) admin.disconnect();
      await Promise.all(running.map(({ process }) => process.stop()));
    },
  };
}

export interface ClusterServers {
  readonly servers: readonly Server[];
  /** @returns the server that holds this key and accepts writes. */
  primaryOf(key: string): Promise<Server>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

/** Starts three masters that share the slots, and `replicas` replicas of the master that holds `key`. */
export async function startCluster(
  options: Omit<ServerOptions, 'kind'> & { readonly replicas?: number; readonly key: string },
): Promise<ClusterServers> {
  const { dir, args = [], replicas = 0, key } = options;
  const servers = await Promise.all(
    Array.from({ length: MASTERS + replicas }, async (_, index) => {
      const bus = await freePort();
      const mode = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '1000'];
      const home = join(dir, `node-${index}`);
      return startServer({ ...options, dir: home, args: [...mode, '--cluster-config-file', 'nodes.conf', ...args] });
    }),
  );
  const [first, ...others] = servers as [Server, ...Server[]];
  const masters = servers.slice(0, MASTERS);
  await Promise.all(
    masters.map(({ admin }, index) => {
      const from = Math.ceil((SLOTS * index) / MASTERS);
      const to = Math.ceil((SLOTS * (index + 1)) / MASTERS);
      return admin.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, offset) => from + offset));
    }),
  );
  for (const { port, admin } of others) {
    const [, bus] = (await admin.config('GET', 'cluster-port')) as [string, string];
    await first.admin.cluster('MEET', '127.0.0.1', port, bus);
  }
  const primaryOf = async (wanted: string) => {
    const slot = await first.admin.cluster('KEYSLOT', wanted);
    for (const server of servers) {
      const mine = String(await server.admin.cluster('NODES'))
        .split('\n')
        .find((line) => line.includes('myself'));
      const [, , flags = '', , , , , , ...ranges] = (mine ?? '').split(' ');
      const has = ranges.some((range) => {
        const [from = '', to = from] = range.split('-');
        return Number(from) <= slot && slot <= Number(to);
      });
      if (has && flags.includes('master')) return server;
    }
    throw new Error(`no server holds the slot of ${wanted}`);
  };
  const settled = () =>
    Promise.all(
      servers.map(async ({ admin }) => {
        const info = await admin.cluster('INFO');
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`);
      }),
    );
  await vi.waitUntil(async () => (await settled()).every(Boolean), SOON);
  if (replicas > 0) {
    const id = await (await primaryOf(key)).admin.cluster('MYID');
    for (const replica of servers.slice(MASTERS)) {
      await replica.admin.cluster('REPLICATE', id);
      await untilFollowing(replica);
    }
  }
  return {
    servers,
    primaryOf,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
