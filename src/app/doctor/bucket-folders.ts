/** The folders of Bestframe in the company's own buckets, and how soon a lifecycle rule may delete their objects. */
import { MAX_DEADLINE_MS } from '../../domain/verification/request.ts';
import type { Config } from '../config.ts';

export interface BucketFolders {
  /** For uploads. A rule deletes the objects after one day. */
  readonly objects: string;
  /** For files that came over HTTP, with the days for which a verification may need them. Null: they are staged elsewhere. */
  readonly staged: { readonly folder: string; readonly days: number } | null;
}

const DAY_MS = 86_400_000;

export function bucketFolders({ objectFolder, api, policy, keepSourcesMs }: Config): BucketFolders {
  if (api.staging?.to !== 'bucket') return { objects: objectFolder, staged: null };
  // The longest wait in the queue, then a hold, then the time in which a failed verification can be retried, and a day to spare.
  const days = Math.ceil((MAX_DEADLINE_MS + policy.holdMs + keepSourcesMs) / DAY_MS) + 1;
  return { objects: objectFolder, staged: { folder: api.staging.folder, days } };
}
