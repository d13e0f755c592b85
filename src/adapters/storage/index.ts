/** Sources, sinks and the company's own bucket. Loads the COS SDK, so the clients import only `file-source.ts`. */
export { type CheckedBucket, createBucket } from './bucket.ts';
export { type BucketSettings, createBucketSettings } from './bucket-settings.ts';
export { readCosFailure } from './cos-requests.ts';
export { folderUnwritable } from './disk.ts';
export { rootUnreadable } from './file-source.ts';
export { probeWritable, RootProbe } from './folder-probes.ts';
export { createFrameSink } from './frame-sink.ts';
export type { LifecycleRule } from './lifecycle-rules.ts';
export { createLinkIo } from './link-io.ts';
export { createLockedBucket } from './locked-bucket.ts';
export { createSources } from './sources.ts';
export { openStagingBucket } from './staging-bucket.ts';
export { openStagingFolder } from './staging-folder.ts';
