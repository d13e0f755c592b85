/** Sessions of the operators' site in Redis. Keys expire by themselves; the index is cleaned when a session starts. */
import { SESSION_WAYS, type SessionLimits, type SiteSession } from '../domain/operations/sessions.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';
import { touchSession } from './scripts/touch-session.ts';

export async function writeSession(
  { redis, names }: Deployment,
  { id, operator, way, address, startedAt, endsAt }: SiteSession,
  { idleMs }: Pick<SessionLimits, 'idleMs'>,
): Promise<void> {
  const [started, ends] = [Date.parse(startedAt), Date.parse(endsAt)];
  const key = names.session(id);
  const transaction = redis
    .multi()
    .hset(key, { operator, way, address, startedAt: started, lastSeenAt: started, endsAt: ends })
    .pexpire(key, Math.min(idleMs, ends - started))
    .zremrangebyscore(names.sessions, '-inf', started)
    .zadd(names.sessions, ends, id);
  await repliesOf(transaction.exec());
}

/** Reads a session and records that it was used. @returns null if there is no such session. */
export async function useSession(
  deployment: Deployment,
  id: string,
  { idleMs }: Pick<SessionLimits, 'idleMs'>,
): Promise<SiteSession | null> {
  const fields = await touchSession(deployment, id, idleMs);
  return fields === null ? null : parseSession(id, fields);
}

/** All sessions that have not ended, the oldest end first. */
export async function readSessions({ redis, names }: Deployment): Promise<SiteSession[]> {
  const ids = await redis.zrange(names.sessions, '0', '-1');
  if (ids.length === 0) return [];
  const pipeline = openPipeline(redis);
  for (const id of ids) pipeline.hgetall(names.session(id));
  const found = await repliesOf(pipeline.exec());
  return ids.flatMap((id, index) => parseSession(id, found[index] as Record<string, string>) ?? []);
}

/** @returns whether there was such a session. */
export async function deleteSession({ redis, names }: Deployment, id: string): Promise<boolean> {
  const [deleted] = await repliesOf(redis.multi().del(names.session(id)).zrem(names.sessions, id).exec());
  return deleted === 1;
}

function parseSession(id: string, fields: Readonly<Record<string, string>>): SiteSession | null {
  const { operator, way, address = '', startedAt, lastSeenAt, endsAt } = fields;
  if (operator === undefined) return null;
  const [startedIso, lastSeenIso, endsIso] = [startedAt, lastSeenAt, endsAt].map((ms) =>
    new Date(Number(ms)).toISOString(),
  );
  if (startedIso === undefined || lastSeenIso === undefined || endsIso === undefined) return null;
  const known = SESSION_WAYS.find((each) => each === way) ?? 'password';
  return { id, operator, way: known, address, startedAt: startedIso, lastSeenAt: lastSeenIso, endsAt: endsIso };
}
