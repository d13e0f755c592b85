/**
 * Provides Redis on this machine: the server at REDIS_URL, else a private server, which listens only on 127.0.0.1 and ends
 * together with this process.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connectProducer, type RedisClient, redisFailure, waitUntilReady } from '../redis/connection.ts';
import { redisSettings } from '../redis/redis-url.ts';
import { freePort } from './free-port.ts';
import { findRedis, type RedisBinary } from './redis-binary.ts';
import { startTethered, type TetheredProcess } from './tethered-process.ts';

export interface ProvidedRedis {
  readonly url: string;
  readonly version: string;
  /** Text for the log that says where the server comes from. */
  readonly origin: string;
  /** Process id of redis-server; null if we did not start it. */
  readonly pid: number | null;
  /** Stops the server if we started it. Idempotent. */
  stop(): Promise<void>;
}

export interface ProvideOptions {
  readonly redisUrl?: string | undefined;
  /** Data folder of a private Redis. */
  readonly dir: string;
  /** Folder that keeps a downloaded Redis between runs. */
  readonly cacheDir: string;
  readonly appendonly?: boolean;
  readonly log?: (line: string) => void;
}

export interface PrivateOptions {
  readonly binary: RedisBinary;
  readonly dir: string;
  readonly appendonly: boolean;
  /** @default a free port */
  readonly port?: number;
  /** Further options of redis-server. They override the default options. */
  readonly args?: readonly string[];
}

const PORT_ATTEMPTS = 5;
const START_TIMEOUT_MS = 30_000;
const READY_MS = 5_000;

/** @throws Failure REDIS_UNAVAILABLE if REDIS_URL does not answer, or if no Redis can be found or installed. */
export async function provideRedis(options: ProvideOptions): Promise<ProvidedRedis> {
  if (options.redisUrl !== undefined && options.redisUrl !== '') return connectToGiven(options.redisUrl);
  const binary = await findRedis({ cacheDir: options.cacheDir, log: options.log ?? (() => undefined) });
  return startPrivateRedis({ binary, dir: options.dir, appendonly: options.appendonly ?? true });
}

async function connectToGiven(url: string): Promise<ProvidedRedis> {
  const redis = connectProducer(redisSettings(url, 'REDIS_URL'));
  redis.on('error', () => undefined); // waitUntilReady reports the error. Without a listener ioredis would print it too.
  try {
    await waitUntilReady(redis, READY_MS);
    await redis.ping();
    const { version } = await serverInfo(redis);
    return { url, version, origin: 'REDIS_URL', pid: null, stop: async () => undefined };
  } catch (error) {
    throw redisFailure(error);
  } finally {
    redis.disconnect();
  }
}

/** Starts a server, and resolves when the server answers. @throws Error with the server's last output if it does not start. */
export async function startPrivateRedis(options: PrivateOptions): Promise<ProvidedRedis> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const launched = launch(options, dir, port);
    try {
      const { version, pid } = await waitUntilAnswering(launched, port);
      const { stop } = launched;
      return { url: `redis://127.0.0.1:${port}`, version, origin: options.binary.origin, pid, stop };
    } catch (error) {
      await launched.stop();
      const portTaken = launched.lastLines.some((line) => /address already in use/i.test(line));
      if (!portTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

interface LaunchedRedis extends TetheredProcess {
  /** Identifies the started server, because another server may have taken the same port. */
  readonly token: string;
}

function launch({ binary, appendonly, args = [] }: PrivateOptions, dir: string, port: number): LaunchedRedis {
  const token = `bestframe-${randomBytes(8).toString('hex')}`;
  const settings: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    'protected-mode': 'yes',
    daemonize: 'no',
    dir,
    save: '',
    appendonly: appendonly ? 'yes' : 'no',
    ...(appendonly ? { appendfsync: 'always' } : {}),
    'maxmemory-policy': 'noeviction',
    'hash-max-ziplist-value': '2048', // see docs/redis.md
    'syslog-ident': token, // Syslog is off, so this only serves as a mark that CONFIG GET returns.
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return { ...startTethered(binary.command, [...flags, ...args], { dir, env: binary.env }), token };
}

async function waitUntilAnswering(launched: LaunchedRedis, port: number): Promise<{ version: string; pid: number }> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let hasEnded = false;
  void launched.exited.then(() => {
    hasEnded = true;
  });
  while (!hasEnded && Date.now() < deadline) {
    const answer = await tryToConnect(port, launched.token);
    if (answer !== null) return answer;
    await sleep(25);
  }
  const problem = hasEnded ? 'exited during the start' : `does not answer after ${START_TIMEOUT_MS / 1_000} s`;
  throw new Error(`redis-server ${problem}:\n${launched.lastLines.join('\n')}`);
}

async function tryToConnect(port: number, token: string): Promise<{ version: string; pid: number } | null> {
  // disconnectTimeout: by default ioredis keeps the process alive for 2 s after each refused attempt.
  const timeouts = { connectTimeout: 2_000, commandTimeout: 2_000, disconnectTimeout: 50, maxRetriesPerRequest: 0 };
  const singleAttempt = { lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null };
  const redis = new Redis({ host: '127.0.0.1', port, ...timeouts, ...singleAttempt });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await redis.ping(); // Fails while the server still loads its AOF.
    const [, ident] = (await redis.call('CONFIG', 'GET', 'syslog-ident')) as string[];
    return ident === token ? await serverInfo(redis) : null;
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

async function serverInfo(redis: RedisClient): Promise<{ version: string; pid: number }> {
  const info = await redis.info('server');
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  return { version: field('valkey_version') ?? field('redis_version') ?? 'unknown', pid: Number(field('process_id')) };
}
