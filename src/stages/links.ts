/**
 * The links under which Tencent will fetch the resources. Own bucket: signed anew each time, with the life that is needed;
 * CreateUploadUrl: the vendor's own, which live as long as they live.
 */
import type { ResourceName } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { UploadedResource } from '../domain/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';

export interface ReadyLink extends UploadedResource {
  readonly name: ResourceName;
  readonly link: string;
}

/**
 * What a link must have left when it is used. Whoever gets it begins to read at once, and a read that has begun is not cut
 * off: so it is the way there that counts, not how long the call may take.
 */
const LEAST_MS = 3_000;

/**
 * @param ttlMs life of the links that are signed now.
 * @throws Failure LINKS_EXPIRED (class `reupload`) where the vendor's links have too little life left.
 */
export async function readyLinks(input: StageInput, context: StageContext, ttlMs: number): Promise<ReadyLink[]> {
  const uploaded = input.outcomes.upload;
  if (uploaded === undefined) throw new Error('links are asked for before upload has left an outcome');
  if (uploaded.linksExpireAt !== undefined && uploaded.linksExpireAt - context.now() < LEAST_MS) {
    const message = 'the upload links have too little life left: the resources are uploaded again under fresh ones';
    throw new Failure({ service: 'bestframe', channel: 'local', code: CODES.LINKS_EXPIRED, sent: 'no' }, message);
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
