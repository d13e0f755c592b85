/**
 * Creates adapters from the configuration without loading the SDK of Tencent's APIs. The HTTP API and the dashboard load this
 * file instead of `edges.ts`.
 */
import type { Logger } from 'pino';
import { type CredentialChain, configuredSource, openCredentials } from '../adapters/credentials/index.ts';
import type { CredentialsProvider } from '../adapters/credentials/keys.ts';
import { createTransport } from '../adapters/http/index.ts';
import type { Transport } from '../adapters/http/transport.ts';
import type { BucketAccess } from '../adapters/storage/cos-requests.ts';
import {
  type CheckedBucket,
  createBucket,
  createFrameSink,
  createLinkIo,
  createLockedBucket,
  openStagingBucket,
  openStagingFolder,
} from '../adapters/storage/index.ts';
import type { Staging } from '../adapters/storage/staging.ts';
import { localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { EvidenceBuckets, FrameSink } from '../domain/ports.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Config } from './config.ts';

/** Options of every outgoing connection: proxy, CA, mode. */
export function transportOptions(config: Config) {
  return {
    mode: config.mode,
    ...(config.proxy === undefined ? {} : { proxy: config.proxy }),
    ...(config.noProxy === undefined ? {} : { noProxy: config.noProxy }),
    ...(config.caFile === undefined ? {} : { caFile: config.caFile }),
  };
}

/** @throws Failure NO_CREDENTIALS if no source of keys is configured. Nothing is read or called yet. */
export function requireCredentials(config: Config, log?: Logger): CredentialChain {
  return openCredentials({
    settings: config.credentials,
    egress: transportOptions(config),
    onTrouble: (failure, expiresAt) => {
      const facts = { event: 'keys_not_renewed', code: failure.code, reason: failure.message };
      log?.warn({ ...facts, expiresAt: new Date(expiresAt).toISOString() }, 'the temporary keys could not be renewed');
    },
  });
}

/** Opens the credentials. If none are configured, opening succeeds, and the first use fails. */
export function lazyCredentials(config: Config): CredentialsProvider & { close(): Promise<void> } {
  if (hasCredentials(config)) return requireCredentials(config);
  return { get: async () => requireCredentials(config).get(), close: async () => undefined };
}

/** Whether any source of keys is configured. */
export function hasCredentials(config: Config): boolean {
  return configuredSource(config.credentials) !== null;
}

/** Opens the buckets of the evidence. Nothing is called yet. */
export function openEvidence(
  configured: ReadonlyMap<Region, string>,
  access: Pick<BucketAccess, 'credentials' | 'transport'>,
): EvidenceBuckets {
  const links = createLinkIo(access.transport);
  return {
    of(region, name = configured.get(region)) {
      if (name !== undefined) return createLockedBucket({ name, region, ...access }, links);
      const message = `there is no bucket of evidence for ${region}: set BESTFRAME_EVIDENCE_BUCKETS`;
      throw localFailure(CODES.NO_BUCKET, message, { field: 'BESTFRAME_EVIDENCE_BUCKETS' });
    },
  };
}

export interface OpenStorage {
  /** For reading. */
  readonly sink: FrameSink;
  /** Null if no files are accepted over HTTP. */
  readonly staging: Staging | null;
  readonly evidence: EvidenceBuckets;
  close(): Promise<void>;
}

/** Opens the storage that the HTTP API and the dashboard use. */
export function openStorage(config: Config): OpenStorage {
  const transport = createTransport(transportOptions(config));
  const credentials = lazyCredentials(config);
  const buckets = new Map<Region, CheckedBucket>(
    [...config.buckets].map(([region, name]) => [region, createBucket({ name, region, credentials, transport })]),
  );
  return {
    sink: createFrameSink({ dir: config.framesDir, buckets, transport }),
    staging: openStaging(config, buckets, transport),
    evidence: openEvidence(config.evidence.buckets, { credentials, transport }),
    close: async () => {
      await credentials.close();
      await transport.close();
    },
  };
}

function openStaging(
  { api: { staging }, spoolDir }: Config,
  buckets: ReadonlyMap<Region, CheckedBucket>,
  transport: Transport,
): Staging | null {
  switch (staging?.to) {
    case undefined:
      return null;
    case 'folder':
      return openStagingFolder(staging.dir);
    case 'bucket':
      return openStagingBucket({ folder: staging.folder, buckets, links: createLinkIo(transport), spoolDir });
  }
}
