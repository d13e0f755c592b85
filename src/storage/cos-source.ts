/**
 * A resource that already lies in COS, read with the product's own keys. Hashed by a full read; where it lies is told, so
 * that an object in the right bucket is signed and not copied.
 */
import type { ResourceRule } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { type Failure, inputFailure } from '../domain/failure.ts';
import type { ObjectPlace } from '../domain/outcomes.ts';
import type { Bucket, OpenSource } from '../domain/ports.ts';
import type { CosSource } from '../domain/sources.ts';
import { refusalOf, reworded } from '../transport/cos-answers.ts';
import { withQuickRetries } from '../transport/retry.ts';
import { bodyOf, type Transport, type TransportResponse } from '../transport/transport.ts';
import { contentProblem, md5Problem, sizeProblem, tooLarge } from './content.ts';
import { throwIf } from './file-source.ts';
import { Hasher, unchanged } from './hashing.ts';

const LINK_MS = 10 * 60_000;

export async function openCosSource(
  from: CosSource,
  { transport, buckets }: { readonly transport: Transport; readonly buckets: ReadonlyMap<string, Bucket> },
  rule: ResourceRule,
  field: string,
  signal: AbortSignal,
): Promise<OpenSource> {
  const signer = buckets.get(from.region);
  if (signer === undefined) {
    const message = `${field} is in ${from.region}, where no bucket is configured: configure one there, or use another source`;
    throw inputFailure(CODES.NO_BUCKET, `${field}.region`, message);
  }
  const place: ObjectPlace = { bucket: from.bucket, region: from.region, key: from.key };
  const read = () => fetched(place, signer, transport, field, signal);

  const hasher = await withQuickRetries(async () => {
    const seen = new Hasher();
    for await (const piece of bodyOf(read)) {
      seen.add(piece);
      if (seen.sizeBytes > rule.maxBytes) throw tooLarge(rule, field);
    }
    return seen;
  }, signal);
  const digest = hasher.digest();
  throwIf(sizeProblem(digest.sizeBytes, rule, field));
  throwIf(contentProblem(hasher.head(), rule, field));
  throwIf(md5Problem(digest.md5, from.md5, field));

  return {
    ...digest,
    place,
    stream: () => unchanged(bodyOf(read), digest),
    async close() {},
  };
}

async function fetched(
  place: ObjectPlace,
  signer: Bucket,
  transport: Transport,
  field: string,
  signal: AbortSignal,
): Promise<TransportResponse> {
  const url = await signer.signGet(place, LINK_MS);
  const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
  if (response.status === 200) return response;
  throw explained(await refusalOf(response), field);
}

/** What the caller can mend, by field; anything else is COS's own word. */
function explained(failure: Failure, field: string): Failure {
  if (failure.httpStatus === 404) {
    const message = `${field} does not exist (${failure.code}): correct bucket, region and key`;
    return reworded(failure, CODES.SOURCE_MISSING, message, { service: 'source', field });
  }
  if (failure.code === 'AccessDenied') {
    const message = `${field} cannot be read with the configured keys: let them read this bucket, or use another source`;
    return reworded(failure, CODES.SOURCE_UNREADABLE, message, { service: 'source', field });
  }
  return failure;
}
