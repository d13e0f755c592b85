import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** @returns the fields of the session, or null if there is no such session or its time is over. */
export async function touchSession(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  id: string,
  idleMs: number,
): Promise<Record<string, string> | null> {
  const reply = (await runScript(redis, 'touch-session', { session: names.session(id) }, { idleMs })) as
    | string[]
    | null;
  if (reply === null) return null;
  return Object.fromEntries(reply.flatMap((name, index) => (index % 2 === 0 ? [[name, reply[index + 1] ?? '']] : [])));
}
