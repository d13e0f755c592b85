/**
 * upload: both resources to where Tencent can fetch them, at once.
 *
 * Two ways to get a pair of links, one streaming PUT for both: the own bucket (the SDK signs a PUT for a key that belongs to
 * this verification and generation) or CreateUploadUrl (the vendor hands the pair out). A COS object that already lies in
 * the right bucket and region is not copied.
 */
import { type ResourceName, type ResourceRule, resourcesOf } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';
import { objectKey } from '../domain/identity.ts';
import type { UploadedResource, UploadOutcome } from '../domain/outcomes.ts';
import { PUT_LINK_MS } from '../domain/policy.ts';
import type { OpenSource, Turn } from '../domain/ports.ts';
import type { StageContext, StageInput } from './context.ts';

interface Opened {
  readonly name: ResourceName;
  readonly rule: ResourceRule;
  readonly source: OpenSource;
}

interface Uploaded {
  readonly resource: UploadedResource;
  readonly expiresAt?: number;
}

export async function upload(input: StageInput, context: StageContext): Promise<UploadOutcome> {
  const opened = await openAll(input, context);
  try {
    refuseSameBytes(opened);
    const place =
      input.order.upload === 'own-bucket' ? intoOwnBucket : throughUploadUrl(context.uploadUrlTurns(opened.length));
    const uploaded = await both(opened, (each) => place(each, input, context));
    const expiries = uploaded.flatMap((each) => each.expiresAt ?? []);
    return {
      resources: Object.fromEntries(opened.map(({ name }, index) => [name, uploaded[index]?.resource])),
      ...(expiries.length === 0 ? {} : { linksExpireAt: Math.min(...expiries) }),
    };
  } finally {
    await Promise.all(opened.map(({ source }) => source.close()));
  }
}

async function openAll({ order }: StageInput, { edges, signal }: StageContext): Promise<Opened[]> {
  const wanted = resourcesOf(order.action);
  const results = await Promise.allSettled(
    wanted.map(async ([name, rule]) => {
      const from = order.resources[name];
      if (from === undefined)
        throw inputFailure(CODES.INVALID_VERIFICATION, `resources.${name}`, `resources.${name} is missing`);
      return { name, rule, source: await edges.sources.open(from, rule, `resources.${name}`, signal) };
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (failed === undefined) return opened;
  await Promise.all(opened.map(({ source }) => source.close()));
  throw failed.reason;
}

function refuseSameBytes(opened: readonly Opened[]): void {
  const [first, second] = opened;
  if (first === undefined || second === undefined || first.source.md5 !== second.source.md5) return;
  const message = `resources.${second.name} has the same bytes as resources.${first.name}: give two different resources`;
  throw inputFailure(CODES.SAME_RESOURCE, `resources.${second.name}`, message);
}

type Place = (each: Opened, input: StageInput, context: StageContext) => Promise<Uploaded>;

const intoOwnBucket: Place = async ({ name, rule, source }, input, context) => {
  const bucket = context.edges.bucket(input.order.region);
  const known = { bytes: source.sizeBytes, md5: source.md5 };
  const { place } = source;
  if (place !== undefined && place.bucket === bucket.name && place.region === bucket.region) {
    return { resource: { ...known, object: place } };
  }
  const key = objectKey(context.objectFolder, input.id, input.generation, name);
  const link = await bucket.signPut(key, PUT_LINK_MS);
  await context.edges.links.put(link, () => source.stream(), headOf(rule, source), context.signal);
  return { resource: { ...known, object: { bucket: bucket.name, region: bucket.region, key } } };
};

function throughUploadUrl(turn: () => Promise<Turn>): Place {
  return async ({ rule, source }, { order }, { edges, signal }) => {
    const pair = await edges.faceId.createUploadUrl(order.action, order.region, turn, signal);
    await edges.links.put(pair.putLink, () => source.stream(), headOf(rule, source), signal);
    const { getLink: link, requestId, expiresAt } = pair;
    return { resource: { bytes: source.sizeBytes, md5: source.md5, link, requestId }, expiresAt };
  };
}

function headOf(rule: ResourceRule, source: OpenSource) {
  return { sizeBytes: source.sizeBytes, md5: source.md5, contentType: rule.contentType };
}

/** All at once; waits for every one before it fails, so that no upload runs on behind a stage that has ended. */
async function both<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results = await Promise.allSettled(items.map(each));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
