/** Opens the pipeline's external services: FaceID, buckets, links, sources, frame sink. Loads the SDK of Tencent's APIs. */
import type { Logger } from 'pino';
import { createFaceId } from '../adapters/faceid/index.ts';
import { createTransport, sourceHeaders } from '../adapters/http/index.ts';
import type { Transport } from '../adapters/http/transport.ts';
import {
  type CheckedBucket,
  createBucket,
  createFrameSink,
  createLinkIo,
  createSources,
} from '../adapters/storage/index.ts';
import { Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify } from '../domain/errors/index.ts';
import type { Bucket, EvidenceBuckets, LockedBucket } from '../domain/ports.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Edges } from '../pipeline/stages/index.ts';
import { openEvidence, requireCredentials, transportOptions } from './adapters.ts';
import type { Config } from './config.ts';

const BUCKET_CHECK_MS = 10_000;

export interface OpenEdges {
  readonly edges: Edges;
  /** The transport that these services use to reach Tencent. */
  readonly transport: Transport;
  /**
   * Looks up each bucket in its region with the configured credentials. If COS is not reachable, the failure is only logged and
   * the worker starts.
   * @throws Failure BUCKET_REGION or NO_CREDENTIALS: with either fault, the worker would fail every verification.
   */
  checkBuckets(log: Logger): Promise<void>;
  readonly evidence: EvidenceBuckets;
  /**
   * Looks up each bucket of the evidence. If COS is not reachable, the failure is only logged.
   * @throws Failure EVIDENCE_BUCKET if a bucket is missing or has no object lock, or if the keys are refused.
   */
  checkEvidence(log: Logger): Promise<void>;
  close(): Promise<void>;
}

export function openEdges(config: Config, log?: Logger): OpenEdges {
  const options = transportOptions(config);
  const transport = createTransport({
    ...options,
    allowPrivateAddresses: config.allowPrivateSources,
    sourceHeaders: sourceHeaders(config.sourceHeaders, config.sourceHeadersDir ?? ''),
  });
  const credentials = requireCredentials(config, log);
  const buckets = new Map<Region, CheckedBucket>(
    [...config.buckets].map(([region, name]) => [region, createBucket({ name, region, credentials, transport })]),
  );
  const faceId = createFaceId({ ...options, credentials, endpoint: config.endpoint });
  const edges: Edges = {
    sources: createSources({
      roots: config.fileRoots,
      transport,
      buckets,
      ...(config.spoolDir === undefined ? {} : { spoolDir: config.spoolDir }),
    }),
    links: createLinkIo(transport),
    faceId,
    sink: createFrameSink({ dir: config.framesDir, buckets, transport }),
    bucket: (region) => requireBucket(buckets, region),
  };
  const evidence = openEvidence(config.evidence.buckets, { credentials, transport });
  return {
    edges,
    evidence,
    transport,
    checkEvidence: async (log) => {
      await Promise.all([...config.evidence.buckets.keys()].map((region) => checkLocked(evidence.of(region), log)));
    },
    checkBuckets: async (log) => {
      await Promise.all([...buckets.values()].map((bucket) => checkBucket(bucket, log)));
    },
    close: async () => {
      await faceId.close();
      await credentials.close();
      await transport.close();
    },
  };
}

async function checkBucket(bucket: CheckedBucket, log: Logger): Promise<void> {
  try {
    await bucket.check(AbortSignal.timeout(BUCKET_CHECK_MS));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { service, channel, code, sent } = error;
    if (classify(error).class === 'account') {
      const facts = { service, channel, code, sent, field: 'BESTFRAME_BUCKETS' };
      throw new Failure(facts, `${bucket.region}: ${error.message}`);
    }
    log.warn({ event: 'bucket_not_checked', region: bucket.region, code }, 'the bucket could not be checked');
  }
}

/** @throws Failure EVIDENCE_BUCKET */
async function checkLocked(bucket: LockedBucket, log: Logger): Promise<void> {
  const refuse = (problem: string) => {
    const message = `${bucket.region}: the bucket of the evidence ${problem}`;
    throw localFailure(CODES.EVIDENCE_BUCKET, message, { field: 'BESTFRAME_EVIDENCE_BUCKETS' });
  };
  try {
    if (!(await bucket.isEnabled(AbortSignal.timeout(BUCKET_CHECK_MS)))) refuse('has no object lock: enable it');
  } catch (error) {
    if (!(error instanceof Failure) || error.code === CODES.EVIDENCE_BUCKET) throw error;
    if (classify(error).class === 'account') refuse(`cannot be used: ${error.message}`);
    const facts = { event: 'bucket_not_checked', region: bucket.region, code: error.code };
    log.warn(facts, 'the bucket of the evidence could not be checked');
  }
}

function requireBucket(buckets: ReadonlyMap<Region, Bucket>, region: Region): Bucket {
  const bucket = buckets.get(region);
  if (bucket !== undefined) return bucket;
  const message = `there is no own bucket for ${region}: set BESTFRAME_BUCKETS, or use the upload way create-upload-url`;
  throw localFailure(CODES.NO_BUCKET, message, { field: 'upload' });
}
