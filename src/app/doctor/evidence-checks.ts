/** Checks the bucket of the evidence in each region: it exists there, the keys may use it, and it has object lock. */
import type { EvidenceBuckets } from '../../domain/ports.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { type Check, type Finding, failed } from './run-checks.ts';

export function evidenceChecks(configured: ReadonlyMap<Region, string>, buckets: EvidenceBuckets): Check[] {
  return [...configured.keys()].map((region) => ({
    name: `evidence.${region}`,
    needs: ['credentials'],
    run: (signal) => checkLock(region, buckets, signal),
  }));
}

async function checkLock(region: Region, buckets: EvidenceBuckets, signal: AbortSignal): Promise<Finding> {
  try {
    if (await buckets.of(region).isEnabled(signal)) return { status: 'ok', found: 'the bucket has object lock' };
  } catch (error) {
    const advice =
      'Correct the name in BESTFRAME_EVIDENCE_BUCKETS, or grant name/cos:GetBucketObjectLockConfiguration to these credentials.';
    return { ...failed(error), advice };
  }
  const advice =
    'Enable object lock for it in the console of COS, or name another bucket in BESTFRAME_EVIDENCE_BUCKETS: without a lock, copies can be deleted.';
  return { status: 'fail', found: 'the bucket has no object lock', advice };
}
