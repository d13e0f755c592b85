/** Creates the clients for `doctor` and `bucket init`. Nothing connects yet: the checks report what is not reachable. */
import { createFaceId } from '../adapters/faceid/index.ts';
import { createTransport } from '../adapters/http/index.ts';
import { createBucket, createBucketSettings, createLinkIo } from '../adapters/storage/index.ts';
import { connectProducer } from '../redis/connection.ts';
import { hasCredentials, lazyCredentials, openEvidence, requireCredentials, transportOptions } from './adapters.ts';
import type { Config } from './config.ts';
import type { DoctorTools } from './doctor/tools.ts';

export function openDoctorTools(config: Config): DoctorTools {
  const egress = transportOptions(config);
  const transport = createTransport(egress);
  const chain = hasCredentials(config) ? requireCredentials(config) : null;
  const credentials = chain ?? lazyCredentials(config);
  const faceId = createFaceId({ ...egress, credentials, endpoint: config.endpoint });
  const redis = connectProducer(config.redis);
  redis.on('error', () => undefined); // The check reports the error. Without a listener ioredis would print the address.
  return {
    redis,
    credentials,
    chain,
    faceId,
    transport,
    links: createLinkIo(transport),
    buckets: new Map(
      [...config.buckets].map(([region, name]) => {
        const options = { name, region, credentials, transport };
        return [region, { objects: createBucket(options), settings: createBucketSettings(options) }];
      }),
    ),
    evidence: openEvidence(config.evidence.buckets, { credentials, transport }),
    close: async () => {
      redis.disconnect();
      await faceId.close();
      await credentials.close();
      await transport.close();
    },
  };
}
