/**
 * Heartbeats of the verify workers. Every few seconds, each worker writes its own hash field, for operators, and the regions that
 * it serves. A producer reads these regions when it claims a verification (scripts/includes/door.lua).
 */
import { explain } from '../domain/errors/index.ts';
import type { Slots, WorkerView } from '../domain/operations/workers.ts';
import type { Region } from '../domain/verification/regions.ts';
import { readClock } from './clock.ts';
import type { Deployment } from './deployment.ts';

type Store = Pick<Deployment, 'redis' | 'names'>;

/**
 * A worker whose last heartbeat is older than this is not shown. Even a worker whose probes all hang sends a heartbeat every 30
 * s.
 */
const SHOWN_MS = 60_000;
/** If the last heartbeat of a worker is older than this, the worker's field is removed. */
const KEPT_MS = 3_600_000;

export interface Beat {
  readonly worker: string;
  readonly regions: readonly Region[];
  /** Code of the machine's fault; null without a fault. */
  readonly code: string | null;
  /** ms since 1970. */
  readonly since: number;
  readonly version: string;
  readonly slots: Slots;
  /** The regions that the worker serves now: none before it is ready, and none after it begins to stop. */
  readonly served: readonly Region[];
}

/** A heartbeat as Redis stores it, in the field of its worker. */
interface StoredBeat extends Omit<Beat, 'worker' | 'served'> {
  /** Time of the heartbeat by Redis's clock, ms since 1970. */
  readonly at: number;
}

/**
 * Writes a worker's heartbeat. The time comes from Redis: if a worker's own clock were used and wrong, its region could look
 * unserved.
 */
export async function writeBeat(deployment: Store, { worker, served, ...state }: Beat): Promise<void> {
  const { redis, names } = deployment;
  const at = await readClock(deployment);
  const beat: StoredBeat = { ...state, at };
  await redis.hset(names.workers, worker, JSON.stringify(beat));
  if (served.length > 0) await redis.zadd(names.regions, ...served.flatMap((region) => [at, region]));
}

/** Removes the heartbeat of a worker that stops normally, so that it is not shown any more. */
export async function endBeat({ redis, names }: Store, worker: string): Promise<void> {
  await redis.hdel(names.workers, worker);
}

export async function readWorkers(deployment: Store): Promise<WorkerView[]> {
  const now = await readClock(deployment);
  return (await beatsOf(deployment))
    .filter(([, { at }]) => now - at < SHOWN_MS)
    .map(([worker, { regions, code, since, version, slots, at }]) => ({
      worker,
      regions,
      state: code === null ? ('ready' as const) : ('out_of_service' as const),
      code,
      advice: code === null ? null : explain(code)?.advice.operator || null,
      since: new Date(since).toISOString(),
      version,
      slots,
      lastBeat: new Date(at).toISOString(),
    }))
    .sort((a, b) => (a.worker < b.worker ? -1 : 1));
}

/** Removes the fields of workers that were killed and so could not remove their own fields. */
export async function dropSilentWorkers(deployment: Store): Promise<void> {
  const now = await readClock(deployment);
  const silent = (await beatsOf(deployment)).filter(([, { at }]) => now - at > KEPT_MS).map(([worker]) => worker);
  if (silent.length > 0) await deployment.redis.hdel(deployment.names.workers, ...silent);
}

async function beatsOf({ redis, names }: Store): Promise<[string, StoredBeat][]> {
  const beats = await redis.hgetall(names.workers);
  return Object.entries(beats).map(([worker, text]) => [worker, JSON.parse(text) as StoredBeat]);
}
