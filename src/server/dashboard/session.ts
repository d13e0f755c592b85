/**
 * Identifies operators by the cookie of a session, or by a header of the identity proxy.
 *
 * What must hold:
 * 1. A cookie is valid only while Redis has its session, and only for an operator who is still listed.
 * 2. A form is accepted only with the token of the session for which it was rendered.
 * 3. The proxy's header is trusted only together with the secret that the proxy shares with the site.
 */
import type { SiteSessions } from '../../client/redis/site-sessions.ts';
import type { Operator } from '../../domain/operations/operators.ts';
import {
  formTokenOf,
  isSameSecret,
  type SessionLimits,
  type SessionWay,
  type SiteSession,
} from '../../domain/operations/sessions.ts';

export const SESSION_COOKIE = 'bestframe';
const SECRET = /^[\w-]{43}$/;

/** Header in which the identity proxy proves that the request comes from it. */
const PROXY_SECRET_HEADER = 'x-bestframe-proxy-secret';

/** A proxy that authenticates people, for example by single sign-on. */
export interface IdentityProxy {
  /** Lower-case name of the header that contains the operator's name. */
  readonly header: string;
  readonly secret: string;
}

export interface SessionOptions {
  /** The present operators. */
  readonly operators: () => readonly Operator[];
  readonly store: SiteSessions;
  readonly limits: SessionLimits;
  readonly identityProxy: IdentityProxy | null;
}

/** A session that is in use, with the token for its forms. */
export interface OpenSession extends SiteSession {
  readonly formToken: string;
}

export class Sessions {
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** @returns the session, and the value of its cookie. */
  async start(
    { name }: Operator,
    way: SessionWay,
    address: string,
  ): Promise<{ session: OpenSession; cookie: string; lifeMs: number }> {
    const { store, limits } = this.#options;
    const { session, secret } = await store.start({ operator: name, way, address }, limits);
    return { session: { ...session, formToken: formTokenOf(secret) }, cookie: secret, lifeMs: limits.lifeMs };
  }

  /** The session of a cookie, and its operator. @returns null if the session has ended or its operator is not listed any more. */
  async byCookie(cookie: string | undefined): Promise<{ operator: Operator; session: OpenSession } | null> {
    if (cookie === undefined || !SECRET.test(cookie)) return null;
    const session = await this.#options.store.use(cookie, this.#options.limits);
    const operator = session === null ? null : this.#operatorByName(session.operator);
    return session === null || operator === null
      ? null
      : { operator, session: { ...session, formToken: formTokenOf(cookie) } };
  }

  /** The operator whom the identity proxy names. @returns null without the proxy's secret, or if nobody has this name. */
  operatorByProxy(headers: Readonly<Record<string, unknown>>): Operator | null {
    const { identityProxy } = this.#options;
    const secret = headers[PROXY_SECRET_HEADER];
    if (identityProxy === null || typeof secret !== 'string' || !isSameSecret(secret, identityProxy.secret))
      return null;
    const name = headers[identityProxy.header];
    return typeof name === 'string' ? this.#operatorByName(name) : null;
  }

  list(): Promise<SiteSession[]> {
    return this.#options.store.list();
  }

  /** @returns whether there was such a session. */
  end(id: string): Promise<boolean> {
    return this.#options.store.end(id);
  }

  #operatorByName(name: string): Operator | null {
    return this.#options.operators().find((each) => each.name === name) ?? null;
  }
}

/** Whether a form comes from a page of this session. */
export function isFormOf({ formToken }: OpenSession, token: unknown): boolean {
  return typeof token === 'string' && isSameSecret(token, formToken);
}
