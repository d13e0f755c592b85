/**
 * Sends HTTP requests, streaming bytes both ways.
 *
 * What must hold:
 * 1. The path of a URL is sent as written, because re-encoding (`%2F`, `%3B`) would invalidate a signed link. Exception: a path with
 *    characters that HTTP does not allow, or with `.` or `..` segments, is sent as `URL` normalizes it.
 * 2. Redirects are followed for sources only: at most three, https only, with a new address check for each hop, and with the
 *    headers that are set for its host and no others.
 * 3. Everything thrown is a Failure that says whether request bytes may have been sent.
 * 4. Every request has a User-Agent.
 * 5. The caller reads each response body to its end or calls `dump`. Ending an iteration early dumps the body too.
 */
import { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { USER_AGENT } from '../../domain/version.ts';
import { type Connector, type ConnectorOptions, createConnector } from './connector.ts';
import type { HeadersOf } from './source-headers.ts';
import { transportFailure } from './transport-failures.ts';

export interface TransportOptions extends ConnectorOptions {
  /** The longest wait for the answer's headers after the last byte of the request was sent, or after sending stalled. */
  readonly headersTimeoutMs?: number | undefined;
  /** The longest wait between two pieces of an answer's body. */
  readonly bodyTimeoutMs?: number | undefined;
  /** Headers for the hosts of sources. @default none */
  readonly sourceHeaders?: HeadersOf | undefined;
}

/**
 * Who supplied the URL. `source`: a caller. `webhook`: an operator. `link`: this deployment or the vendor, and the URL is signed.
 */
type Purpose = 'link' | 'source' | 'webhook';

interface TransportRequest {
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'DELETE' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly purpose: Purpose;
  /** Whether a redirect may be followed. @default every public https URL */
  readonly allowsUrl?: (url: URL) => boolean;
}

export interface TransportResponse {
  readonly status: number;
  /** All headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first value of a header, or null if it is absent. */
  header(name: string): string | null;
  /** The body in pieces, as they arrive. */
  bytes(): AsyncIterable<Uint8Array>;
  /** The body as text, truncated to `limitBytes`. */
  text(limitBytes: number): Promise<string>;
  /** Reads and discards the rest, so that the connection can be reused. */
  dump(): Promise<void>;
}

export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Closes every connection at once. Pending requests fail. */
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 30_000;
const BODY_TIMEOUT_MS = 30_000;
const IDLE_CONNECTION_MS = 10_000;
export const MAX_SOURCE_REDIRECTS = 3;
/** An unwanted body is read up to this size to keep the connection. If the body is longer, the connection is dropped. */
const DUMP_BYTES = 64 * 1024;

export function createTransport(options: TransportOptions): Transport {
  const connector = createConnector(options);
  const agents = {
    trusted: createAgent(connector, { ...options, guarded: false }),
    guarded: createAgent(connector, { ...options, guarded: true }),
  };
  let closing: Promise<void> | null = null;

  async function send(request: TransportRequest, target: RawTarget): Promise<TransportResponse> {
    const { method, headers, body, signal, purpose } = request;
    if (signal.aborted) throw transportFailure(signal.reason, signal, 'no');
    const own = purpose === 'source' ? await options.sourceHeaders?.(new URL(target.origin).host) : undefined;
    try {
      const answer = await (purpose === 'link' ? agents.trusted : agents.guarded).request({
        origin: target.origin,
        path: target.path,
        method,
        signal,
        headers: { 'user-agent': USER_AGENT, ...headers, ...own },
        body: body === undefined ? null : Readable.from(body, { highWaterMark: 1 }),
      });
      return responseOf(answer, signal);
    } catch (error) {
      throw transportFailure(error, signal, 'maybe');
    }
  }

  return {
    async request(request) {
      let target = parseTarget(request.url, request.purpose);
      for (let hops = 0; ; hops += 1) {
        const response = await send(request, target);
        const location = response.header('location');
        if (response.status < 300 || response.status > 399 || request.purpose !== 'source' || location === null)
          return response;
        await response.dump();
        if (hops >= MAX_SOURCE_REDIRECTS)
          throw redirectRefused(`the URL redirects more than ${MAX_SOURCE_REDIRECTS} times: use the final URL itself`);
        const next = resolveRedirect(location, target);
        if (request.allowsUrl?.(new URL(next)) === false)
          throw redirectRefused(
            'the URL redirects to a host that this tenant may not use: use a URL on an allowed host',
          );
        target = parseTarget(next, request.purpose);
      }
    },
    close() {
      closing ??= (async () => {
        connector.close();
        await Promise.all([agents.trusted.destroy(), agents.guarded.destroy()]);
      })();
      return closing;
    },
  };
}

/** Sends the request when the first piece is read, so that an unread body holds no connection. */
export async function* streamBody(request: () => Promise<TransportResponse>): AsyncGenerator<Uint8Array> {
  yield* (await request()).bytes();
}

function createAgent(connector: Connector, options: TransportOptions & { readonly guarded: boolean }): Agent {
  return new Agent({
    headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    bodyTimeout: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    pipelining: 1,
    connect({ hostname, port }, callback) {
      const host = hostname.replace(/^\[|\]$/g, '');
      const target = { host, port: port === '' ? 443 : Number(port), guarded: options.guarded };
      connector.connect(target).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    },
  });
}

// ── targets ────────────────────────────────────────────────────────────────────────────────────────────────────────

interface RawTarget {
  readonly origin: string;
  readonly path: string;
}

/** Splits a URL. Path and query stay as written, unless they need encoding or normalising. */
function parseTarget(url: string, purpose: Purpose): RawTarget {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) throw refused(CODES.NOT_HTTPS, 'the address is not a URL: write it in full, with https:');
  if (parsed.protocol !== 'https:') throw refused(CODES.NOT_HTTPS, 'the address is not https: use an https URL');
  if (purpose !== 'link' && (parsed.username !== '' || parsed.password !== '')) {
    throw refused(CODES.NOT_HTTPS, 'the URL carries a user name or password: use a signed link instead');
  }
  const raw = /^https:\/\/[^/?#\\]+(\/[^#\\]*)?(?:#.*)?$/i.exec(url);
  const path = raw?.[1] ?? '/';
  const isSafe = raw !== null && /^[\x21-\x7e]*$/.test(path) && !/\/\.{1,2}(?:[/?]|$)/.test(path);
  return { origin: parsed.origin, path: isSafe ? path : `${parsed.pathname}${parsed.search}` };
}

function resolveRedirect(location: string, from: RawTarget): string {
  if (/^https?:\/\//i.test(location)) return location;
  const base = `${from.origin}${from.path}`;
  if (!URL.canParse(location, base))
    throw redirectRefused('the URL redirects to an invalid address: use the final URL itself');
  return new URL(location, base).href;
}

function redirectRefused(message: string): Failure {
  return localFailure(CODES.REDIRECT_REFUSED, message, { service: 'source', sent: 'answered' });
}

function refused(code: string, message: string): Failure {
  return localFailure(code, message, { service: 'http' });
}

// ── responses ──────────────────────────────────────────────────────────────────────────────────────────────────────

function responseOf(answer: Dispatcher.ResponseData, signal: AbortSignal): TransportResponse {
  const { statusCode, headers, body } = answer;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body) yield piece as Uint8Array;
    } catch (error) {
      throw transportFailure(error, signal, 'maybe', statusCode);
    }
  }
  return {
    status: statusCode,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    header(name) {
      const value = headers[name];
      return value === undefined ? null : Array.isArray(value) ? (value[0] ?? null) : value;
    },
    bytes: pieces,
    async text(limitBytes) {
      const kept: Uint8Array[] = [];
      let size = 0;
      for await (const piece of pieces()) {
        kept.push(piece);
        size += piece.byteLength;
        if (size >= limitBytes) break;
      }
      return Buffer.concat(kept).subarray(0, limitBytes).toString('utf8');
    },
    async dump() {
      try {
        await body.dump({ limit: DUMP_BYTES, signal });
      } catch (error) {
        throw transportFailure(error, signal, 'maybe', statusCode);
      }
    },
  };
}
