/**
 * One deployment in Redis: the connection, the names of its keys, and the sealer of its values. Every read and write needs a
 * `Deployment`. Code outside this folder passes it on without using its fields.
 */
import { createSubscriber, type RedisClient } from './connection.ts';
import { NextPositions } from './history.ts';
import { createNames, type Names } from './names.ts';
import { Places } from './read-surroundings.ts';
import { type KeyRing, Sealer } from './sealer.ts';

export interface Deployment {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly positions: NextPositions;
  readonly places: Places;
}

/** @param keyRing the keys that seal values. Without them, nothing is sealed. */
export function createDeployment(redis: RedisClient, prefix: string, keyRing?: KeyRing): Deployment {
  return {
    redis,
    names: createNames(prefix),
    sealer: new Sealer(keyRing),
    positions: new NextPositions(),
    places: new Places(),
  };
}

/** Whether commands can be sent now. While they cannot, those of a worker wait for the connection. */
export function isConnected({ redis }: Pick<Deployment, 'redis'>): boolean {
  return redis.status === 'ready';
}

/** What a BullMQ queue or worker needs to find its jobs. */
export function bullmqOptions({ redis, names }: Deployment) {
  return { connection: redis, prefix: names.prefix };
}

/**
 * Calls `onChange` with the id of each API key that is revoked or gets another expiry. A change may be missed, because pub/sub does
 * not guarantee delivery.
 * @returns a function that ends the subscription, as soon as the subscription has begun.
 */
export async function subscribeToKeys(
  { redis, names }: Deployment,
  onChange: (id: string) => void,
): Promise<() => void> {
  const subscriber = createSubscriber(redis);
  subscriber.on('error', () => undefined); // ioredis connects and subscribes again by itself
  subscriber.on('message', (_channel, id: string) => onChange(id));
  await subscriber.subscribe(names.keyChannel).catch((error: unknown) => {
    subscriber.disconnect();
    throw error;
  });
  return () => subscriber.disconnect();
}

/**
 * Calls `onChange` with the id of each verification that is decided or ends. A change may be missed, because pub/sub does not
 * guarantee delivery.
 * @returns a function that ends the subscription.
 */
export function subscribeToChanges({ redis, names }: Deployment, onChange: (id: string) => void): () => void {
  const subscriber = createSubscriber(redis);
  subscriber.on('error', () => undefined); // a missed change does no harm: the caller also polls
  subscriber.on('message', (_channel, id: string) => onChange(id));
  subscriber.subscribe(names.channel).catch(() => undefined); // ioredis subscribes again by itself when it reconnects
  return () => subscriber.disconnect();
}
