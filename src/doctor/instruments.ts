/** What checks look with. `compose.ts` makes it of the settings. */
import type { Region } from '../domain/actions.ts';
import type { LinkIo } from '../domain/ports.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { BucketSettings, CheckedBucket } from '../storage/index.ts';
import type { FaceIdClient } from '../tencent/index.ts';
import type { Transport } from '../transport/index.ts';

export interface OwnBucket {
  readonly objects: CheckedBucket;
  readonly settings: BucketSettings;
}

export interface Instruments {
  /** Not connected yet: a check connects it. */
  readonly redis: RedisClient;
  readonly faceId: FaceIdClient;
  readonly links: LinkIo;
  readonly transport: Transport;
  /** The own buckets. */
  readonly buckets: ReadonlyMap<Region, OwnBucket>;
  close(): Promise<void>;
}
