/**
 * upload: uploads all resources concurrently to where Tencent can fetch them.
 *
 * For each resource there is a PUT link and a GET link. Either they are signed for the company's own bucket, under a key of this
 * verification and generation, or the vendor issues both in answer to CreateUploadUrl. In both cases the bytes are sent as one
 * streaming PUT. A COS object that is already in the right bucket and region is not copied.
 */

import type { Evidence } from '../../domain/errors/failure.ts';
import { COS_PUT, CREATE_UPLOAD_URL } from '../../domain/operations/breakers.ts';
import type { OpenSource, Turn } from '../../domain/ports.ts';
import type { LinkCheck, ResourceRule } from '../../domain/verification/actions.ts';
import { objectKey } from '../../domain/verification/identity.ts';
import type { UploadedResource, UploadOutcome } from '../../domain/verification/outcomes.ts';
import { PUT_LINK_MS } from '../../domain/verification/policy.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';
import { closeResources, type OpenedResource, openResources, refuseSameBytes } from './resources.ts';

const PUT: Evidence = { about: 'deployment', dependency: COS_PUT };

interface UploadResult {
  readonly resource: UploadedResource;
  readonly expiresAt?: number;
}

/** @param spooled resources that were opened before this stage, or null. This function closes them. */
export async function upload(
  input: StageInput,
  context: StageContext,
  spooled: readonly OpenedResource[] | null,
): Promise<UploadOutcome> {
  const opened = spooled ?? (await openResources(input, context));
  try {
    refuseSameBytes(opened);
    const uploadOne =
      input.order.upload === 'own-bucket' ? toOwnBucket : viaUploadUrl(context.uploadUrlTurns(opened.length));
    const uploaded = await awaitAll(opened.map((resource) => uploadOne(resource, input, context)));
    const expiries = uploaded.flatMap((each) => each.expiresAt ?? []);
    return {
      resources: Object.fromEntries(opened.map(({ name }, index) => [name, uploaded[index]?.resource])),
      ...(expiries.length === 0 ? {} : { linksExpireAt: Math.min(...expiries) }),
    };
  } finally {
    await closeResources(opened);
  }
}

/** Uploads one resource. A COS source is read again for the upload, so a failure may also come from the source. */
type UploadOne = (resource: OpenedResource, input: StageInput, context: StageContext) => Promise<UploadResult>;

const toOwnBucket: UploadOne = async ({ name, rule, source, origin }, input, context) => {
  const bucket = context.edges.bucket(input.order.region);
  const content = { bytes: source.sizeBytes, md5: source.md5 };
  const { place } = source;
  if (place !== undefined && place.bucket === bucket.name && place.region === bucket.region) {
    return { resource: { ...content, object: place } };
  }
  const key = objectKey(context.objectFolder, input.id, input.generation, name);
  const link = await concerning(PUT, () => bucket.signPut(key, PUT_LINK_MS));
  await concerning(PUT, () =>
    context.edges.links.put(
      link,
      () => streamConcerning(origin, source.stream()),
      { ...putHeaders(rule, source), owner: input.id },
      context.signal,
    ),
  );
  return { resource: { ...content, object: { bucket: bucket.name, region: bucket.region, key } } };
};

function viaUploadUrl(turn: () => Promise<Turn>): UploadOne {
  return async ({ rule, source, origin }, { order }, { edges, signal }) => {
    const pair = await concerning({ about: 'deployment', dependency: CREATE_UPLOAD_URL }, () =>
      edges.faceId.createUploadUrl(order.action as LinkCheck, order.region, turn, signal),
    );
    await concerning(PUT, () =>
      edges.links.put(pair.putLink, () => streamConcerning(origin, source.stream()), putHeaders(rule, source), signal),
    );
    const { getLink: link, requestId, expiresAt } = pair;
    return { resource: { bytes: source.sizeBytes, md5: source.md5, link, requestId }, expiresAt };
  };
}

function putHeaders(rule: ResourceRule, source: OpenSource) {
  return { sizeBytes: source.sizeBytes, md5: source.md5, contentType: rule.contentType };
}

/** Like Promise.all, but rejects only after every promise has settled, so that no upload goes on after its stage has ended. */
async function awaitAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
