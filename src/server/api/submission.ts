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
import { CODES } from '../../domain/errors/index.ts';
import { callsPerSecond, type Limits, type ResourceName, resourcesOf } from '../../domain/verification/actions.ts';
import { parseVerification, type Verification, type VerificationRequest } from '../../domain/verification/request.ts';
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

export interface Submitted extends Enqueued {
  /** A new verification, as it was created. */
  readonly view?: VerificationView;
}

/** @throws the same Failures as `BestframeClient.enqueue`; MALFORMED_REQUEST, BACKLOG */
export async function enqueueBody(submission: Submission, body: unknown): Promise<Submitted> {
  const { client, headerKey, traceparent, tools } = submission;
  const verification = parseVerification(refuseStagedSources(withKey(body, headerKey), tools.staging));
  return enqueueAndView(client, verification, { traceparent, callsPerSecond: paceOf(tools.limits) });
}

/** How many calls the vendor accepts per second. */
export function paceOf(limits: Limits): NonNullable<ParsedOptions['callsPerSecond']> {
  return (region, action) => callsPerSecond(limits, region, action);
}

async function enqueueAndView(
  client: BestframeClient,
  verification: Verification,
  options: ParsedOptions,
): Promise<Submitted> {
  let view: VerificationView | undefined;
  const onNew = (created: VerificationView) => {
    view = created;
  };
  const enqueued = await client.enqueueParsed(verification, { ...options, onNew });
  return view === undefined ? enqueued : { ...enqueued, view };
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
    const names = [...upload.files.keys()];
    const payload = client.fingerprintOf(verification);
    const owner = { id: client.idOf(verification.key), region: verification.region, tenant: submission.tenant };
    const settled = await Promise.allSettled(names.map((name) => keepFile(upload, name, owner, payload)));
    kept.push(...settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
    for (const each of settled) if (each.status === 'rejected') throw each.reason;
    const withKept = (sources: readonly Source[]) => withFiles(verification, names, sources);
    const enqueued = await enqueueAndView(client, withKept(kept.map(({ source }) => source)), {
      staged: { names, fingerprint: client.fingerprintOf(withKept(kept.map(({ replaySource }) => replaySource))) },
      traceparent: submission.traceparent,
      callsPerSecond: paceOf(submission.tools.limits),
    });
    if (enqueued.status === 'same') await removeUnnamed(kept, enqueued, client, staging);
    return enqueued;
  } catch (error) {
    if (error instanceof Failure && (statusOf(error) < 500 || error.code === CODES.BACKLOG)) await staging.remove(kept);
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
  { headerKey }: Submission,
  staging: Staging,
): Promise<Verification> {
  const request = refuseStagedSources(withKey(verification, headerKey), staging);
  const { resources = {} } = request as { resources?: unknown };
  if (!isObject(resources)) return parseVerification(request);
  const sources: Record<string, unknown> = { ...resources };
  for (const [name, { md5 }] of files) {
    if (sources[name] !== undefined) {
      throw malformed(`resources.${name}`, `resources.${name} is also sent as a file: send one of the two`);
    }
    sources[name] = { from: 'file', path: `staged ${name}`, md5 };
  }
  return parseVerification({ ...request, resources: sources });
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
