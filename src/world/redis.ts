/**
 * Redis for a world on this machine: the one at REDIS_URL, else a private one, which listens on 127.0.0.1 only and ends with
 * the process that started it, whatever ends that.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connectProducer, type RedisClient, redisFailure, untilReady } from '../queue/connection.ts';
import { redisSettings } from '../queue/redis-url.ts';
import { type OnLeash, startOnLeash } from './leash.ts';
import { findRedis, type RedisBinary } from './redis-binary.ts';

export { findRedis };

export interface ProvidedRedis {
  readonly url: string;
  readonly version: string;
  /** Where it came from, in words. */
  readonly origin: string;
  /** Of redis-server itself; null where it is not ours. */
  readonly pid: number | null;
  /** Ends it if it is ours. Idempotent. */
  stop(): Promise<void>;
}

export interface ProvideOptions {
  readonly redisUrl?: string | undefined;
  /** Where a private Redis keeps its data. */
  readonly dir: string;
  /** Where a downloaded Redis is kept between runs. */
  readonly cacheDir: string;
  readonly appendonly?: boolean;
  readonly log?: (line: string) => void;
}

export interface PrivateOptions {
  readonly binary: RedisBinary;
  readonly dir: string;
  readonly appendonly: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** More of redis-server's options; they win over ours. */
  readonly args?: readonly string[];
}

const PORTS_TO_TRY = 5;
const START_MS = 30_000;
const CHECK_MS = 5_000;

/** @throws Failure REDIS_UNAVAILABLE where REDIS_URL does not answer, or there is no Redis to be had. */
export async function provideRedis(options: ProvideOptions): Promise<ProvidedRedis> {
  if (options.redisUrl !== undefined && options.redisUrl !== '') return useGiven(options.redisUrl);
  const binary = await findRedis({ cacheDir: options.cacheDir, log: options.log ?? (() => undefined) });
  return startPrivateRedis({ binary, dir: options.dir, appendonly: options.appendonly ?? true });
}

async function useGiven(url: string): Promise<ProvidedRedis> {
  const redis = connectProducer(redisSettings(url, 'REDIS_URL'));
  redis.on('error', () => undefined); // untilReady tells; without a listener ioredis would print it as well
  try {
    await untilReady(redis, CHECK_MS);
    await redis.ping();
    const { version } = await ask(redis);
    return { url, version, origin: 'REDIS_URL', pid: null, stop: async () => undefined };
  } catch (error) {
    throw redisFailure(error);
  } finally {
    redis.disconnect();
  }
}

/** Resolves when it answers. @throws Error with its last words where it does not start. */
export async function startPrivateRedis(options: PrivateOptions): Promise<ProvidedRedis> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const launched = launch(options, dir, port);
    try {
      const { version, pid } = await untilAnswering(launched, port);
      const { stop } = launched;
      return { url: `redis://127.0.0.1:${port}`, version, origin: options.binary.origin, pid, stop };
    } catch (error) {
      await launched.stop();
      const taken = launched.lastLines.some((line) => /address already in use/i.test(line));
      if (!taken || options.port !== undefined || attempt === PORTS_TO_TRY) throw error;
    }
  }
}

interface Launched extends OnLeash {
  /** By which our Redis is told from another one on the same port. */
  readonly token: string;
}

function launch({ binary, appendonly, args = [] }: PrivateOptions, dir: string, port: number): Launched {
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
    'syslog-ident': token, // without effect (syslog is off), and CONFIG GET tells it
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return { ...startOnLeash(binary.command, [...flags, ...args], { dir, env: binary.env }), token };
}

async function untilAnswering(launched: Launched, port: number): Promise<{ version: string; pid: number }> {
  const deadline = Date.now() + START_MS;
  let ended = false;
  void launched.exited.then(() => {
    ended = true;
  });
  while (!ended && Date.now() < deadline) {
    const answer = await tryOnce(port, launched.token);
    if (answer !== null) return answer;
    await sleep(25);
  }
  const what = ended ? 'ended at once' : `does not answer after ${START_MS / 1_000} s`;
  throw new Error(`redis-server ${what}:\n${launched.lastLines.join('\n')}`);
}

async function tryOnce(port: number, token: string): Promise<{ version: string; pid: number } | null> {
  // disconnectTimeout: ioredis would hold the process open for 2 s after each attempt that was refused.
  const quick = { connectTimeout: 2_000, commandTimeout: 2_000, disconnectTimeout: 50, maxRetriesPerRequest: 0 };
  const oneTry = { lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null };
  const redis = new Redis({ host: '127.0.0.1', port, ...quick, ...oneTry });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await redis.ping(); // an error while it still loads its AOF
    const [, ident] = (await redis.call('CONFIG', 'GET', 'syslog-ident')) as string[];
    return ident === token ? await ask(redis) : null;
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

async function ask(redis: RedisClient): Promise<{ version: string; pid: number }> {
  const info = await redis.info('server');
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  return { version: field('valkey_version') ?? field('redis_version') ?? 'unknown', pid: Number(field('process_id')) };
}

/** On 127.0.0.1. Somebody may be faster and take it: whoever starts a server there tries again. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
