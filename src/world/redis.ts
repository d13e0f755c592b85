/**
 * Redis for a world on this machine: the one at REDIS_URL, else a private one. A private Redis listens on 127.0.0.1
 * only and ends with the process that started it, whatever ends that: a SIGKILL too. Ctrl-C does not reach it, so
 * that workers still have it while they drain.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connectProducer, redisFailure, untilReady } from '../queue/connection.ts';
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
const STOP_MS = 5_000;
const CHECK_MS = 5_000;

/** @throws Failure REDIS_UNAVAILABLE where REDIS_URL does not answer, or there is no Redis to be had. */
export async function provideRedis(options: ProvideOptions): Promise<ProvidedRedis> {
  if (options.redisUrl !== undefined && options.redisUrl !== '') return useGiven(options.redisUrl);
  const binary = await findRedis({ cacheDir: options.cacheDir, log: options.log ?? (() => undefined) });
  return startPrivateRedis({ binary, dir: options.dir, appendonly: options.appendonly ?? true });
}

async function useGiven(url: string): Promise<ProvidedRedis> {
  const redis = connectProducer({ url });
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
      const stop = () => end(launched, pid);
      let stopped: Promise<void> | undefined;
      return {
        url: `redis://127.0.0.1:${port}`,
        version,
        origin: options.binary.origin,
        pid,
        stop: () => {
          stopped ??= stop();
          return stopped;
        },
      };
    } catch (error) {
      launched.leash.destroy();
      await untilGone(launched);
      const taken = launched.lastLines.some((line) => /address already in use/i.test(line));
      if (!taken || options.port !== undefined || attempt === PORTS_TO_TRY) throw error;
    }
  }
}

interface Launched {
  readonly child: ChildProcess;
  /** Redis lives for as long as this end is open. */
  readonly leash: Socket;
  readonly exited: Promise<unknown>;
  /** By which our Redis is told from another one on the same port. */
  readonly token: string;
  readonly lastLines: string[];
}

/**
 * fd 3 is a pipe whose other end only our process holds: `read` returns when we are gone. The watcher is a subshell
 * beside `wait`, so that the wrapper also ends when Redis ends by itself. SIGKILL follows for a Redis that is
 * stopped or stuck. `wait` returns early when a trap ran, hence the loop.
 */
const WRAPPER = `
"$@" 3<&- & child=$!
trap 'kill -TERM $child' TERM INT HUP
(
  trap - TERM INT HUP
  read -r nothing <&3
  exec >/dev/null 2>&1
  kill -TERM $child
  sleep 5
  kill -KILL $child
) & watcher=$!
exec 3<&-
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
kill $watcher 2>/dev/null
exit $code
`;

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
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'redis', binary.command, ...flags, ...args], {
    cwd: dir,
    detached: true, // a process group of its own: Ctrl-C in the terminal is ours to handle, not its
    env: { PATH: process.env.PATH, ...binary.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [, out, err, leash] = child.stdio as unknown as [null, Socket, Socket, Socket];
  const lastLines: string[] = [];
  for (const stream of [out, err]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lastLines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      lastLines.splice(0, lastLines.length - 20);
    });
    stream.unref();
  }
  // Nothing here keeps our process alive: when it has nothing else to do it ends, and Redis with it.
  leash.on('error', () => undefined);
  leash.unref();
  child.unref();
  // `close`, not `exit`: the last words are in by then.
  return { child, leash, exited: once(child, 'close').catch(() => undefined), token, lastLines };
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

async function ask(redis: Redis): Promise<{ version: string; pid: number }> {
  const info = await redis.info('server');
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  return { version: field('valkey_version') ?? field('redis_version') ?? 'unknown', pid: Number(field('process_id')) };
}

async function end(launched: Launched, pid: number): Promise<void> {
  const { child } = launched;
  const signal = (name: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return; // gone, and its pid may be somebody else's
    try {
      process.kill(pid, name);
    } catch {
      // gone in between
    }
  };
  signal('SIGTERM');
  const timer = setTimeout(() => signal('SIGKILL'), STOP_MS);
  await untilGone(launched);
  clearTimeout(timer);
  launched.leash.destroy();
}

/** The child holds no process open (see `launch`), so that its end must be waited for with something that does. */
async function untilGone({ exited }: Launched): Promise<void> {
  const held = setInterval(() => undefined, 1_000);
  await exited;
  clearInterval(held);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
