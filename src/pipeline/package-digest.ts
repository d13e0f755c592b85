/** Identifies a liveness package by a keyed digest of its MD5. So a replay can be detected although the MD5 is not kept. */
import { createHmac } from 'node:crypto';
import { resourcesOf } from '../domain/verification/actions.ts';
import { isFlow } from '../domain/verification/flows.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { PackageDigest } from '../redis/scripts/declare-intent.ts';
import type { ReusePolicy } from './attempt-tools.ts';

/** The package is the first resource of the action. Call this after the upload, whose outcome contains the package's MD5. */
export function packageDigest(
  { action, outcomes }: Pick<JournalRecord, 'action' | 'outcomes'>,
  { namespace, ttlMs, refuse, photoRetries }: ReusePolicy,
): PackageDigest {
  if (isFlow(action)) return { digest: '', ttlMs, refuseReuse: false, photoRetries }; // the recording is Tencent's own
  const [[name] = []] = resourcesOf(action);
  const md5 = name === undefined ? undefined : outcomes.upload?.resources[name]?.md5;
  const digest = createHmac('sha256', `${namespace}/package`)
    .update(md5 ?? '')
    .digest('base64url')
    .slice(0, 22);
  return { digest, ttlMs, refuseReuse: refuse, photoRetries };
}
