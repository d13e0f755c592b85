/**
 * The company's own bucket in one region. The COS SDK signs and does nothing else: it passes no CA on, has no time limit of
 * its own and repeats what it should not. Bytes and deletions travel through the transport.
 *
 * Links are for the default domain (the only one that FaceID is documented to take), for one method and one object, and
 * sign no header but `host`: a PUT may carry Content-MD5.
 */
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { ObjectPlace } from '../domain/outcomes.ts';
import type { Bucket } from '../domain/ports.ts';
import { refusalOf, reworded } from '../transport/cos-answers.ts';
import { withQuickRetries } from '../transport/retry.ts';
import type { Transport } from '../transport/transport.ts';
import { type Method, type SigningKeys, signedLink } from './signing.ts';

export interface BucketOptions {
  /** `name-appid`. */
  readonly name: string;
  readonly region: Region;
  readonly credentials: SigningKeys;
  readonly transport: Transport;
}

/** What a start-up checks: the bucket is there, in this region, and the keys open it. */
export interface CheckedBucket extends Bucket {
  /** @throws Failure BUCKET_REGION where there is no such bucket in the region, NO_CREDENTIALS where the keys are refused. */
  check(signal: AbortSignal): Promise<void>;
}

const OWN_LINK_MS = 5 * 60_000;

export function createBucket(options: BucketOptions): CheckedBucket {
  const { name, region, credentials, transport } = options;

  const sign = (method: Method, place: ObjectPlace, ttlMs: number) => signedLink(credentials, { method, place, ttlMs });

  async function ask(method: Method, key: string, signal: AbortSignal): Promise<number> {
    const url = await sign(method, { bucket: name, region, key }, OWN_LINK_MS);
    const response = await transport.request({ method, url, purpose: 'link', signal });
    if (response.status < 300) await response.dump();
    else {
      const refusal = await refusalOf(response);
      // An object that is away is fine; a bucket that is not there is not: the object may lie in another region.
      if (response.status !== 404 || refusal.code === 'NoSuchBucket') throw refusal;
    }
    return response.status;
  }

  return {
    name,
    region,
    signPut: (key, ttlMs) => sign('PUT', { bucket: name, region, key }, ttlMs),
    signGet: (place, ttlMs) => sign('GET', place, ttlMs),

    remove(key, signal) {
      return withQuickRetries(async () => {
        await ask('DELETE', key, signal);
        if ((await ask('HEAD', key, signal)) === 404) return;
        const facts = { service: 'cos', channel: 'local', code: CODES.HTTP_5XX, sent: 'answered' } as const;
        throw new Failure(facts, 'the object is still there after it was deleted: it will be deleted again');
      }, signal);
    },

    check(signal) {
      return withQuickRetries(async () => {
        const url = await sign('HEAD', { bucket: name, region, key: '' }, OWN_LINK_MS);
        const response = await transport.request({ method: 'HEAD', url, purpose: 'link', signal });
        if (response.status !== 200) throw checkFailure(await refusalOf(response), region);
        await response.dump();
      }, signal);
    },
  };
}

function checkFailure(failure: Failure, region: string): Failure {
  if (failure.httpStatus === 404 || failure.httpStatus === 301) {
    const message = `there is no such bucket in ${region}: correct its name, or make one in this region`;
    return reworded(failure, CODES.BUCKET_REGION, message);
  }
  if (failure.httpStatus === 403) {
    const message =
      'the bucket cannot be used with the configured keys: check the keys, their permissions and this machine’s clock';
    return reworded(failure, CODES.NO_CREDENTIALS, message);
  }
  return failure;
}
