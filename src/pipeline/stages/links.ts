/**
 * The links by which Tencent fetches the resources. Links to the company's own bucket are signed anew for each use, and expire
 * soon after that use. Links from CreateUploadUrl are issued by the vendor and have a fixed expiry.
 */

import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { RESOURCE_NAMES, type ResourceName } from '../../domain/verification/actions.ts';
import { isStagedObject } from '../../domain/verification/names.ts';
import type { UploadedResource } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';

export interface ReadyLink extends UploadedResource {
  readonly name: ResourceName;
  readonly link: string;
}

/**
 * A link must be valid for at least this much longer when it is used. The margin has to cover only the time until the request
 * arrives: Tencent starts to read at once, and COS does not cut off a read that has begun.
 */
const MIN_REMAINING_MS = 3_000;

/**
 * True if this verification uploaded the object, or the HTTP API did so when the file came with the request; false if the object
 * existed before and the caller named it.
 */
export function isStaged({ object }: UploadedResource, { id }: StageInput, { objectFolder }: StageContext): boolean {
  if (object === undefined || object.key.startsWith(`${objectFolder}/${id}/`)) return true;
  return RESOURCE_NAMES.some((name) => isStagedObject(object.key, id, name));
}

/**
 * @param ttlMs life of links that are signed here.
 * @throws Failure LINKS_EXPIRED (class `reupload`) if the vendor's links are about to expire.
 */
export async function readyLinks(input: StageInput, context: StageContext, ttlMs: number): Promise<ReadyLink[]> {
  const uploaded = input.outcomes.upload;
  if (uploaded === undefined) throw new Error('readyLinks was called before the upload stage had an outcome');
  if (uploaded.linksExpireAt !== undefined && uploaded.linksExpireAt - context.now() < MIN_REMAINING_MS) {
    const message = 'the upload links are about to expire: the resources are uploaded again under new ones';
    throw localFailure(CODES.LINKS_EXPIRED, message);
  }
  const entries = Object.entries(uploaded.resources) as [ResourceName, UploadedResource][];
  return Promise.all(
    entries.map(async ([name, resource]) => {
      const { object, link } = resource;
      if (link !== undefined) return { ...resource, name, link };
      if (object === undefined) throw new Error(`resource ${name} has neither link nor object`);
      return { ...resource, name, link: await context.edges.bucket(input.order.region).signGet(object, ttlMs) };
    }),
  );
}
