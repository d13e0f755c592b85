/**
 * Opens a resource that already lies in COS, and uses the product's own keys for this. The object is read completely to hash it.
 * The opened source includes the object's location, so an object in the right bucket is used through a signed link instead of a
 * copy.
 */

import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES, COS_CODES_ABOUT_KEYS } from '../../domain/errors/index.ts';
import type { Bucket, OpenSource } from '../../domain/ports.ts';
import type { ObjectPlace } from '../../domain/verification/outcomes.ts';
import type { CosSource } from '../../domain/verification/sources.ts';
import { recodeFailure } from '../http/answer-failures.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import { streamBody, type Transport, type TransportResponse } from '../http/transport.ts';
import { ContentCheck, type Expectation } from './content-checks.ts';
import { readCosFailure } from './cos-requests.ts';
import { Hasher, verifyUnchanged } from './hashing.ts';

const LINK_TTL_MS = 10 * 60_000;

interface CosSourceOptions extends Expectation {
  readonly transport: Transport;
  /** The company's buckets, by region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
}

export async function openCosSource(
  { bucket, region, key, md5 }: CosSource,
  options: CosSourceOptions,
  signal: AbortSignal,
): Promise<OpenSource> {
  const { transport, buckets, field } = options;
  const signer = buckets.get(region);
  if (signer === undefined) {
    const message = `${field} is in ${region}, where no bucket is configured: configure one there, or use another source`;
    throw inputFailure(CODES.NO_BUCKET, `${field}.region`, message);
  }
  const place: ObjectPlace = { bucket, region, key };
  const fetchObject = async (): Promise<TransportResponse> => {
    const url = await signer.signGet(place, LINK_TTL_MS);
    const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
    if (response.status === 200) return response;
    throw explainRefusal(await readCosFailure(response), field);
  };

  const { digest, check } = await withQuickRetries(async () => {
    const hasher = new Hasher();
    const fresh = new ContentCheck(options);
    for await (const piece of fresh.watch(streamBody(fetchObject))) hasher.add(piece);
    return { digest: hasher.digest(), check: fresh };
  }, signal);
  check.conclude(digest, md5);

  return {
    ...digest,
    place,
    stream: () => verifyUnchanged(streamBody(fetchObject), digest),
    async close() {},
  };
}

/** Turns a refusal by COS into a failure that names the field, if the caller can fix it. Otherwise leaves it unchanged. */
function explainRefusal(failure: Failure, field: string): Failure {
  if (failure.httpStatus === 404) {
    const message = `${field} does not exist (${failure.code}): correct bucket, region and key`;
    return recodeFailure(failure, CODES.SOURCE_MISSING, message, { service: 'source', field });
  }
  if (failure.httpStatus === 403 && !COS_CODES_ABOUT_KEYS.has(failure.code)) {
    const message = `${field} cannot be read with the configured keys (${failure.code}): let them read this object, or use another source`;
    return recodeFailure(failure, CODES.SOURCE_UNREADABLE, message, { service: 'source', field });
  }
  return failure;
}
