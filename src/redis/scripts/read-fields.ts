import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Reads the same fields of many journals. @returns for each id the values of the fields; null: the journal has no such field. */
export async function readFields(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  ids: readonly string[],
  fields: readonly string[],
): Promise<(string | null)[][]> {
  if (ids.length === 0) return [];
  const args = { fields: fields.join(' '), ids };
  return (await runScript(redis, 'read-fields', { journals: names.journal('') }, args)) as (string | null)[][];
}
