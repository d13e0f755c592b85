/**
 * Enqueues a verification from the body of a request. The body is parsed only once, and the parsed verification is passed to the
 * client.
 *
 * What must hold:
 * 1. A staged file is used only by the verification that it was uploaded with.
 * 2. If several requests have the same idempotency key, even at the same time, Redis accepts one of them. The record names the
 *    files of that request, and the other requests remove theirs.
 * 3. Staged files are removed when their verification is refused or has already ended. After any other failure it is unknown
 *    whether the verification was accepted: the staging sweep decides later.
 */
import type { FastifyRequest } from 'fastify';
import { type KeptFile, refuseStaged, type Staging, type StagingOwner } from '../../adapters/storage/staging.ts';
import type { Enqueued } from '../../client/contract.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { ParsedOptions } from '../../client/redis/enqueue.ts';
import { Failure } from '../../domain/errors/failure.ts';
import { callsPerSecond, type Limits, type ResourceName, resourcesOf } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import {
  deadlineOf,
  type Lane,
  parseVerification,
  type Verification,
  type VerificationRequest,
} from '../../domain/verification/request.ts';
import type { Source } from '../../domain/verification/sources.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { malformed, ourFailure, statusOf } from './problems.ts';
import { isObject, type RouteTools, withKey } from './route-tools.ts';
import { readUpload, type Upload } from './uploads.ts';

export interface Submission {
  /** A client of the caller's tenant. */
  readonly client: BestframeClient;
  readonly tenant: string;
  readonly headerKey: string | undefined;
  readonly traceparent: string | undefined;
  readonly tools: RouteTools;
}

const MAX_RETRY_AFTER_MS = 60_000;

export interface Submitted extends Enqueued {
  /** The verification as it was when its job was added; absent if no job was added. */
  readonly view?: VerificationView | null;
}

/** @throws the same Failures as `BestframeClient.enqueue`; MALFORMED_REQUEST, BACKLOG */
export async function enqueueBody(submission: Submission, body: unknown): Promise<Submitted> {
  const { client, headerKey, traceparent, tools } = submission;
  const request = await client.withDefaults(refuseStagedSources(withKey(body, headerKey), tools.staging));
  const verification = parseVerification(request, Date.now(), tools.demands);
  await new Backlog(client, tools.limits).admit(verification);
  return enqueueAndRead(client, verification, { traceparent });
}

/** Reads the verification together with its job, in one round trip. */
async function enqueueAndRead(
  client: BestframeClient,
  verification: Verification,
  options: ParsedOptions,
): Promise<Submitted> {
  let reading: Promise<VerificationView | null> | undefined;
  const onAdding = (id: string) => {
    reading = client.get(id);
    reading.catch(() => undefined); // if the verification is refused, nobody awaits this
  };
  const enqueued = await client.enqueueParsed(verification, { ...options, onAdding });
  return reading === undefined ? enqueued : { ...enqueued, view: await reading };
}

/**
 * Stages the files of a multipart request and enqueues the verification.
 * @throws the same Failures as `enqueueBody`; UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE and the failures of staging
 */
export async function enqueueUpload(submission: Submission, request: FastifyRequest): Promise<Submitted> {
  const { staging } = submission.tools;
  if (staging === null) {
    const message = 'this deployment accepts no files: send sources that its workers can read';
    throw ourFailure('UNSUPPORTED_MEDIA_TYPE', message);
  }
  const upload = await readUpload(request, staging);
  const { client } = submission;
  const kept: KeptFile[] = [];
  try {
    const verification = await parseUpload(upload, submission, staging);
    refuseLargeFiles(upload, verification);
    await new Backlog(client, submission.tools.limits).admit(verification);
    const names = [...upload.files.keys()];
    const payload = client.fingerprintOf(verification);
    const owner = { id: client.idOf(verification.key), region: verification.region, tenant: submission.tenant };
    for (const name of names) kept.push(await keepFile(upload, name, owner, payload));
    const withKept = (sources: readonly Source[]) => withFiles(verification, names, sources);
    const enqueued = await enqueueAndRead(client, withKept(kept.map(({ source }) => source)), {
      staged: { names, fingerprint: client.fingerprintOf(withKept(kept.map(({ replaySource }) => replaySource))) },
      traceparent: submission.traceparent,
    });
    if (enqueued.status === 'same') await removeUnnamed(kept, enqueued, client, staging);
    return enqueued;
  } catch (error) {
    if (error instanceof Failure && statusOf(error) < 500) await staging.remove(kept);
    throw error;
  } finally {
    for (const file of upload.files.values()) await file.discard();
  }
}

/**
 * Parses the request with placeholders for the files' paths: a final path depends on the whole request, so it is not known yet.
 */
async function parseUpload(
  { verification, files }: Upload,
  { client, headerKey, tools }: Submission,
  staging: Staging,
): Promise<Verification> {
  const request = await client.withDefaults(refuseStagedSources(withKey(verification, headerKey), staging));
  const { resources = {} } = request as { resources?: unknown };
  if (!isObject(resources)) return parseVerification(request, Date.now(), tools.demands);
  const sources: Record<string, unknown> = { ...resources };
  for (const [name, { md5 }] of files) {
    if (sources[name] !== undefined) {
      throw malformed(`resources.${name}`, `resources.${name} is also sent as a file: send one of the two`);
    }
    sources[name] = { from: 'file', path: `staged ${name}`, md5 };
  }
  return parseVerification({ ...request, resources: sources }, Date.now(), tools.demands);
}

/**
 * @throws Failure SOURCE_TOO_LARGE if a file exceeds the limit of the request's action. While the file arrived, the action was
 * not known yet, so only the largest limit of all actions applied.
 */
function refuseLargeFiles({ files }: Upload, { action }: Verification): void {
  for (const [name, rule] of resourcesOf(action)) {
    files.get(name)?.refuseLarger(rule, `resources.${name}`);
  }
}

async function keepFile(
  { files }: Upload,
  name: ResourceName,
  owner: StagingOwner,
  payload: string,
): Promise<KeptFile> {
  const file = files.get(name);
  if (file === undefined) throw new Error(`there is no file of ${name}`);
  return file.keep(owner, payload);
}

/** The verification with the sources of the files in place of the placeholders. */
function withFiles(
  verification: Verification,
  names: readonly ResourceName[],
  sources: readonly Source[],
): Verification {
  const resources = { ...verification.resources };
  for (const [index, name] of names.entries()) {
    const [placeholder, source] = [resources[name], sources[index]];
    if (placeholder === undefined || source === undefined) continue;
    resources[name] = placeholder.md5 === undefined ? source : { ...source, md5: placeholder.md5 };
  }
  return { ...verification, resources };
}

/**
 * Called if the key was already in use. Removes this request's files, except those that the accepted verification names. The
 * verification names them if Redis had already accepted this very request: a reply of Redis was lost, and the command was sent
 * again.
 */
async function removeUnnamed(
  kept: readonly KeptFile[],
  { id, state }: Enqueued,
  client: BestframeClient,
  staging: Staging,
): Promise<void> {
  const [named = null] = isTerminal(state) ? [[]] : await client.sourceFiles([id]);
  if (named === null) return; // the verification has just ended, or this process cannot read it: the staging sweep decides
  await staging.remove(kept.filter(({ path }) => !named.includes(path)));
}

/** Refuses verifications whose deadline would pass while they wait in the queue. One instance serves one request. */
export class Backlog {
  readonly #client: BestframeClient;
  readonly #limits: Limits;
  readonly #queued = new Map<string, Promise<number>>();
  /** Verifications of this request that were admitted, by region. */
  readonly #admitted: { readonly region: Region; readonly lane: Lane }[] = [];

  constructor(client: BestframeClient, limits: Limits) {
    this.#client = client;
    this.#limits = limits;
  }

  /** A replay of an existing verification is never refused. @throws Failure BACKLOG */
  async admit(verification: Verification): Promise<void> {
    const { region, lane, action, key } = verification;
    const now = Date.now();
    const ahead = (await this.#queuedAhead(region, lane)) + this.#admittedAhead(region, lane);
    const waitMs = (ahead * 1_000) / callsPerSecond(this.#limits, region, action);
    const leftMs = deadlineOf(verification, now) - now;
    if (waitMs > leftMs) {
      if ((await this.#client.get(this.#client.idOf(key))) !== null) return;
      const message = `the estimated queue wait of ${Math.ceil(waitMs / 1_000)} s exceeds the deadline in ${Math.floor(leftMs / 1_000)} s`;
      throw ourFailure('BACKLOG', message, { retryAfterMs: Math.min(waitMs - leftMs, MAX_RETRY_AFTER_MS) });
    }
    this.#admitted.push({ region, lane });
  }

  /** Waiting verifications that are served first. Read once for each region and lane. */
  #queuedAhead(region: Region, lane: Lane): Promise<number> {
    const name = `${region} ${lane}`;
    const known = this.#queued.get(name) ?? this.#client.ahead(region, lane);
    this.#queued.set(name, known);
    return known;
  }

  /** Verifications of the same request that are served first. */
  #admittedAhead(region: Region, lane: Lane): number {
    const isFirst = (other: Lane) => other === lane || other === 'interactive';
    return this.#admitted.filter((each) => each.region === region && isFirst(each.lane)).length;
  }
}

/**
 * Checks only what must be checked before parsing; the schema checks the rest.
 * @returns the request unchanged.
 * @throws Failure MALFORMED_REQUEST if it is not an object, SOURCE_OUTSIDE_ROOTS if it names a staged file
 */
export function refuseStagedSources(request: unknown, staging: Staging | null): VerificationRequest {
  if (!isObject(request)) throw malformed('', 'the verification is not a JSON object');
  for (const [name, source] of Object.entries(isObject(request.resources) ? request.resources : {})) {
    if (isObject(source)) refuseStaged(staging, source, `resources.${name}.${source.from === 'cos' ? 'key' : 'path'}`);
  }
  return request as VerificationRequest;
}
