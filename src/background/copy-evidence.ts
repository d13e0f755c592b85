/**
 * Copies what a decision was based on into the bucket of the evidence: the resources, the frame and other media, and Tencent's
 * answer, which is sealed with the key ring.
 *
 * What must hold:
 * 1. May be repeated: an object that the verification has written is not written again, and its lock never becomes shorter.
 * 2. A resource is copied only if it has the bytes of which Tencent was told the MD5.
 * 3. After a fault of the bucket or of a service, the copy is tried again. A file that is gone, has changed or may not be read is
 *    recorded as missing, and the rest is copied.
 * 4. An erasure ends the copying within seconds.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { Failure, inputFailure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify } from '../domain/errors/index.ts';
import { checkPlaces, stagedResources, type TenantWall, wallOf } from '../domain/operations/tenants.ts';
import type { EvidenceBuckets, FrameSink, LockedContent, Sources } from '../domain/ports.ts';
import { resourcesOf } from '../domain/verification/actions.ts';
import {
  ANSWER,
  ANSWER_FIELD,
  type EvidenceName,
  type EvidenceRecord,
  evidenceAnswer,
  evidenceKey,
  type MissingEvidence,
} from '../domain/verification/evidence.ts';
import { isFlow } from '../domain/verification/flows.ts';
import { MEDIA_TYPES } from '../domain/verification/media.ts';
import type { StoredFrame } from '../domain/verification/outcomes.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Order } from '../domain/verification/request.ts';
import type { Source } from '../domain/verification/sources.ts';
import { openResource } from '../pipeline/stages/index.ts';
import type { Deployment } from '../redis/deployment.ts';
import { isToCopy, readToCopy, type ToCopy } from '../redis/evidence.ts';
import { recordEvidence } from '../redis/scripts/record-evidence.ts';
import type { TenantPolicies } from '../redis/tenant-policies.ts';

export interface CopyTools {
  readonly deployment: Deployment;
  readonly evidence: EvidenceBuckets;
  readonly edges: { readonly sources: Sources; readonly sink: FrameSink };
  readonly tenants: TenantPolicies;
  readonly objectFolder: string;
  /** The own bucket of each region. */
  readonly buckets: ReadonlyMap<Region, string>;
  readonly log: Logger;
}

/** How often it is checked whether the verification was erased. */
const CHECK_MS = 3_000;

interface Part {
  readonly name: EvidenceName;
  open(signal: AbortSignal): Promise<LockedContent>;
}

/** @throws Failure if something could not be copied yet. */
export async function copyEvidence(id: string, tools: CopyTools, signal: AbortSignal): Promise<void> {
  const { deployment, evidence: buckets, log } = tools;
  const work = await readToCopy(deployment, id);
  if (work === null) return;
  const { place, until } = work.evidence;
  const bucket = buckets.of(place.region, place.bucket);
  const erased = new AbortController();
  const check = setInterval(() => {
    void isToCopy(deployment, id).then((still) => {
      if (!still) erased.abort();
    }, ignore);
  }, CHECK_MS);
  const both = AbortSignal.any([signal, erased.signal]);
  const objects: EvidenceName[] = [];
  const missing: MissingEvidence[] = [...framesLost(work)];
  let trouble: Failure | null = null;
  try {
    for (const { name, open } of await partsOf(work, tools)) {
      try {
        await bucket.keep(evidenceKey(place, name), () => open(both), { owner: id, until }, both);
        objects.push(name);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        missing.push({ name, code: error.code });
        if (!isFinal(error)) trouble ??= error;
      }
    }
  } finally {
    clearInterval(check);
  }
  const state = trouble !== null ? 'pending' : missing.length === 0 ? 'copied' : 'incomplete';
  const evidence: EvidenceRecord = { state, until, place, objects, missing };
  if (!(await recordEvidence(deployment, id, evidence))) return;
  if (trouble !== null) throw trouble;
  const facts = { id, event: 'evidence_copied', objects: objects.length, missing: missing.length };
  if (missing.length === 0) log.info(facts, 'evidence copied');
  else log.warn({ ...facts, code: missing[0]?.code }, 'evidence copied, and incomplete');
}

/** Gives up what is not copied yet. */
export async function giveUpEvidence(deployment: Deployment, id: string, before: EvidenceRecord): Promise<void> {
  await recordEvidence(deployment, id, { ...before, state: 'incomplete' });
}

function ignore(): void {
  // Redis does not answer: the next check asks again.
}

/** Whether a repetition would fail in the same way: the caller's resource is gone, has changed, or may not be read. */
function isFinal(failure: Failure): boolean {
  return classify(failure).class === 'caller';
}

/** A frame that was lost exists nowhere, so it cannot be copied. */
function framesLost({ record }: ToCopy): MissingEvidence[] {
  return record.frame === 'lost' ? [{ name: 'bestFrame', code: CODES.FRAME_MISSING }] : [];
}

async function partsOf(work: ToCopy, tools: CopyTools): Promise<Part[]> {
  const { record, order } = work;
  const wall = await wallFor(record.tenant, tools);
  return [
    ...resourceParts(work, wall, tools),
    ...(record.stored === null ? [] : [mediumPart('bestFrame', record.stored, tools)]),
    ...record.media.map((medium) => mediumPart(medium.name, medium, tools)),
    answerPart(work, tools),
  ].filter(({ name }) => name !== 'bestFrame' || order.frame.to !== 'none');
}

async function wallFor(
  tenant: string | null,
  { tenants, objectFolder, buckets }: CopyTools,
): Promise<TenantWall | null> {
  if (tenant === null) return null;
  return wallOf(tenant, await tenants.policyOf(tenant), { objectFolder, buckets });
}

/**
 * The resources. What was uploaded to the own bucket is read there, because it is what Tencent has read. Everything else is read from
 * the caller's place again, if the tenant's policy still allows it.
 */
function resourceParts({ record, order, upload }: ToCopy, wall: TenantWall | null, { edges }: CopyTools): Part[] {
  const staged = stagedResources(record.id, order);
  return resourcesOf(order.action).flatMap(([name, rule]): Part[] => {
    const from = order.resources[name];
    if (from === undefined) return [];
    const { object, md5 } = upload?.resources[name] ?? {};
    const uploaded: Source | null = object === undefined ? null : { from: 'cos', ...object, region: record.region };
    const source: Source = { ...(uploaded ?? from), ...(md5 === undefined ? {} : { md5 }) };
    return [
      {
        name,
        async open(signal) {
          if (md5 === undefined && !isFlow(order.action)) throw unverifiable(name);
          if (uploaded === null) checkPlaces(wall, only(order, name), staged);
          const limits = uploaded === null ? wall : null;
          const opened = await openResource(
            { name, rule, source, isStaged: staged.includes(name) },
            { sources: edges.sources, wall: limits, signal },
          );
          const { sizeBytes, md5: found } = opened;
          return {
            ...{ sizeBytes, md5: found, contentType: rule.contentType },
            stream: () => opened.stream(),
            close: () => opened.close(),
          };
        },
      },
    ];
  });
}

/** After the loss of Redis or the retry of a lost frame, the record does not know the MD5 that Tencent was told. */
function unverifiable(name: string): Failure {
  const message = `resources.${name} cannot be compared with what Tencent was given, because its MD5 is not known any more`;
  return inputFailure(CODES.SOURCE_MD5_MISMATCH, `resources.${name}`, message);
}

/** One resource of an order, without its frame: the frame is not read from its target. */
function only({ resources }: Order, name: keyof Order['resources']): Pick<Order, 'resources' | 'frame'> {
  const source = resources[name];
  return { resources: source === undefined ? {} : { [name]: source }, frame: { to: 'none' } };
}

function mediumPart(name: keyof typeof MEDIA_TYPES, stored: StoredFrame, { edges: { sink } }: CopyTools): Part {
  return {
    name,
    async open(signal) {
      const frame = await sink.open(stored, signal);
      if (frame === null) throw localFailure(CODES.FRAME_MISSING, 'it is gone, or is not what was stored');
      const { bytes, md5 } = stored;
      return {
        ...{ sizeBytes: bytes, md5, contentType: MEDIA_TYPES[name] },
        stream: () => frame.bytes(0, bytes - 1),
        close: () => frame.close(),
      };
    },
  };
}

function answerPart({ record, detect, upload }: ToCopy, { deployment: { sealer } }: CopyTools): Part {
  return {
    name: ANSWER,
    async open() {
      const text = JSON.stringify(evidenceAnswer(record, detect, upload));
      const bytes = Buffer.from(sealer.seal(record.id, ANSWER_FIELD, text));
      return {
        sizeBytes: bytes.byteLength,
        md5: createHash('md5').update(bytes).digest('hex'),
        contentType: 'application/octet-stream',
        async *stream() {
          yield bytes;
        },
        close: async () => undefined,
      };
    },
  };
}
