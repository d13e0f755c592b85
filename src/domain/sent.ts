/**
 * What the vendor was given, as its support asks for it: sizes, MD5s, and of links host and path alone. Kept in the history
 * beside the upload that made it, after sources and links themselves are dropped.
 */
import type { ResourceName } from './actions.ts';
import type { UploadOutcome } from './outcomes.ts';
import { packRequestId, unpackRequestId } from './request-ids.ts';
import type { Order } from './verification.ts';

export interface SentResource {
  readonly name: ResourceName;
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  /** Host and path of the link, as they were signed. A caller's own object is not named: its key is the caller's. */
  readonly place: string;
  /** Of the CreateUploadUrl call that gave the link. */
  readonly requestId?: string;
}

export interface Sent {
  readonly resources: readonly SentResource[];
  readonly liveness?: Order['liveness'];
}

/** @param folder in the own bucket under which this verification's objects lie. */
export function sentOf({ resources }: UploadOutcome, folder: string, liveness: Order['liveness']): Sent {
  const entries = Object.entries(resources) as [ResourceName, NonNullable<(typeof resources)[ResourceName]>][];
  return {
    resources: entries.map(([name, { bytes, md5, object, link, requestId }]) => ({
      name,
      bytes,
      md5,
      place: link === undefined ? placeOf(object, folder) : link.replace(/^https:\/\//, '').replace(/\?.*$/s, ''),
      ...(requestId === undefined ? {} : { requestId }),
    })),
    ...(liveness === undefined ? {} : { liveness }),
  };
}

function placeOf(object: { bucket: string; region: string; key: string } | undefined, folder: string): string {
  if (object === undefined) return '';
  const { bucket, region, key } = object;
  return `${bucket}.cos.${region}.myqcloud.com/${key.startsWith(`${folder}/`) ? key : '…'}`;
}

/** `[what the places share, liveness or 0, [name, bytes, MD5 in base64url, rest of the place, RequestId or 0], …]` */
export type PackedSent = [string, Order['liveness'] | 0, ...[ResourceName, number, string, string, string | 0][]];

export function packSent({ resources, liveness }: Sent): PackedSent {
  const [first = ''] = resources.map(({ place }) => place);
  const cut = Math.max(first.lastIndexOf('/'), first.lastIndexOf('%2F') + 2) + 1;
  const shared = resources.every(({ place }) => place.startsWith(first.slice(0, cut))) ? first.slice(0, cut) : '';
  return [
    shared,
    liveness ?? 0,
    ...resources.map(({ name, bytes, md5, place, requestId }): [ResourceName, number, string, string, string | 0] => [
      name,
      bytes,
      Buffer.from(md5, 'hex').toString('base64url'),
      place.slice(shared.length),
      requestId === undefined ? 0 : packRequestId(requestId),
    ]),
  ];
}

export function unpackSent([shared, liveness, ...resources]: PackedSent): Sent {
  return {
    resources: resources.map(([name, bytes, md5, rest, requestId]) => ({
      name,
      bytes,
      md5: Buffer.from(md5, 'base64url').toString('hex'),
      place: `${shared}${rest}`,
      ...(requestId === 0 ? {} : { requestId: unpackRequestId(requestId) }),
    })),
    ...(liveness === 0 ? {} : { liveness }),
  };
}
