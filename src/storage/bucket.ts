/**
 * The company's own bucket in one region. The COS SDK signs and does nothing else: it passes no CA on, has no time limit of
 * its own and repeats what it should not. Bytes and deletions travel through the transport.
 *
 * Links are for the default domain (the only one that FaceID is documented to take), for one method and one object, and
 * sign no header but `host`: a PUT may carry Content-MD5.
 */
import COS from 'cos-nodejs-sdk-v5';
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { ObjectPlace } from '../domain/outcomes.ts';
import type { Bucket } from '../domain/ports.ts';
import { refusalOf, reworded } from '../transport/cos-answers.ts';
import { withQuickRetries } from '../transport/retry.ts';
import type { Transport } from '../transport/transport.ts';

/** What signing needs to know of the keys; `CredentialsProvider` of `tencent/` gives it. */
export interface BucketOptions {
  /** `name-appid`. */
  readonly name: string;
  readonly region: Region;
  readonly credentials: {
    get(): Promise<{ readonly secretId: string; readonly secretKey: string; readonly token?: string }>;
  };
  readonly transport: Transport;
}

/** What a start-up checks: the bucket is there, in this region, and the keys open it. */
export interface CheckedBucket extends Bucket {
  /** @throws Failure BUCKET_REGION where there is no such bucket in the region, NO_CREDENTIALS where the keys are refused. */
  check(signal: AbortSignal): Promise<void>;
}

type Method = 'GET' | 'PUT' | 'DELETE' | 'HEAD';

const OWN_LINK_MS = 5 * 60_000;

export function createBucket(options: BucketOptions): CheckedBucket {
  const { name, region, credentials, transport } = options;

  async function sign(method: Method, place: ObjectPlace, ttlMs: number): Promise<string> {
    const { secretId, secretKey, token } = await credentials.get();
    const signature = COS.getAuthorization({
      SecretId: secretId,
      SecretKey: secretKey,
      Method: method as 'GET', // its types know no HEAD, which it signs all the same
      Bucket: place.bucket,
      Region: place.region,
      Pathname: `/${place.key}`,
      Expires: Math.max(1, Math.ceil(ttlMs / 1000)) + 1, // it counts from a second ago
    });
    const session = token === undefined ? '' : `&x-cos-security-token=${encodeURIComponent(token)}`;
    return `https://${place.bucket}.cos.${place.region}.myqcloud.com/${escaped(place.key)}?${signature}${session}`;
  }

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

/** As the SDK writes a key into a URL. */
function escaped(key: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(key)
    .replace(/%2F/g, '/')
    .replace(/[!'()*]/g, percent);
}
