/**
 * How the product talks to Redis, however that is run. Two habits, not one: a worker waits for Redis to come back, a producer
 * says at once that it is away.
 *
 * What must hold for both: no connection stays silent. A server that does not answer and does not close either (its machine is
 * gone, its process is stopped) is given up; one that takes no writes any more, since another one is the primary now, is left,
 * and the primary is looked for anew.
 */
import { readFileSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { CODES } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { RedisSettings } from './redis-url.ts';

/** The same commands on both. All keys lie in one slot: in a Cluster a pipeline goes to the one node that has it. */
export type RedisClient = Redis | Cluster;

/** After this long a producer knows, by an answer or by an error. */
export const COMMAND_MS = 10_000;
const CONNECT_MS = 5_000;
/** Longer than any command blocks: BullMQ waits for a job for 10 s at most. */
const SILENT_MS = 12_000;

/** For workers: commands wait for the connection, for ever; the lease, not Redis, ends an attempt. */
export function connectWorker(settings: RedisSettings): RedisClient {
  return open(settings, { maxRetriesPerRequest: null, lazyConnect: false });
}

/** For producers: a command that cannot be sent now fails now. */
export function connectProducer(settings: RedisSettings): RedisClient {
  const redis = open(settings, { maxRetriesPerRequest: 1, lazyConnect: true, commandTimeout: COMMAND_MS });
  redis.setMaxListeners(Number.POSITIVE_INFINITY); // whoever waits for the connection listens; to 0 BullMQ would add its own
  return redis;
}

interface Habit {
  readonly maxRetriesPerRequest: number | null;
  readonly lazyConnect: boolean;
  readonly commandTimeout?: number;
}

function open(settings: RedisSettings, habit: Habit): RedisClient {
  const { kind, nodes, primary, db, login, sentinelLogin } = settings;
  const patient = habit.maxRetriesPerRequest === null;
  const tls = tlsOf(settings);
  const every = {
    ...habit,
    ...login,
    ...(tls === null ? {} : { tls }),
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    reconnectOnError: (error: Error) => reconnectOnError(error, patient),
    disableClientInfo: true, // one permission less
  };
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      lazyConnect: habit.lazyConnect,
      clusterRetryStrategy: pause,
      // Without a primary for our slot a command is sent again each 100 ms, by default 16 times.
      ...(patient ? { maxRedirections: Number.MAX_SAFE_INTEGER } : {}),
      slotsRefreshTimeout: CONNECT_MS,
      // As they are: a certificate is made out to a name, and names are looked up with each connection anyway.
      dnsLookup: (host, found) => found(null, host),
      redisOptions: every,
    });
  }
  const one = { ...every, db, retryStrategy: pause, enableOfflineQueue: patient };
  if (kind === 'server') return new Redis({ ...one, ...nodes[0] });
  return new Redis({
    ...one,
    sentinels: [...nodes],
    name: primary,
    sentinelRetryStrategy: pause,
    sentinelCommandTimeout: CONNECT_MS,
    ...(sentinelLogin === null ? {} : { sentinelPassword: sentinelLogin.password }),
    ...(sentinelLogin?.username === undefined ? {} : { sentinelUsername: sentinelLogin.username }),
    ...(tls === null ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  });
}

function pause(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 6), 2_000);
}

/**
 * 2: connects anew, which finds the primary, and sends the command again; nothing of it was done. 1: the command fails, and the
 * next one waits for a new connection. A worker needs that pause: BullMQ asks for the next job at once, thousands of times a second.
 */
function reconnectOnError({ message }: Error, patient: boolean): 1 | 2 | false {
  if (NOT_THIS_SERVER.test(message)) return 2;
  return patient && NOT_NOW.test(message) ? 1 : false;
}

const NOT_THIS_SERVER = /\b(?:READONLY|LOADING|MASTERDOWN)\b/;
const NOT_NOW = /\b(?:NOREPLICAS|OOM|MISCONF|CLUSTERDOWN)\b/;

/** Redis is there and takes no writes for a while: nothing was done, and the same may be sent again. */
export function refusesWrites(error: unknown): boolean {
  return error instanceof Error && (NOT_NOW.test(error.message) || NOT_THIS_SERVER.test(error.message));
}

function tlsOf({ tls, ca, caFile }: RedisSettings): { ca?: string } | null {
  if (!tls) return null;
  if (ca !== undefined) return { ca };
  if (caFile === undefined) return {};
  try {
    return { ca: readFileSync(caFile, 'utf8') };
  } catch {
    throw inputFailure(
      CODES.INVALID_SETTINGS,
      'BESTFRAME_REDIS_CA_FILE',
      'BESTFRAME_REDIS_CA_FILE cannot be read: give the path of a PEM file',
    );
  }
}

/** One that may subscribe, beside `redis`. */
export function subscriberOf(redis: RedisClient): RedisClient {
  return redis instanceof Cluster ? redis.duplicate() : redis.duplicate({ enableOfflineQueue: true });
}

/** Each that holds keys. */
export function serversOf(redis: RedisClient): Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

/** The answer of the one server that has `key`: alone, such a question goes to any one of a Cluster. */
export async function askWhereKeyLies(redis: RedisClient, key: string, question: 'info' | 'ping'): Promise<unknown> {
  const replies = (await redis.pipeline().exists(key)[question]().exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  return replies[1]?.[1];
}

/** Redis is away, or refuses: said as one of our own failures, without the address. */
export function redisFailure(cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const message = 'Redis cannot be reached or refused the command: check that it runs and that the Redis URL is right';
  return new Failure({ service: 'bestframe', channel: 'local', code: CODES.REDIS_UNAVAILABLE, sent: 'no' }, message, {
    cause,
  });
}

/** Resolves when commands can be sent. @throws Failure REDIS_UNAVAILABLE after `timeoutMs`, a producer's at the first error. */
export async function untilReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const done = (error?: unknown) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      redis.off('error', onError);
      if (error === undefined) resolve();
      else reject(redisFailure(error));
    };
    const onReady = () => done();
    let last: unknown = new Error('no connection in time');
    const onError = (error: unknown) => {
      last = error;
      if (redis.options.lazyConnect) done(error);
    };
    const timer = setTimeout(() => done(last), timeoutMs);
    redis.on('ready', onReady);
    redis.on('error', onError);
    if (redis.status === 'wait') redis.connect().catch(onError);
  });
}
