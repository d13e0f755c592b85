/**
 * Authentication by an API key in `Authorization: Bearer`, with scopes and a rate limit. Authentication runs before the body is
 * read.
 *
 * What must hold:
 * 1. A route with a scope runs only for a key that is valid at that moment, belongs to this deployment's mode and has the scope.
 * 2. A key acts for its tenant: `caller.client` sees no other tenant's verifications.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { LoginLimiter } from '../../client/redis/login-limiter.ts';
import { type ApiKey, parseToken, type Scope } from '../../domain/operations/api-keys.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import type { Refusals } from '../refusals.ts';
import { malformed, ourFailure } from './problems.ts';

/** The owner of the request's API key. */
export interface Caller {
  readonly key: ApiKey;
  /** A client of the key's tenant. */
  readonly client: BestframeClient;
  /** The value of `X-Purpose`. */
  readonly purpose: string | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a key needs. A route without a scope needs no key. */
    scope?: Scope;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface AuthOptions {
  readonly keys: ApiKeys;
  readonly client: BestframeClient;
  readonly limiter: Pick<LoginLimiter, 'take'>;
  readonly refusals: Refusals;
  readonly mode: Mode;
}

const PURPOSE = /^[\x20-\x7e]{1,128}$/;
/** While the API keys are lost, callers are told to wait this long, because an operator has to restore the keys first. */
const LOST_RETRY_MS = 30_000;
const KEYS_LOST = 'this deployment knows no API key at all, so it cannot judge this one: send the request again later';
const TOO_MANY_INVALID = 'too many requests came with an API key that is unknown, expired or revoked: correct the key';
const INVALID_KEY = 'the API key is unknown, expired or revoked';

/** Returns the `onRequest` hook that sets `request.caller`. */
export function authenticate(options: AuthOptions) {
  const { keys, limiter, mode, refusals } = options;
  const clientOf = tenantClients(options.client);
  const recordRefusal = ({ id: requestId, ip: address }: FastifyRequest, actor: string | null, why: string) =>
    refusals.record({ actor, address, requestId, what: `key ${why}` });

  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined) return;
    const secret = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const token = secret === undefined ? null : parseToken(secret);
    const admitted = token === null ? null : await keys.admit(token, mode);
    if (admitted === null && token !== null && (await keys.areLost())) {
      await recordRefusal(request, token.id, 'no_keys');
      throw ourFailure('API_KEYS_LOST', KEYS_LOST, { retryAfterMs: LOST_RETRY_MS });
    }
    if (admitted === null) {
      // A right key is never refused because of other failures: unlike a password, it cannot be guessed.
      const waitMs = secret === undefined ? 0 : await limiter.take({ user: token?.id ?? null, address: request.ip });
      const why = secret === undefined ? 'missing' : waitMs > 0 ? 'limited' : 'invalid';
      await recordRefusal(request, token?.id ?? null, why);
      if (waitMs > 0) throw ourFailure('RATE_LIMITED', TOO_MANY_INVALID, { retryAfterMs: waitMs });
      reply.header('www-authenticate', 'Bearer realm="Bestframe"');
      const detail =
        secret === undefined ? 'the request has no API key: send Authorization: Bearer <key>' : INVALID_KEY;
      throw ourFailure('UNAUTHENTICATED', detail);
    }
    const { key, waitMs } = admitted;
    if (key.mode !== mode) {
      await recordRefusal(request, key.id, 'wrong_mode');
      throw ourFailure('WRONG_MODE', `the API key is for mode ${key.mode}, and this deployment runs in mode ${mode}`);
    }
    if (waitMs > 0) {
      const detail = `the API key allows ${key.perSecond} requests a second: send fewer`;
      throw ourFailure('RATE_LIMITED', detail, { retryAfterMs: waitMs });
    }
    if (!key.scopes.includes(scope)) {
      await recordRefusal(request, key.id, `missing_scope ${scope}`);
      throw ourFailure('FORBIDDEN', `the API key lacks the scope ${scope}`);
    }
    request.caller = { key, client: clientOf(key.tenant), purpose: readPurpose(request) };
  };
}

/** The caller of a route with a scope. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('this route has no scope, so it has no caller');
  return request.caller;
}

/** Reuses one client for each tenant. */
function tenantClients(client: BestframeClient): (tenant: string) => BestframeClient {
  const clients = new Map<string, BestframeClient>();
  return (tenant) => {
    const existing = clients.get(tenant);
    if (existing !== undefined) return existing;
    const created = client.forTenant(tenant);
    clients.set(tenant, created);
    return created;
  };
}

function readPurpose({ headers }: FastifyRequest): string | undefined {
  const purpose = headers['x-purpose'];
  if (purpose === undefined) return undefined;
  if (typeof purpose === 'string' && PURPOSE.test(purpose)) return purpose;
  throw malformed('X-Purpose', 'X-Purpose is not valid: send 1 to 128 printable ASCII characters');
}
