/** The clients that the checks and `bucket init` use. `../doctor-tools.ts` opens them. */
import type { CredentialChain } from '../../adapters/credentials/index.ts';
import type { CredentialsProvider } from '../../adapters/credentials/keys.ts';
import type { FaceIdClient } from '../../adapters/faceid/index.ts';
import type { Transport } from '../../adapters/http/index.ts';
import type { BucketSettings, CheckedBucket } from '../../adapters/storage/index.ts';
import type { EvidenceBuckets, LinkIo } from '../../domain/ports.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { RedisClient } from '../../redis/connection.ts';

export interface OwnBucket {
  readonly objects: CheckedBucket;
  readonly settings: BucketSettings;
}

export interface DoctorTools {
  /** Not connected yet: a check connects it. */
  readonly redis: RedisClient;
  readonly credentials: CredentialsProvider;
  /** Where the keys come from; null if no source is configured. */
  readonly chain: Pick<CredentialChain, 'source' | 'assumesRole'> | null;
  readonly faceId: FaceIdClient;
  readonly links: LinkIo;
  readonly transport: Transport;
  /** The company's own buckets, as opposed to Tencent's. */
  readonly buckets: ReadonlyMap<Region, OwnBucket>;
  readonly evidence: EvidenceBuckets;
  close(): Promise<void>;
}
