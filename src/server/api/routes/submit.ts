/**
 * Accepts verifications: a single one as JSON with references to its files, a single one together with its files, or a batch.
 *
 * What must hold:
 * 1. An answer of 200 or 202 means that the verification is stored in Redis.
 * 2. The same key always means the same verification, even if the request contains files.
 * 3. A bad item never fails its batch. An item counts like a request of its own in the rate of the API key and in the backlog.
 * 4. If a key is known already, its state is in the answer only after the audit log has a line about it.
 */
import type { z } from 'zod';
import { satisfiesWait } from '../../../client/contract.ts';
import { withLane } from '../../../client/redis/check-request.ts';
import { Failure, inputFailure } from '../../../domain/errors/failure.ts';
import { CODES } from '../../../domain/errors/index.ts';
import { type VerificationRequest, verificationRequest } from '../../../domain/verification/request.ts';
import { verificationAnswer } from '../answers.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { problemOf } from '../problems.ts';
import { type Api, auditActor, idempotencyKey, isObject, type RouteTools, traceparentOf } from '../route-tools.ts';
import { batchAnswer, batchBody, enqueued, waitQuery } from '../schemas.ts';
import { enqueueBody, enqueueUpload, paceOf, refuseStagedSources } from '../submission.ts';
import { exceptBody } from '../validate.ts';
import { waitForDecision } from '../waiting.ts';

const MAX_BATCH_BYTES = 16 * 1024 * 1024;

export function submitRoutes(app: Api, tools: RouteTools): void {
  submitRoute(app, tools);
  submitBatchRoute(app, tools);
}

function submitRoute(app: Api, tools: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications',
    config: { scope: 'submit' },
    schema: {
      operationId: 'submit',
      summary: 'Submit one verification, with references or with its files',
      description:
        'The default lane is `interactive`. The key is in the body or in `Idempotency-Key`. In multipart/form-data, part `verification` is the JSON, and `liveData`, `video` and `image` are files.',
      tags: ['verifications'],
      body: verificationRequest,
      querystring: waitQuery,
      response: {
        200: enqueued.describe('The verification is decided, held or ended.'),
        202: enqueued.describe('The verification is safe and continues. `Location` names it.'),
        ...problems(400, 401, 403, 409, 410, 413, 415, 429, 503),
      },
    },
    // The handler parses the body, because the key may be in the header, and the resources may be sent as files.
    validatorCompiler: exceptBody,
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { client, key } = caller;
      const of = {
        client,
        tenant: key.tenant,
        headerKey: idempotencyKey(request),
        traceparent: traceparentOf(request),
      };
      const submission = { ...of, tools };
      const {
        id,
        status,
        view: first,
      } = request.isMultipart()
        ? await enqueueUpload(submission, request)
        : await enqueueBody(submission, request.body);
      if (status === 'same')
        await tools.audit.write({ act: 'verification.resubmit', ...auditActor(caller, request.id), on: id });
      const { wait: seconds } = request.query;
      const view =
        seconds === 0 && first !== undefined
          ? first
          : await waitForDecision(client, id, { seconds, reply, closing: tools.closing });
      if (view === null) {
        throw inputFailure(
          CODES.KEY_GONE,
          'key',
          'key belongs to a verification that was erased just now: use a new key',
        );
      }
      reply.header('location', `${tools.edge.basePath}/v1/verifications/${view.id}`);
      return reply
        .code(satisfiesWait(view, 'decided') ? 200 : 202)
        .send({ ...verificationAnswer(view), enqueued: status });
    },
  });
}

function submitBatchRoute(app: Api, { audit, keys, limits, mode, staging }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/verifications::batch',
    config: { scope: 'submit' },
    bodyLimit: MAX_BATCH_BYTES,
    schema: {
      operationId: 'submitBatch',
      summary: 'Submit up to 1,000 verifications, each with its own result',
      description:
        'The default lane is `batch`. Each entry is the JSON that `POST /v1/verifications` accepts, and counts like such a request in the rate of the key.',
      tags: ['verifications'],
      body: batchBody,
      response: { 200: batchAnswer, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const caller = callerOf(request);
      const { client } = caller;
      const items = request.body.verifications;
      await keys.charge(caller.key, items.length - 1); // the request itself took the first token
      const results: BatchResult[] = new Array(items.length);
      const accepted: { index: number; request: VerificationRequest }[] = [];
      for (const [index, item] of items.entries()) {
        try {
          accepted.push({ index, request: withLane(refuseStagedSources(item, staging), 'batch') });
        } catch (error) {
          results[index] = refusal(item, error);
        }
      }
      const answers = await client.enqueueMany(
        accepted.map((each) => each.request),
        { traceparent: traceparentOf(request), callsPerSecond: paceOf(limits) },
      );
      const known = answers.flatMap((answer) => (answer.status === 'same' ? answer.id : []));
      const act = { act: 'verification.resubmit', ...auditActor(caller, request.id) } as const;
      await Promise.all(known.map((id) => audit.write({ ...act, on: id })));
      for (const [position, { index, request: item }] of accepted.entries()) {
        const answer = answers[position];
        if (answer === undefined) throw new Error('no result for a verification of a batch');
        results[index] = answer.status === 'refused' ? refusal(item, answer.error) : { ...answer, problem: null };
      }
      return { mode, results };
    },
  });
}

type BatchResult = z.infer<typeof batchAnswer>['results'][number];

function refusal(item: unknown, error: unknown): BatchResult {
  if (!(error instanceof Failure)) throw error;
  const key = isObject(item) && typeof item.key === 'string' ? item.key : '';
  const { title, detail, code, field, cure } = problemOf(error, '');
  return { status: 'refused', key, id: null, state: null, problem: { title, detail, code, field, cure } };
}
