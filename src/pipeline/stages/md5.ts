/**
 * md5: the preflight. Like Tencent, reads the links without credentials. So the problems that Tencent would report as `invalid
 * resourceUrl`, `FailedOperation.DownLoadError` or `MD5 Error` are found before the paid call.
 */

import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { COS_GET } from '../../domain/operations/breakers.ts';
import type { Md5Outcome } from '../../domain/verification/outcomes.ts';
import type { Edges, StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';
import { isStaged, readyLinks } from './links.ts';

/** Life of the links that the preflight reads. The paid call signs its own links. */
const PREFLIGHT_LINK_MS = 5 * 60_000;

export async function md5(input: StageInput, context: StageContext): Promise<Md5Outcome> {
  const links = await concerning({ about: 'deployment', dependency: COS_GET }, () =>
    readyLinks(input, context, PREFLIGHT_LINK_MS),
  );
  refuseSameObject(links);
  for (const link of links) refuseForeignRegion(link, input.order.region);
  await Promise.all(
    links.map((link) =>
      concerning({ about: isStaged(link, input, context) ? 'deployment' : 'caller', dependency: COS_GET }, () =>
        checkObject(link, context),
      ),
    ),
  );
  return { checkedAt: context.now() };
}

/** A link, and the size and MD5 that the linked object must have. */
export interface ExpectedObject {
  readonly name: string;
  readonly link: string;
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
}

function refuseSameObject(links: readonly ExpectedObject[]): void {
  const objects = new Set(links.map(({ link }) => link.split('?', 1)[0]));
  if (objects.size === links.length) return;
  throw localFailure(CODES.SAME_RESOURCE, 'both links name the same object: give two different ones');
}

/** Tencent accepts only links to the default COS domain, in the region of the API. */
export function refuseForeignRegion({ name, link }: ExpectedObject, region: string): void {
  const host = new URL(link).hostname;
  if (host.endsWith(`.cos.${region}.myqcloud.com`)) return;
  const message = `the link of ${name} is not a COS domain of ${region}: Tencent would answer "invalid resourceUrl"`;
  throw localFailure(CODES.LINK_REGION, message);
}

/** If the ETag is an MD5, reads one byte. Otherwise (KMS, multipart upload), reads the whole object. */
export async function checkObject(
  { name, link, bytes, md5: expected }: ExpectedObject,
  context: { readonly edges: Pick<Edges, 'links'>; readonly signal: AbortSignal },
): Promise<void> {
  const probe = await context.edges.links.probe(link, context.signal);
  const found =
    probe.sizeBytes === bytes && probe.etagMd5 === null
      ? await context.edges.links.hash(link, context.signal)
      : { sizeBytes: probe.sizeBytes, md5: probe.etagMd5 };
  if (found.sizeBytes === bytes && found.md5 === expected) return;
  throw localFailure(
    CODES.LINK_MD5_MISMATCH,
    `the object of ${name} differs from what was uploaded: Tencent would answer "MD5 Error"`,
  );
}
