/** The types and helpers that routes share. To avoid circular imports, this file imports neither routes nor `server.ts`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Audit } from '../../adapters/audit.ts';
import type { Staging } from '../../adapters/storage/staging.ts';
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { LoginLimiter } from '../../client/redis/login-limiter.ts';
import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { AuditEntry } from '../../domain/operations/audit.ts';
import type { Observer } from '../../domain/operations/process-metrics.ts';
import { isWalled } from '../../domain/operations/tenants.ts';
import type { FrameSink } from '../../domain/ports.ts';
import type { Limits } from '../../domain/verification/actions.ts';
import type { LightSequence, SequenceRequest } from '../../domain/verification/light-sequence.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import type { Edge } from '../edge.ts';
import type { Caller } from './auth.ts';
import type { EventStreams, StreamLimits } from './event-streams.ts';
import { malformed, ourFailure } from './problems.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Implemented by `LightSequences` of the pipeline. */
export interface SequenceGenerator {
  generate(request: SequenceRequest): Promise<LightSequence>;
}

export interface ApiOptions {
  readonly client: BestframeClient;
  readonly keys: ApiKeys;
  readonly audit: Audit;
  readonly limiter: LoginLimiter;
  /** Says why Redis takes no work now, in words; null if it does. */
  readonly redisTrouble: () => Promise<string | null>;
  readonly sink: Pick<FrameSink, 'open'>;
  /** Where files are staged. Null if the API accepts no files. */
  readonly staging: Staging | null;
  /** Called only when the first sequence is requested, because the call loads the SDK. Null if there are no credentials. */
  readonly sequences: (() => Promise<SequenceGenerator>) | null;
  readonly mode: Mode;
  readonly edge: Edge;
  readonly limits: Limits;
  readonly streamLimits: StreamLimits;
  readonly observer?: Observer;
  readonly log: Logger;
}

export interface RouteTools extends ApiOptions {
  readonly streams: EventStreams;
  /** Aborts when the process stops. Waiting requests are then answered with the current state. */
  readonly closing: AbortSignal;
}

/** @throws Failure RECORD_MISSING (also for another tenant's verification), or KEY_GONE if it was erased */
export async function getOrThrow(caller: Caller, id: string): Promise<VerificationView> {
  const view = await caller.client.get(id);
  if (view === null) throw await notFound(caller, id);
  return view;
}

/** The failure for an id without a record: KEY_GONE if there is a receipt of its erasure, else RECORD_MISSING. */
export async function notFound({ client }: Caller, id: string): Promise<Failure> {
  if ((await client.receipt(id)) !== null)
    return inputFailure(CODES.KEY_GONE, 'id', 'id belongs to a verification that was erased');
  return inputFailure(
    CODES.RECORD_MISSING,
    'id',
    'id belongs to no verification: check it, and the tenant of the API key',
  );
}

/** The fields of an audit entry that identify the actor. */
export function auditActor(
  { key, purpose }: Caller,
  requestId: string,
): Pick<AuditEntry, 'actor' | 'tenant' | 'requestId' | 'purpose'> {
  return { actor: key.id, tenant: key.tenant, requestId, ...(purpose === undefined ? {} : { purpose }) };
}

/**
 * For what belongs to the whole deployment, such as gates and metrics: a tenant could see or delay other tenants with it.
 * @throws Failure FORBIDDEN for a key of a tenant other than `default`
 */
export function requireDeployment({ key }: Caller): void {
  if (!isWalled(key.tenant)) return;
  throw ourFailure(
    'FORBIDDEN',
    'this belongs to the deployment, and the API key to a tenant: use a key of tenant default',
  );
}

/** The caller's name in histories and receipts. */
export function actorName({ key }: Caller): string {
  return `API key ${key.id}`;
}

/** Reads `Idempotency-Key`, with or without the quotes that a structured header has. */
export function idempotencyKey({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const [, quoted] = /^"(.*)"$/.exec(String(header)) ?? [];
  return quoted ?? String(header);
}

/** The header as it was sent. The client ignores an invalid one. */
export function traceparentOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const { traceparent } = headers;
  return typeof traceparent === 'string' ? traceparent : undefined;
}

/** Copies the key given in the header into the body. @throws Failure MALFORMED_REQUEST if the body has a different key */
export function withKey<Body>(body: Body, headerKey: string | undefined): Body {
  if (!isObject(body) || headerKey === undefined) return body;
  if (body.key === undefined || body.key === headerKey) return { ...body, key: headerKey };
  throw malformed('key', 'key differs from Idempotency-Key: send one of the two');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
