/**
 * The parameters that the vendor received, as the vendor's support asks for them: sizes, MD5s, and host and path of each link.
 * The history entry of the upload keeps them after sources and links are dropped.
 */
import type { ResourceName } from './actions.ts';
import type { ObjectPlace, UploadOutcome } from './outcomes.ts';
import type { Order } from './request.ts';

/** One resource as the vendor received it. */
export interface SentResource {
  readonly name: ResourceName;
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /**
   * Host and path of the link, as signed. For a caller's own object the key is hidden, because it belongs to the caller. Empty if the
   * call carried the file.
   */
  readonly place: string;
  /** RequestId of the CreateUploadUrl call that returned the link. */
  readonly requestId?: string;
}

/** All parameters of the paid call. */
export interface SentParameters {
  readonly resources: readonly SentResource[];
  readonly liveness?: Order['liveness'];
}

/** @param folder the folder of this verification's objects in the company's own bucket. */
export function describeSentParameters(
  { resources }: UploadOutcome,
  folder: string,
  liveness: Order['liveness'],
): SentParameters {
  const entries = Object.entries(resources) as [ResourceName, NonNullable<(typeof resources)[ResourceName]>][];
  return {
    resources: entries.map(([name, { bytes, md5, object, link, requestId }]) => ({
      name,
      bytes,
      md5,
      place: link === undefined ? describePlace(object, folder) : link.replace(/^https:\/\//, '').replace(/\?.*$/s, ''),
      ...(requestId === undefined ? {} : { requestId }),
    })),
    ...(liveness === undefined ? {} : { liveness }),
  };
}

function describePlace(object: ObjectPlace | undefined, folder: string): string {
  if (object === undefined) return '';
  const { bucket, region, key } = object;
  return `${bucket}.cos.${region}.myqcloud.com/${key.startsWith(`${folder}/`) ? key : '…'}`;
}
