/**
 * Taking verifications: one, with references or with its files, and many.
 *
 * What must hold: an answer of 200 or 202 means that it is safe in Redis; the same key again is the same verification, with
 * files too; a batch never fails for one of its items.
 */
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Enqueued } from '../../client/client.ts';
import { limitOf } from '../../domain/actions.ts';
import { CODES } from '../../domain/errors/index.ts';
import { Failure, inputFailure } from '../../domain/failure.ts';
import { fingerprint } from '../../domain/identity.ts';
import { isTerminal } from '../../domain/states.ts';
import {
  deadlineOf,
  parseVerification,
  type Verification,
  type VerificationRequest,
  verificationRequest,
} from '../../domain/verification.ts';
import { refuseStaged } from '../../storage/staging.ts';
import { type Caller, callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { malformed, ourFailure, problemOf } from '../problems.ts';
import { answerOf, batchAnswer, batchBody, enqueued, waitQuery } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { readUpload } from '../uploads.ts';
import { exceptBody } from '../validate.ts';
import { isAnswered, waitFor } from '../waiting.ts';

const BATCH_BYTES = 16 * 1024 * 1024;
const MOST_RETRY_MS = 60_000;

export function submitRoutes(app: Api, tools: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications',
    config: { scope: 'submit' },
    schema: {
      operationId: 'submit',
      summary: 'Takes one verification, with references or with its files',
      description:
        'Lane `interactive` unless said. The key is in the body or in `Idempotency-Key`. As multipart/form-data, the JSON is part `verification`, and `liveData`, `video` and `image` are files.',
      tags: ['verifications'],
      body: verificationRequest,
      querystring: waitQuery,
      response: {
        200: enqueued.describe('It is decided, or has ended.'),
        202: enqueued.describe('It is safe, and goes on; `Location` has it.'),
        ...errors(400, 401, 403, 409, 410, 413, 415, 429, 503),
      },
    },
    // The body is judged by the client, once the key of the header and the files are in it.
    validatorCompiler: exceptBody,
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const headerKey = keyOf(request);
      const given = request.isMultipart()
        ? await withFiles(request, caller, tools, headerKey)
        : await byReference(referring(withKey(request.body, headerKey), tools), caller, tools);
      const view = await waitFor(caller.client, given.id, request.query.wait, reply, tools.closing);
      if (view === null)
        throw inputFailure(CODES.KEY_GONE, 'key', 'key belongs to a verification that was erased just now');
      reply.header('location', `/v1/verifications/${view.id}`);
      return reply.code(isAnswered(view) ? 200 : 202).send({ ...answerOf(view), enqueued: given.status });
    },
  });

  app.route({
    method: 'POST',
    url: '/verifications::batch',
    config: { scope: 'submit' },
    bodyLimit: BATCH_BYTES,
    schema: {
      operationId: 'submitBatch',
      summary: 'Takes up to 1,000 verifications, each with a result of its own',
      description: 'Lane `batch` unless said. Each entry is what `POST /v1/verifications` takes as JSON.',
      tags: ['verifications'],
      body: batchBody,
      response: { 200: batchAnswer, ...errors(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { client } = callerOf(request);
      const items = request.body.verifications;
      const results: Result[] = new Array(items.length);
      const taken: { index: number; request: VerificationRequest }[] = [];
      for (const [index, item] of items.entries()) {
        try {
          taken.push({ index, request: referring(item, tools) });
        } catch (error) {
          results[index] = refused(item, error);
        }
      }
      const enqueuedOnes = await client.enqueueMany(taken.map((each) => each.request));
      for (const [position, result] of enqueuedOnes.entries()) {
        const { index, request: asked } = taken[position] ?? { index: position, request: null };
        results[index] = result.status === 'refused' ? refused(asked, result.error) : { ...result, problem: null };
      }
      return { mode: tools.mode, results };
    },
  });
}

type Result = z.infer<typeof batchAnswer>['results'][number];

function refused(item: unknown, error: unknown): Result {
  if (!(error instanceof Failure)) throw error;
  const key = isObject(item) && typeof item.key === 'string' ? item.key : '';
  const { title, detail, code, field, cure } = problemOf(error, '');
  return { status: 'refused', key, id: null, state: null, problem: { title, detail, code, field, cure } };
}

// ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────────

async function byReference(asked: VerificationRequest, caller: Caller, tools: RouteTools): Promise<Enqueued> {
  const parsed = verificationRequest.safeParse(asked);
  if (parsed.success) await refuseLate(parsed.data, caller, tools); // what is wrong with another the client says
  return caller.client.enqueue(asked);
}

/**
 * By what waits before it, it would be called after its deadline. What is known already is answered whatever waits.
 * @throws Failure BACKLOG
 */
async function refuseLate(request: Verification, { client }: Caller, { limits }: RouteTools): Promise<void> {
  const { region, lane, action, key } = request;
  const now = Date.now();
  const waitMs = ((await client.ahead(region, lane)) * 1_000) / limitOf(limits, region, action);
  const leftMs = deadlineOf(request, now) - now;
  if (waitMs <= leftMs || (await client.get(client.idOf(key))) !== null) return;
  const words = `about ${Math.ceil(waitMs / 1_000)} s of work wait before it, and its deadline is in ${Math.floor(leftMs / 1_000)} s`;
  throw ourFailure('BACKLOG', words, { retryAfterMs: Math.min(waitMs - leftMs, MOST_RETRY_MS) });
}

/** The client judges the rest. @throws Failure for what is no object, or names what others have staged. */
function referring(given: unknown, { staging }: Pick<RouteTools, 'staging'>): VerificationRequest {
  if (!isObject(given)) throw malformed('', 'the verification is no JSON object');
  for (const [name, source] of Object.entries(isObject(given.resources) ? given.resources : {})) {
    const path = isObject(source) ? source.path : undefined;
    if (typeof path === 'string') refuseStaged(staging, path, `resources.${name}.path`);
  }
  return given as VerificationRequest;
}

/** @throws Failure where header and body name two keys. */
export function withKey<Given>(given: Given, headerKey: string | undefined): Given {
  if (!isObject(given) || headerKey === undefined) return given;
  if (given.key === undefined || given.key === headerKey) return { ...given, key: headerKey };
  throw malformed('key', 'key is not the one in Idempotency-Key: give one of the two');
}

/** With or without the quotes that a structured header has. */
export function keyOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const [, quoted] = /^"(.*)"$/.exec(String(header)) ?? [];
  return quoted ?? String(header);
}

/**
 * What is staged gets a name that follows from all that is asked, so that it is the accepted verification's or nobody's: what
 * is refused can be removed.
 */
async function withFiles(
  request: FastifyRequest,
  caller: Caller,
  tools: RouteTools,
  headerKey: string | undefined,
): Promise<Enqueued> {
  const { client } = caller;
  const { staging, demands } = tools;
  if (staging === null)
    throw ourFailure('UNSUPPORTED_MEDIA_TYPE', 'files are not taken here: there is no staging folder');
  const { verification, files } = await readUpload(request, staging);
  const kept: { path: string }[] = [];
  try {
    const asked = { lane: 'interactive', ...(withKey(verification, headerKey) as object) };
    const named = referring(
      withResources(
        asked,
        [...files].map(([name, { md5 }]) => [name, `staged ${name}`, md5]),
      ),
      { staging: null },
    );
    const parsed = parseVerification(named, Date.now(), demands);
    await refuseLate(parsed, caller, tools);
    const id = client.idOf(parsed.key);
    const resources: [string, string, string][] = [];
    for (const [name, file] of files) {
      const path = await file.keep(id, fingerprint(parsed));
      kept.push({ path });
      resources.push([name, path, file.md5]);
    }
    const result = await client.enqueue(withResources(referring(asked, { staging }), resources) as VerificationRequest);
    if (isTerminal(result.state)) await staging.remove(kept);
    return result;
  } catch (error) {
    // Of what is neither taken nor refused nobody knows whether it was taken: the sweep will.
    if (error instanceof Failure && problemOf(error, '').status < 500) await staging.remove(kept);
    throw error;
  } finally {
    for (const file of files.values()) await file.discard();
  }
}

/** @throws Failure where one is given twice. */
function withResources(asked: object, files: readonly (readonly [name: string, path: string, md5: string])[]): unknown {
  const { resources = {} } = asked as { resources?: unknown };
  if (!isObject(resources)) return asked;
  const twice = files.find(([name]) => resources[name] !== undefined);
  if (twice !== undefined)
    throw malformed(`resources.${twice[0]}`, `resources.${twice[0]} is given as a file too: give one of the two`);
  const staged = files.map(([name, path, md5]) => [name, { from: 'file', path, md5 }] as const);
  return { ...asked, resources: { ...resources, ...Object.fromEntries(staged) } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
