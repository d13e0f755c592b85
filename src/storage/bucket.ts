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
import { type Method, type Signing, type SigningKeys, signedLink } from './signing.ts';
import { removeVersions, type VersionIo } from './versions.ts';

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
/** A page of a list: keys of 850 bytes at most, percent-encoded, and what is said of each. */
const MAX_LIST_BYTES = 256 * 1024;

export function createBucket(options: BucketOptions): CheckedBucket {
  const { name, region, credentials, transport } = options;

  const sign = (method: Method, place: ObjectPlace, ttlMs: number, query?: Signing['query']) =>
    signedLink(credentials, { method, place, ttlMs, ...(query === undefined ? {} : { query }) });

  async function ask(method: Method, key: string, signal: AbortSignal, query?: Signing['query']): Promise<number> {
    const url = await sign(method, { bucket: name, region, key }, OWN_LINK_MS, query);
    const response = await transport.request({ method, url, purpose: 'link', signal });
    if (response.status < 300) await response.dump();
    else {
      const refusal = await refusalOf(response);
      // An object that is away is fine; a bucket that is not there is not: the object may lie in another region.
      if (response.status !== 404 || refusal.code === 'NoSuchBucket') throw refusal;
    }
    return response.status;
  }

  const versions: VersionIo = {
    list: (query, signal) =>
      withQuickRetries(async () => {
        const url = await sign('GET', { bucket: name, region, key: '' }, OWN_LINK_MS, query);
        const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
        if (response.status !== 200) throw permitting('name/cos:GetBucketObjectVersions', await refusalOf(response));
        return response.text(MAX_LIST_BYTES);
      }, signal),
    remove: ({ key, versionId }, signal) =>
      withQuickRetries(async () => {
        try {
          await ask('DELETE', key, signal, versionId === '' ? undefined : { versionId });
        } catch (error) {
          throw error instanceof Failure ? permitting('name/cos:DeleteObject', error) : error;
        }
      }, signal),
  };

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

    async removeAll(prefix, signal) {
      // The whole bucket, or `folder/id` where `folder/id2` lies beside it, is nobody's intention.
      if (!/^[^/].*\/$/s.test(prefix))
        throw new Error('a prefix to delete under must name a folder, and end with a slash');
      return { versions: await removeVersions(versions, prefix, () => true, signal) };
    },

    async removeVersions(key, signal) {
      return { versions: await removeVersions(versions, key, (each) => each === key, signal) };
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

/** A refusal of keys that lack a right, in words that name it. */
function permitting(permission: string, failure: Failure): Failure {
  if (failure.code !== 'AccessDenied') return failure;
  const message = `the keys lack a right that deleting all versions needs: permit ${permission} on this bucket`;
  return reworded(failure, failure.code, message, { channel: failure.channel });
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
