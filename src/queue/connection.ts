/**
 * How the product talks to Redis. Two habits, not one: a worker waits for Redis to come back, a producer says at once that
 * it is away.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface RedisSettings {
  /** redis:// or rediss:// */
  readonly url: string;
  readonly tls?: { readonly ca?: string };
}

/** For workers: commands wait for the connection, for ever; the lease, not Redis, ends an attempt. */
export function connectWorker(settings: RedisSettings): Redis {
  return new Redis(settings.url, { ...common(settings), maxRetriesPerRequest: null });
}

/** For producers: a command that cannot be sent now fails now. */
export function connectProducer(settings: RedisSettings): Redis {
  return new Redis(settings.url, {
    ...common(settings),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 10_000,
    lazyConnect: true,
  });
}

function common(settings: RedisSettings): Omit<RedisOptions, 'replyMapping'> {
  return {
    connectTimeout: 5_000,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
    ...(settings.tls?.ca === undefined ? {} : { tls: { ca: settings.tls.ca } }),
  };
}

/** Redis is away, or refuses: said as one of our own failures, without the address. */
export function redisFailure(cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const message = 'Redis cannot be reached or refused the command: check that it runs and that the Redis URL is right';
  return new Failure({ service: 'bestframe', channel: 'local', code: CODES.REDIS_UNAVAILABLE, sent: 'no' }, message, {
    cause,
  });
}

/** Resolves when commands can be sent. @throws Failure REDIS_UNAVAILABLE after `timeoutMs`. */
export async function untilReady(redis: Redis, timeoutMs: number): Promise<void> {
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
      if (redis.options.enableOfflineQueue === false) done(error);
    };
    const timer = setTimeout(() => done(last), timeoutMs);
    redis.on('ready', onReady);
    redis.on('error', onError);
    if (redis.status === 'wait') redis.connect().catch(onError);
  });
}
