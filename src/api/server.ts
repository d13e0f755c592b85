/**
 * The HTTP API: `buildApi` makes the app, `startApi` has it listen. One file for each resource in `routes/`.
 *
 * What must hold: every answer that is no success is a problem (problems.ts); no request is held in memory whole but JSON of a
 * bounded size; what is asked, by whom, is logged without its words: route, status, time, key id.
 */
import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Audit } from '../audit.ts';
import type { ApiKeys } from '../client/api-keys.ts';
import type { BestframeClient } from '../client/client.ts';
import type { Limits } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import type { Failure } from '../domain/failure.ts';
import { inputFailure } from '../domain/failure.ts';
import type { FrameSink } from '../domain/ports.ts';
import type { LightSequence, SequenceRequest } from '../domain/sequences.ts';
import type { Demand, Mode } from '../domain/verification.ts';
import type { Staging } from '../storage/staging.ts';
import { authenticate } from './auth.ts';
import { registerOpenApi } from './openapi.ts';
import { failureOf, ourFailure, PROBLEM_TYPE, problemOf } from './problems.ts';
import { actRoutes } from './routes/acts.ts';
import { eventRoutes } from './routes/events.ts';
import { frameRoutes } from './routes/frames.ts';
import { gateRoutes } from './routes/gates.ts';
import { healthRoutes } from './routes/health.ts';
import { sequenceRoutes } from './routes/sequences.ts';
import { submitRoutes } from './routes/submit.ts';
import { verificationRoutes } from './routes/verifications.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { validatorCompiler } from './validate.ts';

/** What `runtime/sequences.ts` does. */
export interface SequenceMaker {
  generate(request: SequenceRequest): Promise<LightSequence>;
}

export interface ApiOptions {
  readonly client: BestframeClient;
  readonly keys: ApiKeys;
  readonly audit: Audit;
  readonly sink: Pick<FrameSink, 'open'>;
  /** Null: no files are taken. */
  readonly staging: Staging | null;
  /** Made when the first one asks: it loads what calls Tencent. Null where there are no credentials. */
  readonly sequences: (() => Promise<SequenceMaker>) | null;
  readonly mode: Mode;
  /** What every verification must say here. */
  readonly demands: readonly Demand[];
  readonly limits: Limits;
  readonly log: Logger;
}

/** What the routes stand on, beside the app. */
export interface RouteTools extends ApiOptions {
  /** Aborts when the process stops: whoever waits is answered with what is known. */
  readonly closing: AbortSignal;
}

export type Api = ReturnType<typeof bareApp>;

const JSON_BYTES = 1024 * 1024;
/** More than any verification has with its files. */
const PASSED_OVER_BYTES = 80 * 1024 * 1024;
/** A file that trickles in ends here. */
const REQUEST_MS = 5 * 60_000;

function bareApp() {
  return fastify({
    logger: false,
    exposeHeadRoutes: false, // where HEAD is of use it is a route of its own
    bodyLimit: JSON_BYTES,
    requestTimeout: REQUEST_MS,
    // Whoever waits is answered before its connection goes; see `close`.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 128 },
    // Before routing, so by no hook and no error handler.
    frameworkErrors: (_error, request, reply) => {
      const problem = problemOf(ourFailure('MALFORMED_REQUEST', 'the path cannot be read'), request.id);
      const plain: FastifyReply = reply as unknown as FastifyReply;
      plain.code(problem.status).headers(HEADERS).type(PROBLEM_TYPE).send(JSON.stringify(problem));
    },
    clientErrorHandler: (error, socket) => {
      // No request came of it, so no hook and no route sees it.
      if (!socket.writable) return;
      const failure =
        error.code === 'HPE_HEADER_OVERFLOW'
          ? ourFailure('BODY_TOO_LARGE', 'the headers are too large')
          : ourFailure('MALFORMED_REQUEST', 'this is no HTTP that can be read');
      const body = JSON.stringify(problemOf(failure, randomUUID()));
      const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}`;
      socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
    },
  }).withTypeProvider<ZodTypeProvider>();
}

export async function buildApi(options: ApiOptions): Promise<Api> {
  const app = bareApp();
  const closing = new AbortController();
  const tools: RouteTools = { ...options, closing: closing.signal };
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('caller', null);
  app.removeContentTypeParser('text/plain');

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    reply.header('x-request-id', request.id);
    reply.header('x-bestframe-mode', options.mode);
  });
  app.addHook('onRequest', authenticate(options));
  app.addHook('onResponse', async (request, reply) => {
    const { method, id } = request;
    const { url: route } = request.routeOptions;
    const seen = { event: 'request', requestId: id, method, route, status: reply.statusCode };
    options.log.debug({ ...seen, ms: Math.round(reply.elapsedTime), by: request.caller?.key.id }, 'request');
  });
  // A connection that stayed open for the next request would keep the process.
  app.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) reply.header('connection', 'close');
  });
  app.addHook('preClose', async () => closing.abort());

  const answer = (failure: Failure, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(failure, request.id);
    if (failure.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(failure.retryAfterMs / 1000));
    passOver(request, reply);
    return reply.code(problem.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
  };
  app.setErrorHandler((error, request, reply) => answer(failureOf(error, options.log, request.id), request, reply));
  app.setNotFoundHandler((request, reply) =>
    answer(ourFailure('NO_SUCH_ROUTE', 'nothing is served under this path by this method'), request, reply),
  );

  await app.register(multipart, { limits: MULTIPART, throwFileSizeLimit: true });
  await registerOpenApi(app);
  await app.register(async (scope) => healthRoutes(scope.withTypeProvider<ZodTypeProvider>(), tools));
  await app.register(
    async (scope) => {
      const v1 = scope.withTypeProvider<ZodTypeProvider>();
      submitRoutes(v1, tools);
      verificationRoutes(v1, tools);
      eventRoutes(v1, tools);
      frameRoutes(v1, tools);
      actRoutes(v1, tools);
      gateRoutes(v1, tools);
      sequenceRoutes(v1, tools);
      webhookRoutes(v1, tools);
    },
    { prefix: '/v1' },
  );
  await app.ready();
  return app;
}

/**
 * What is left of a body that was refused is read and thrown away: a connection that is closed on unread bytes is reset, and the
 * client may never see the answer. One that is larger than anything that is taken is not worth that.
 */
function passOver({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return;
  if (Number(raw.headers['content-length'] ?? 0) > PASSED_OVER_BYTES) reply.header('connection', 'close');
  raw.unpipe();
  raw.resume();
}

export interface ApiServer {
  readonly url: string;
  /** Takes no more, and answers what is there. Idempotent. @returns false where something was cut off at the deadline. */
  close(drainMs: number): Promise<boolean>;
}

/**
 * @param port 0 takes a free one
 * @throws Failure INVALID_SETTINGS where others than this machine could reach it, and there is no key yet
 */
export async function startApi(app: Api, { host, port }: Address, keys: ApiKeys, mode: Mode): Promise<ApiServer> {
  if (!LOOPBACK.test(host) && !(await keys.any(mode))) {
    const message = `BESTFRAME_API_HOST is ${host}, which others can reach, and there is no API key for ${mode}: make one first (bestframe keys create)`;
    throw inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_API_HOST', message);
  }
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    const message = `the HTTP API cannot listen at BESTFRAME_API_HOST and BESTFRAME_API_PORT (${reason}): choose others`;
    throw inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_API_PORT', message);
  }
  const address = app.server.address();
  const given = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${given}`,
    close: (drainMs) => closeApi(app, drainMs),
  };
}

async function closeApi(app: Api, drainMs: number): Promise<boolean> {
  let cut = false;
  const timer = setTimeout(() => {
    cut = true;
    app.server.closeAllConnections();
  }, drainMs);
  await app.close();
  clearTimeout(timer);
  return !cut;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

const HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** A file is measured as it comes, by the rule of its resource: `fileSize` is above all of them. */
const MULTIPART = {
  fileSize: 1024 ** 3,
  parts: 4,
  files: 4,
  fields: 1,
  fieldSize: 64 * 1024,
  fieldNameSize: 64,
  headerPairs: 20,
};
