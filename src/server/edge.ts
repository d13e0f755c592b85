/**
 * What the site and the HTTP API need to know about the proxies in front of them, and the one spelling of a request's path.
 *
 * What must hold:
 * 1. `X-Forwarded-For`, `-Proto` and `-Host` count only on a connection from a trusted proxy.
 * 2. Every route sees the path without the base path, without a host, and without escapes that stand for ordinary characters.
 */
import type { FastifyRequest } from 'fastify';

export interface Edge {
  /** Path under which proxies show this service, such as `/faces/ops`. Empty if it is the root. */
  readonly basePath: string;
  /** Addresses or networks of proxies. */
  readonly trustedProxies: readonly string[];
  /** Shorter time limits, for tests. */
  readonly times?: { readonly headersMs: number; readonly requestMs: number; readonly checkMs: number };
}

/** Time limit for the headers of a request. */
const HEADERS_MS = 60_000;
/** How often the time limits are checked. */
const CHECK_MS = 5_000;

/** The options of a Fastify server. @param requestMs time limit for a request, until its last byte has arrived. */
export function edgeOptions({ basePath, trustedProxies, times }: Edge, requestMs: number) {
  const { headersMs, checkMs } = times ?? { headersMs: HEADERS_MS, checkMs: CHECK_MS };
  return {
    requestTimeout: times?.requestMs ?? requestMs,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    rewriteUrl: ({ url = '/' }: { url?: string | undefined }) => canonicalTarget(url, basePath),
  };
}

/**
 * Brings the target of a request into one spelling. Accepts the base path, and also its absence: some proxies remove it, and health
 * checks do not know it.
 */
export function canonicalTarget(target: string, basePath: string): string {
  if (basePath === '' && target.startsWith('/') && !target.includes('%')) return target;
  const local = target.replace(/^https?:\/\/[^/?#]*/i, '');
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(local) ?? [];
  const plain = path.replace(/%([0-9a-f]{2})/gi, (written, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : written;
  });
  const isUnderBase = basePath !== '' && (plain === basePath || plain.startsWith(`${basePath}/`));
  const inside = isUnderBase ? plain.slice(basePath.length) : plain;
  return `${inside === '' ? '/' : inside}${query}`;
}

/**
 * The target of a redirect, if it is a path of this service: without the base path, and as a browser would read it. Otherwise `/`.
 */
export function localPath(to: string | undefined, basePath: string): string {
  const origin = 'http://local.invalid';
  if (to === undefined || !to.startsWith('/') || !URL.canParse(to, origin)) return '/';
  const url = new URL(to, origin); // drops tabs and line breaks, and reads "\" as "/", like a browser
  const path = canonicalTarget(`${url.pathname}${url.search}`, basePath);
  return url.origin === origin && !/^\/[/\\]/.test(path) ? path : '/';
}

/** Tells browsers that came by TLS to use nothing else for a year. */
export function transportHeaders({ protocol }: FastifyRequest): Record<string, string> {
  return protocol === 'https' ? { 'strict-transport-security': 'max-age=31536000' } : {};
}
