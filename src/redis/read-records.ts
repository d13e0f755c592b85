/** Reads journals, and whether verifications exist, have ended or were erased. */
import { Failure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { parseTraceparent } from '../domain/operations/tracing.ts';
import type { Order } from '../domain/verification/request.ts';
import { sourceIdentity } from '../domain/verification/sources.ts';
import type { State } from '../domain/verification/states.ts';
import { openPipeline, redisFailure } from './connection.ts';
import type { Deployment } from './deployment.ts';
import { type JournalRecord, readRecord } from './record.ts';

/** @returns null if there is no journal, or only a tombstone. @throws Failure SEAL_KEY_MISSING */
export async function readJournal({ redis, names, sealer }: Deployment, id: string): Promise<JournalRecord | null> {
  return readRecord(id, await redis.hgetall(names.journal(id)), sealer);
}

/**
 * Paths of the `file` sources, and `cos:<region>/<bucket>/<key>` of the `cos` sources, that are in a journal, or kept for a retry or for evidence, in the order of the ids. An element is null if there is
 * no journal, if the sources were dropped when the verification ended, or if this process lacks the key to read them.
 */
export async function readSourceFiles(
  { redis, names, sealer }: Deployment,
  ids: readonly string[],
): Promise<(readonly string[] | null)[]> {
  if (ids.length === 0) return [];
  const pipeline = openPipeline(redis);
  for (const id of ids)
    pipeline.hget(names.journal(id), 'src').hget(names.kept(id), 'src').hget(names.toCopy(id), 'src');
  const replies = (await pipeline.exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw redisFailure(error);
  return ids.map((id, index) => {
    const src = replies[index * 3]?.[1] ?? replies[index * 3 + 1]?.[1] ?? replies[index * 3 + 2]?.[1];
    return typeof src === 'string' ? filesIn(sealer, id, src) : null;
  });
}

function filesIn(sealer: Deployment['sealer'], id: string, src: string): readonly string[] | null {
  try {
    const { resources } = JSON.parse(sealer.open(id, 'src', src)) as Pick<Order, 'resources'>;
    return Object.values(resources).flatMap((source) => {
      if (source === undefined || source.from === 'https') return [];
      return source.from === 'file' ? source.path : sourceIdentity(source);
    });
  } catch (error) {
    if (error instanceof Failure && error.code === CODES.SEAL_KEY_MISSING) return null;
    throw error;
  }
}

/** The `traceparent` under which a verification was enqueued; null if there is none, or the record is gone. */
export async function readTraceparent({ redis, names }: Deployment, id: string): Promise<string | null> {
  return parseTraceparent(await redis.hget(names.journal(id), 'tp'));
}

export async function journalExists({ redis, names }: Deployment, id: string): Promise<boolean> {
  return (await redis.exists(names.journal(id))) === 1;
}

/** `erased`: reported for a year after an erasure. `missing`: never enqueued, expired, or lost with Redis. */
export type Presence =
  | {
      readonly status: 'present';
      readonly state: State;
      /** Whether the sources of an ended verification are kept, so that it can be retried, or until its evidence is copied. */
      readonly keepsSources: boolean;
    }
  | { readonly status: 'erased' | 'missing' };

/** Reads the presence of many ids in one round trip, in the order of the ids. */
export async function readPresence({ redis, names }: Deployment, ids: readonly string[]): Promise<Presence[]> {
  if (ids.length === 0) return [];
  const pipeline = openPipeline(redis);
  for (const id of ids) pipeline.hmget(names.journal(id), 'state', 'erased').exists(names.kept(id), names.toCopy(id));
  const replies = (await pipeline.exec()) ?? [];
  return ids.map((_, index) => {
    const [error, fields] = replies[index * 2] ?? [null, []];
    const [keptError, kept] = replies[index * 2 + 1] ?? [null, 0];
    if (error !== null || keptError !== null) throw redisFailure(error ?? keptError);
    const [state = null, erased = null] = fields as [State | null, string | null];
    if (erased !== null) return { status: 'erased' };
    return state === null ? { status: 'missing' } : { status: 'present', state, keepsSources: Number(kept) > 0 };
  });
}
