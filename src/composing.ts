/** What both places that compose share: how the outside is reached by settings, and what runs until it is stopped. Loads no SDK of Tencent's APIs. */
import type { Config } from './config.ts';
import type { Region } from './domain/actions.ts';
import { CODES } from './domain/errors/index.ts';
import { Failure } from './domain/failure.ts';
import type { Bucket, FrameSink } from './domain/ports.ts';
import { createBucket, createFrameSink } from './storage/index.ts';
import { type CredentialsProvider, fileCredentials, staticCredentials } from './tencent/credentials.ts';
import { createTransport } from './transport/index.ts';

export interface Running {
  /** Takes no more, waits for what runs. Idempotent. @returns false where something was still running at the deadline. */
  stop(drainMs: number): Promise<boolean>;
}

export function once(stop: (drainMs: number) => Promise<boolean>): (drainMs: number) => Promise<boolean> {
  let stopped: Promise<boolean> | undefined;
  return (drainMs) => {
    stopped ??= stop(drainMs);
    return stopped;
  };
}

export function wayOf(config: Config) {
  return {
    mode: config.mode,
    ...(config.proxy === undefined ? {} : { proxy: config.proxy }),
    ...(config.noProxy === undefined ? {} : { noProxy: config.noProxy }),
    ...(config.caFile === undefined ? {} : { caFile: config.caFile }),
  };
}

/** @throws Failure NO_CREDENTIALS */
export function credentialsOf(config: Config): CredentialsProvider {
  const { credentials } = config;
  if (credentials === null) throw noCredentials();
  return 'file' in credentials ? fileCredentials(credentials.file) : staticCredentials(credentials);
}

/** For what may never be asked for its keys: it fails when it is. */
export function credentialsIfAny(config: Config): CredentialsProvider {
  return config.credentials === null ? { get: async () => Promise.reject(noCredentials()) } : credentialsOf(config);
}

/** Where frames are kept, to be read. */
export function openSink(config: Config): { sink: FrameSink; close(): Promise<void> } {
  const transport = createTransport(wayOf(config));
  const credentials = credentialsIfAny(config);
  const buckets = new Map<Region, Bucket>(
    [...config.buckets].map(([region, name]) => [region, createBucket({ name, region, credentials, transport })]),
  );
  return { sink: createFrameSink({ dir: config.framesDir, buckets, transport }), close: () => transport.close() };
}

function noCredentials(): Failure {
  return new Failure(
    { service: 'bestframe', channel: 'local', code: CODES.NO_CREDENTIALS, sent: 'no' },
    'there are no credentials: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or BESTFRAME_CREDENTIALS_FILE',
  );
}
