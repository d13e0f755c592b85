/**
 * Who may do what: a key in `Authorization: Bearer`, its scopes, its rate. Before a body is read.
 *
 * What must hold: no route under /v1 is reached without a key that is good at that moment, in the deployment's own mode, with
 * the scope that the route names; what a key does, it does as its tenant.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../audit.ts';
import type { ApiKeys } from '../client/api-keys.ts';
import type { BestframeClient } from '../client/client.ts';
import { type ApiKey, readToken, type Scope } from '../domain/api-keys.ts';
import type { Mode } from '../domain/verification.ts';
import { malformed, ourFailure } from './problems.ts';

/** Whoever asks. */
export interface Caller {
  readonly key: ApiKey;
  /** Of the key's tenant alone. */
  readonly client: BestframeClient;
  /** What the request is said to be for. */
  readonly purpose: string | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must allow. A route without one is open to everybody. */
    scope?: Scope;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface AuthOptions {
  readonly keys: ApiKeys;
  readonly client: BestframeClient;
  readonly audit: Audit;
  readonly mode: Mode;
}

const PURPOSE = /^[\x20-\x7e]{1,128}$/;
/** Refused logins that are written down, a second; more are a flood that would fill the disk. */
const REFUSALS_PER_SECOND = 20;

/** A hook for `onRequest`. */
export function authenticate(options: AuthOptions) {
  const clients = new Map<string, BestframeClient>();
  const written = { second: 0, count: 0 };

  function clientOf(tenant: string): BestframeClient {
    const known = clients.get(tenant);
    if (known !== undefined) return known;
    const client = options.client.forTenant(tenant);
    clients.set(tenant, client);
    return client;
  }

  /** A refusal is told even where it cannot be written down: nothing was done. */
  async function refused(request: FastifyRequest, id: string | null, what: string): Promise<void> {
    const second = Math.floor(Date.now() / 1000);
    if (written.second !== second) Object.assign(written, { second, count: 0 });
    written.count += 1;
    if (written.count > REFUSALS_PER_SECOND) return;
    const entry = { act: 'login.refused', actor: id, tenant: null, what, requestId: request.id } as const;
    await options.audit.write(entry).catch(() => undefined);
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined) return;
    const given = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const token = given === undefined ? null : readToken(given);
    const key = token === null ? null : await options.keys.find(token);
    if (token === null || key === null) {
      await refused(request, token?.id ?? null, given === undefined ? 'no key' : 'not valid');
      reply.header('www-authenticate', 'Bearer realm="Bestframe"');
      const detail = given === undefined ? 'there is no API key' : 'the API key is unknown, expired or revoked';
      throw ourFailure('UNAUTHENTICATED', detail);
    }
    if (key.mode !== options.mode) {
      await refused(request, key.id, 'wrong mode');
      throw ourFailure('WRONG_MODE', `the API key is for ${key.mode}, and this deployment runs in ${options.mode}`);
    }
    const waitMs = await options.keys.enter(key);
    if (waitMs === null) throw ourFailure('UNAUTHENTICATED', 'the API key is unknown, expired or revoked');
    if (waitMs > 0) {
      const detail = `the API key allows ${key.perSecond} requests a second`;
      throw ourFailure('RATE_LIMITED', detail, { retryAfterMs: waitMs });
    }
    if (!key.scopes.includes(scope)) {
      await refused(request, key.id, `lacks ${scope}`);
      throw ourFailure('FORBIDDEN', `the API key lacks the scope ${scope}`);
    }
    request.caller = { key, client: clientOf(key.tenant), purpose: purposeOf(request) };
  };
}

/** Of a route that names a scope. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route that names no scope asks who calls');
  return request.caller;
}

function purposeOf({ headers }: FastifyRequest): string | undefined {
  const purpose = headers['x-purpose'];
  if (purpose === undefined) return undefined;
  if (typeof purpose === 'string' && PURPOSE.test(purpose)) return purpose;
  throw malformed('X-Purpose', 'X-Purpose is not a short text: up to 128 printable ASCII characters');
}
