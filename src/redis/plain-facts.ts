/** What the filter of a list compares, read for many verifications at once. It costs much less than their views. */
import type { PlainFacts } from '../domain/verification/filter.ts';
import type { Decision, State } from '../domain/verification/states.ts';
import type { Deployment } from './deployment.ts';
import { readPacked } from './record.ts';
import { readFields } from './scripts/read-fields.ts';

const FIELDS = ['state', 'decision', 'rq', 'at'];

/** @returns null where there is no record. */
export async function readPlainFacts(deployment: Deployment, ids: readonly string[]): Promise<(PlainFacts | null)[]> {
  return (await readFields(deployment, ids, FIELDS)).map(([state, decision, packed, at]) => {
    if (state == null || packed == null) return null;
    const { region, lane, action, upload } = readPacked(packed);
    const createdAt = new Date(Number(at)).toISOString();
    return {
      state: state as State,
      decision: (decision ?? null) as Decision | null,
      region,
      lane,
      action,
      upload,
      createdAt,
    };
  });
}
