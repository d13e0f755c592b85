/**
 * The HTTP API: `buildApi` builds the app, `startApi` starts to listen. `routes/` has one file for each resource.
 *
 * What must hold:
 * 1. Every error answer is a problem (problems.ts).
 * 2. Only JSON of a bounded size is held in memory as a whole.
 * 3. The log names caller, route, status and duration of each request. No part of a request's or answer's content is logged.
 */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import multipart from '@fastify/multipart';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import { type Edge, edgeOptions, transportHeaders } from '../edge.ts';
import { observeRequests } from '../observe-requests.ts';
import { Refusals } from '../refusals.ts';
import { recordRoutes } from '../route-table.ts';
import { authenticate } from './auth.ts';
import { EventStreams } from './event-streams.ts';
import { limitJson } from './json-limits.ts';
import { registerOpenApi } from './openapi.ts';
import { failureOf, logMachineFault, ourFailure, PROBLEM_TYPE, problemOf } from './problems.ts';
import type { Api, ApiOptions, RouteTools } from './route-tools.ts';
import { actionRoutes } from './routes/actions.ts';
import { costRoutes } from './routes/costs.ts';
import { deadNotificationRoutes } from './routes/dead-notifications.ts';
import { erasureRoutes } from './routes/erasure.ts';
import { eventRoutes } from './routes/events.ts';
import { frameRoutes } from './routes/frames.ts';
import { gateRoutes } from './routes/gates.ts';
import { healthRoutes } from './routes/health.ts';
import { retryRoutes } from './routes/retries.ts';
import { sequenceRoutes } from './routes/sequences.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { submitRoutes } from './routes/submit.ts';
import { verificationRoutes } from './routes/verifications.ts';
import { webhookRoutes } from './routes/webhook-endpoints.ts';
import { validatorCompiler } from './validate.ts';

const MAX_JSON_BYTES = 1024 * 1024;
/**
 * A refused body is not read to its end if its Content-Length exceeds this. All files of one verification together are smaller.
 */
const MAX_DISCARDED_BYTES = 80 * 1024 * 1024;
/** Time limit of a request. It ends an upload that arrives too slowly. */
const REQUEST_TIMEOUT_MS = 5 * 60_000;

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

const HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/**
 * Limits of the multipart parser. No valid request reaches them. The limits are generous, so that `readUpload` refuses most bad
 * requests first: its messages name the part. The staging folder enforces the size limit of each resource while the resource
 * arrives.
 */
const MULTIPART_LIMITS = {
  fileSize: 1024 ** 3,
  parts: 20,
  files: 20,
  fieldNameSize: 64,
  headerPairs: 20,
};

export async function buildApi(options: ApiOptions): Promise<Api> {
  const app = createApp(options.edge);
  const closing = new AbortController();
  recordRoutes(app);
  if (options.observer !== undefined) observeRequests(app, { observer: options.observer, service: 'api' });
  const refusals = new Refusals(options.audit, options.limiter);
  app.addHook('onClose', () => refusals.close());
  addHooks(app, { ...options, refusals }, closing);
  addErrorHandlers(app, options);
  // Every part is treated as a file, and thus read as a stream. A part that is treated as a field would be in memory before it
  // could be checked.
  await app.register(multipart, { limits: MULTIPART_LIMITS, throwFileSizeLimit: true, isPartAFile: () => true });
  await registerOpenApi(app, options.edge);
  const streams = new EventStreams(options.keys, options.streamLimits);
  app.addHook('onClose', () => streams.close());
  await registerRoutes(app, { ...options, streams, closing: closing.signal });
  await app.ready();
  return app;
}

function createApp(edge: Edge): Api {
  const app = fastify({
    ...edgeOptions(edge, REQUEST_TIMEOUT_MS),
    logger: false,
    exposeHeadRoutes: false, // routes for HEAD are declared explicitly, where HEAD is useful
    bodyLimit: MAX_JSON_BYTES,
    // A waiting request is answered before its connection is closed; see `closeApi`.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 128 },
    // These errors occur before routing, so no hook and no error handler sees them.
    frameworkErrors: (_error, request, reply) => {
      const problem = problemOf(ourFailure('MALFORMED_REQUEST', 'the path is not a valid URL path'), request.id);
      const plain: FastifyReply = reply as unknown as FastifyReply;
      plain.code(problem.status).headers(HEADERS).type(PROBLEM_TYPE).send(JSON.stringify(problem));
    },
    // Bytes that the HTTP parser refuses never become a request, so no hook and no route sees them.
    clientErrorHandler: (error, socket) => {
      if (!socket.writable) return;
      const [status, failure] = connectionFailure(error.code);
      const body = JSON.stringify(problemOf(failure, randomUUID()));
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}`;
      socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('caller', null);
  app.removeContentTypeParser('text/plain');
  return app;
}

/** The status and the failure for a connection whose request never became one. */
function connectionFailure(code: string | undefined): [status: number, failure: Failure] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, ourFailure('MALFORMED_REQUEST', 'the request took too long')];
  if (code === 'HPE_HEADER_OVERFLOW') return [400, ourFailure('BODY_TOO_LARGE', 'the headers are too large')];
  return [400, ourFailure('MALFORMED_REQUEST', 'malformed HTTP request')];
}

function addHooks(app: Api, options: ApiOptions & { readonly refusals: Refusals }, closing: AbortController): void {
  const headers = { ...HEADERS, 'x-bestframe-mode': options.mode };
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers).headers(transportHeaders(request)).header('x-request-id', request.id);
    done();
  });
  app.addHook('onRequest', authenticate(options));
  app.addHook('preParsing', ({ headers, method }, _reply, payload, done) => {
    const isJson = /^application\/json\b/i.test(headers['content-type'] ?? '');
    const isRead = method !== 'GET' && method !== 'HEAD'; // what nobody reads must not be piped: it would hold up the connection
    done(null, isJson && isRead ? payload.pipe(limitJson()) : payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, id: requestId } = request;
    const { url: route } = request.routeOptions;
    const ms = Math.round(reply.elapsedTime);
    const facts = { event: 'request', requestId, method, route, status: reply.statusCode, ms };
    options.log.debug({ ...facts, by: request.caller?.key.id }, 'request');
    done();
  });
  // Once the API is closing, each answer also closes its connection: an open connection would keep the process alive.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing.signal.aborted) reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('preClose', async () => closing.abort());
}

function addErrorHandlers(app: Api, { log }: ApiOptions): void {
  const sendProblem = (failure: Failure, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(failure, request.id);
    logMachineFault(failure, log, request.id);
    if (failure.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(failure.retryAfterMs / 1000));
    discardBody(request, reply);
    return reply.code(problem.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
  };
  app.setErrorHandler((error, request, reply) => sendProblem(failureOf(error, log, request.id), request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(ourFailure('NO_SUCH_ROUTE', 'no route has this path and method'), request, reply),
  );
}

async function registerRoutes(app: Api, tools: RouteTools): Promise<void> {
  await app.register(async (scope) => healthRoutes(scope.withTypeProvider<ZodTypeProvider>(), tools));
  await app.register(
    async (scope) => {
      scope.addHook('onRoute', ({ config, url }) => {
        if (config?.scope === undefined) throw new Error(`route ${url} has no scope`);
      });
      const v1 = scope.withTypeProvider<ZodTypeProvider>();
      submitRoutes(v1, tools);
      verificationRoutes(v1, tools);
      eventRoutes(v1, tools);
      frameRoutes(v1, tools);
      actionRoutes(v1, tools);
      erasureRoutes(v1, tools);
      gateRoutes(v1, tools);
      costRoutes(v1, tools);
      retryRoutes(v1, tools);
      sequenceRoutes(v1, tools);
      sessionRoutes(v1, tools);
      webhookRoutes(v1, tools);
      deadNotificationRoutes(v1, tools);
    },
    { prefix: '/v1' },
  );
}

/**
 * Reads and discards the rest of a refused body: closing a connection with unread bytes resets it, and the client may then never
 * receive the answer. If the body is larger than any accepted body, the connection is closed after the answer.
 */
function discardBody({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return;
  if (Number(raw.headers['content-length'] ?? 0) > MAX_DISCARDED_BYTES) reply.header('connection', 'close');
  raw.unpipe();
  raw.resume();
}

export interface ApiServer {
  readonly url: string;
  /**
   * Accepts no more requests and answers the running ones. Idempotent. @returns false if requests were still running at the
   * deadline.
   */
  close(drainMs: number): Promise<boolean>;
}

interface Address {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

/**
 * @throws Failure INVALID_SETTINGS if the address cannot be used, or if other machines could reach it and no API key exists yet
 */
export async function startApi(app: Api, { host, port }: Address, keys: ApiKeys, mode: Mode): Promise<ApiServer> {
  if (!LOOPBACK.test(host) && !(await keys.any(mode))) {
    const message = `BESTFRAME_API_HOST is ${host}, which other machines can reach, and no API key for mode ${mode} exists: create one first (bestframe keys create)`;
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
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    close: (drainMs) => closeApi(app, drainMs),
  };
}

async function closeApi(app: Api, drainMs: number): Promise<boolean> {
  let isCutOff = false;
  const timer = setTimeout(() => {
    isCutOff = true;
    app.server.closeAllConnections();
  }, drainMs);
  await app.close();
  clearTimeout(timer);
  return !isCutOff;
}
