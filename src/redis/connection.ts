/**
 * Connections to Redis: one server, Sentinel or Cluster. Workers and producers use different policies: a worker waits until Redis
 * is back, a producer fails at once.
 *
 * What must hold for both:
 * 1. No connection hangs. A server that neither answers nor closes the socket (host lost, process stopped) counts as lost.
 * 2. After a failover, the client drops its connection to the old primary and looks up the new primary.
 */
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type ChainableCommander, Cluster, Redis } from 'ioredis';
import { Failure, inputFailure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { RedisSettings } from './redis-url.ts';

/** A server and a Cluster offer the same commands. All keys share one slot, so in a Cluster a pipeline goes to a single node. */
export type RedisClient = Redis | Cluster;

/** A producer's command is answered or fails within this time. */
export const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Must exceed the time of the longest blocking command: BullMQ waits up to 10 s for a job. */
const SOCKET_TIMEOUT_MS = 12_000;

/** For workers: commands wait for the connection without limit. A lost lease ends an attempt; a Redis error does not. */
export function connectWorker(settings: RedisSettings): RedisClient {
  return open(settings, { maxRetriesPerRequest: null, lazyConnect: false });
}

/** For producers: a command that cannot be sent now fails at once. */
export function connectProducer(settings: RedisSettings): RedisClient {
  const redis = open(settings, { maxRetriesPerRequest: 1, lazyConnect: true, commandTimeout: COMMAND_TIMEOUT_MS });
  // Every caller that waits for the connection adds a listener. 0 would mean no limit too, but BullMQ adds to the number.
  redis.setMaxListeners(Number.POSITIVE_INFINITY);
  return redis;
}

/** For health checks: every error of a command is returned, also one that another connection may not meet. */
export function connectProbe(settings: RedisSettings): RedisClient {
  return open(settings, { maxRetriesPerRequest: 0, lazyConnect: true, reportsAll: true });
}

interface ConnectionPolicy {
  readonly maxRetriesPerRequest: number | null;
  readonly lazyConnect: boolean;
  readonly commandTimeout?: number;
  /** Whether the connection stays after an error by which the server says that another one must be asked. Default false. */
  readonly reportsAll?: boolean;
}

function open(settings: RedisSettings, { reportsAll = false, ...policy }: ConnectionPolicy): RedisClient {
  const { kind, nodes, primary, db, login, sentinelLogin } = settings;
  const waitsForRedis = policy.maxRetriesPerRequest === null;
  const tls = tlsOptions(settings);
  const common = {
    ...policy,
    ...login,
    ...(tls === null ? {} : { tls }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    reconnectOnError: (error: Error) => (reportsAll ? false : reconnectOnError(error, waitsForRedis)),
    disableClientInfo: true, // so that the Redis user needs no permission for CLIENT SETINFO
  };
  if (kind === 'cluster') {
    const cluster = new Cluster([...nodes], {
      lazyConnect: policy.lazyConnect,
      clusterRetryStrategy: backoffMs,
      // While the slot has no primary, ioredis resends a command every 100 ms. Its default of 16 tries is too few for a failover.
      ...(waitsForRedis ? { maxRedirections: Number.MAX_SAFE_INTEGER } : {}),
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      // Keep host names: TLS certificates name hosts, and each connection resolves the name anyway.
      dnsLookup: (host, callback) => callback(null, host),
      redisOptions: common,
    });
    cluster.on('+node', batchWrites);
    return cluster;
  }
  const single = { ...common, db, retryStrategy: backoffMs, enableOfflineQueue: waitsForRedis };
  if (kind === 'server') return batchWrites(new Redis({ ...single, ...nodes[0] }));
  const redis = new Redis({
    ...single,
    sentinels: [...nodes],
    name: primary,
    sentinelRetryStrategy: backoffMs,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    ...(sentinelLogin === null ? {} : { sentinelPassword: sentinelLogin.password }),
    ...(sentinelLogin?.username === undefined ? {} : { sentinelUsername: sentinelLogin.username }),
    ...(tls === null ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  });
  return batchWrites(redis);
}

/**
 * Sends the commands of one turn of the event loop together, when its callbacks are done. ioredis makes a system call for each command, and with
 * many requests at once these calls take more time than anything else.
 */
function batchWrites(redis: Redis): Redis {
  return redis.on('connect', () => {
    const { stream } = redis as unknown as { readonly stream: Writable }; // a property of ioredis that its types leave out
    const write: Writable['write'] = stream.write.bind(stream);
    let isHeld = false;
    const release = () => {
      isHeld = false;
      stream.uncork();
    };
    stream.write = (chunk: string | Uint8Array) => {
      if (!isHeld) {
        isHeld = true;
        stream.cork();
        process.nextTick(release);
      }
      return write(chunk);
    };
  });
}

function backoffMs(tries: number): number {
  return Math.min(50 * 2 ** Math.min(tries, 6), 2_000);
}

/**
 * Answers by which Redis says that it cannot run a command now. The command had no effect, and will succeed later. `elsewhere`:
 * the command will succeed on another server, or on this server after a restart, so reconnect and resend it. `later`: the command
 * will succeed on this server, after the server has recovered or an operator has fixed it.
 */
const NOT_NOW: readonly (readonly [answer: RegExp, taken: 'elsewhere' | 'later'])[] = [
  [/\bREADONLY\b/, 'elsewhere'],
  [/\bLOADING\b/, 'elsewhere'],
  [/\bMASTERDOWN\b/, 'elsewhere'],
  [/\bBUSY\b/, 'later'], // another client's script is running
  [/\bTRYAGAIN\b/, 'later'], // the Cluster is moving the slot
  [/\bCLUSTERDOWN\b/, 'later'],
  [/\bNOREPLICAS\b/, 'later'],
  [/\bOOM\b/, 'later'],
  [/\bMISCONF\b/, 'later'],
  [/\bmax number of clients\b/, 'later'],
  [/\b(?:NOAUTH|WRONGPASS|NOPERM)\b/, 'later'], // the password or the rights of our user changed
];

function takenWhere({ message }: Error): 'elsewhere' | 'later' | null {
  return NOT_NOW.find(([answer]) => answer.test(message))?.[1] ?? null;
}

/**
 * Says what ioredis does after an error. 2: reconnect, which finds the new primary, and resend the command. 1: fail the command
 * and reconnect; the next command waits for the new connection. A worker needs the pause that a reconnect takes: without it,
 * BullMQ would ask for jobs thousands of times a second.
 */
function reconnectOnError(error: Error, waitsForRedis: boolean): 1 | 2 | false {
  const taken = takenWhere(error);
  if (taken === 'elsewhere') return 2;
  return taken === 'later' && waitsForRedis ? 1 : false;
}

/** Whether Redis answered that it cannot run the command now. The command had no effect, so it may be sent again. */
export function isNotNow(error: unknown): boolean {
  return error instanceof Error && takenWhere(error) !== null;
}

function tlsOptions({ tls, ca, caFile }: RedisSettings): { ca?: string } | null {
  if (!tls) return null;
  if (ca !== undefined) return { ca };
  if (caFile === undefined) return {};
  try {
    return { ca: readFileSync(caFile, 'utf8') };
  } catch {
    throw inputFailure(
      CODES.INVALID_SETTINGS,
      'BESTFRAME_REDIS_CA_FILE',
      'BESTFRAME_REDIS_CA_FILE cannot be read: give the path of a readable PEM file',
    );
  }
}

/** A second connection, for pub/sub: a connection with a subscription cannot send other commands. */
export function createSubscriber(redis: RedisClient): RedisClient {
  return redis instanceof Cluster ? redis.duplicate() : redis.duplicate({ enableOfflineQueue: true });
}

/**
 * Opens a pipeline of plain commands. ioredis copies every script that is defined on the connection into each new pipeline, and BullMQ
 * defines dozens: 55 scripts make a pipeline cost 54 µs instead of 6 µs.
 */
export function openPipeline(redis: RedisClient): ChainableCommander {
  const client = redis as RedisClient & { scriptsSet?: object }; // a property of ioredis that its types leave out
  const { scriptsSet } = client;
  client.scriptsSet = {};
  try {
    return redis.pipeline();
  } finally {
    client.scriptsSet = scriptsSet;
  }
}

/** Whether the connection itself ends the wait for an answer, after `COMMAND_TIMEOUT_MS`. A Cluster client queues commands instead. */
export function limitsWaits(redis: RedisClient): boolean {
  return !(redis instanceof Cluster) && redis.options.commandTimeout !== undefined;
}

/** The primaries of a Cluster; otherwise the one server. */
export function primaryNodes(redis: RedisClient): Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

/**
 * Sends INFO or PING to the server that owns `key`. These commands name no key, so a Cluster client by itself would send them to
 * any node.
 */
export async function queryKeyOwner(redis: RedisClient, key: string, command: 'info' | 'ping'): Promise<unknown> {
  const replies = (await openPipeline(redis).exists(key)[command]().exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  return replies[1]?.[1];
}

/** Turns an error of ioredis into a Failure REDIS_UNAVAILABLE without the server's address. Returns a Failure unchanged. */
export function redisFailure(cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const message =
    'Redis cannot be reached or refused the command: check that it runs and that the Redis URL is correct';
  return localFailure(CODES.REDIS_UNAVAILABLE, message, { cause });
}

/**
 * Resolves when commands can be sent. @throws Failure REDIS_UNAVAILABLE after `timeoutMs`. A producer's connection
 * (`lazyConnect`) throws the same Failure at the first connection error.
 */
export async function waitUntilReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const finish = (error?: unknown) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      redis.off('error', onError);
      if (error === undefined) resolve();
      else reject(redisFailure(error));
    };
    const onReady = () => finish();
    let lastError: unknown = new Error('no connection in time');
    const onError = (error: unknown) => {
      lastError = error;
      if (redis.options.lazyConnect) finish(error);
    };
    const timer = setTimeout(() => finish(lastError), timeoutMs);
    redis.on('ready', onReady);
    redis.on('error', onError);
    if (redis.status === 'wait') redis.connect().catch(onError);
  });
}

/** The replies of a pipeline or transaction, in order. @throws Failure for the first command that failed. */
export async function repliesOf(sent: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> {
  return ((await sent) ?? []).map(([error, reply]) => {
    if (error !== null) throw redisFailure(error);
    return reply;
  });
}
