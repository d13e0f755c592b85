/**
 * md5: the preflight. Looks, without credentials, at the very links that Tencent will fetch, and finds for free what the
 * vendor would answer as `invalid resourceUrl`, `FailedOperation.DownLoadError` or `MD5 Error`.
 */
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { Md5Outcome } from '../domain/outcomes.ts';
import type { Edges, StageContext, StageInput } from './context.ts';
import { readyLinks } from './links.ts';

/** Enough to look; the paid call signs its own. */
const LOOK_MS = 5 * 60_000;

export async function md5(input: StageInput, context: StageContext): Promise<Md5Outcome> {
  const links = await readyLinks(input, context, LOOK_MS);
  refuseSameObject(links);
  for (const link of links) refuseForeignRegion(link, input.order.region);
  await Promise.all(links.map((link) => comparesEqual(link, context)));
  return { checkedAt: context.now() };
}

/** A link, and what should lie behind it. */
export interface Expected {
  readonly name: string;
  readonly link: string;
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
}

function refuseSameObject(links: readonly Expected[]): void {
  const objects = new Set(links.map(({ link }) => link.split('?', 1)[0]));
  if (objects.size === links.length) return;
  throw failure(CODES.SAME_RESOURCE, 'both links name the same object: the call needs two different ones');
}

/** Tencent takes only its default COS domain, in the region of the API. */
export function refuseForeignRegion({ name, link }: Expected, region: string): void {
  const host = new URL(link).hostname;
  if (host.endsWith(`.cos.${region}.myqcloud.com`)) return;
  const message = `the link of ${name} is not a COS domain of ${region}: Tencent would answer "invalid resourceUrl"`;
  throw failure(CODES.LINK_REGION, message);
}

/** An ETag settles it with one byte; where it is no MD5 (KMS, multipart), the object is read whole. */
export async function comparesEqual(
  { name, link, bytes, md5: expected }: Expected,
  context: { readonly edges: Pick<Edges, 'links'>; readonly signal: AbortSignal },
): Promise<void> {
  const probe = await context.edges.links.probe(link, context.signal);
  const seen =
    probe.sizeBytes === bytes && probe.etagMd5 === null
      ? await context.edges.links.hash(link, context.signal)
      : { sizeBytes: probe.sizeBytes, md5: probe.etagMd5 };
  if (seen.sizeBytes === bytes && seen.md5 === expected) return;
  throw failure(
    CODES.LINK_MD5_MISMATCH,
    `the object of ${name} is not what was uploaded: Tencent would answer "MD5 Error"`,
  );
}

function failure(code: string, message: string): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no' }, message);
}
