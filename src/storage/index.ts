/** Sources and sinks, and the own bucket. Loads the COS SDK: the producer imports `file-source.ts` alone. */
export { type CheckedBucket, createBucket } from './bucket.ts';
export { type BucketSettings, bucketSettings, type LifecycleRule } from './bucket-settings.ts';
export { createFrameSink } from './frame-sink.ts';
export { createSources } from './sources.ts';
