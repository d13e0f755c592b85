/**
 * One HTTP request out: bytes in, bytes out, streaming both ways.
 *
 * 1. A URL travels as it was written: a signed link that is re-encoded (`%2F`, `%3B`) is another link.
 * 2. No redirect is followed, except for sources, by hand: at most three, https only, each hop judged anew.
 * 3. Every throw is a Failure that tells truly whether request bytes may have left.
 * 4. A body that was handed out must be read to its end, or dumped; leaving an iteration early dumps it.
 */
import { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { type Connector, type ConnectorOptions, createConnector } from './connector.ts';
import { failureOf } from './failures.ts';

export interface TransportOptions extends ConnectorOptions {
  /** From the last byte of a request, or a stall in sending it, to the answer's headers. */
  readonly headersTimeoutMs?: number | undefined;
  /** Between two pieces of an answer. */
  readonly bodyTimeoutMs?: number | undefined;
}

/** `source`: the URL is a caller's word. `webhook`: an operator's. `link`: we or the vendor signed it. */
type Purpose = 'link' | 'source' | 'webhook';

interface TransportRequest {
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'DELETE' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly purpose: Purpose;
}

export interface TransportResponse {
  readonly status: number;
  /** One value of a header, null where it is absent. */
  header(name: string): string | null;
  /** The whole body in pieces, as they arrive. */
  bytes(): AsyncIterable<Uint8Array>;
  /** The body as text, cut at `limitBytes`. */
  text(limitBytes: number): Promise<string>;
  /** Reads the rest and forgets it, so that the connection can be used again. */
  dump(): Promise<void>;
}

export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Ends every connection at once; requests on their way fail. */
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 30_000;
const BODY_TIMEOUT_MS = 30_000;
const IDLE_CONNECTION_MS = 10_000;
const MAX_SOURCE_REDIRECTS = 3;
/** What is left of a body that nobody wants: read up to this much, else the connection is dropped. */
const DUMP_BYTES = 64 * 1024;

export function createTransport(options: TransportOptions): Transport {
  const connector = createConnector(options);
  const agents = { trusted: agentOver(connector, false, options), guarded: agentOver(connector, true, options) };
  let closing: Promise<void> | null = null;

  async function send(request: TransportRequest, target: RawTarget): Promise<TransportResponse> {
    const { method, headers, body, signal, purpose } = request;
    if (signal.aborted) throw failureOf(signal.reason, signal, 'no');
    try {
      const answer = await (purpose === 'link' ? agents.trusted : agents.guarded).request({
        origin: target.origin,
        path: target.path,
        method,
        signal,
        headers: headers ?? {},
        body: body === undefined ? null : Readable.from(body, { highWaterMark: 1 }),
      });
      return responseOf(answer, signal);
    } catch (error) {
      throw failureOf(error, signal, 'maybe');
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
          throw redirectRefused('the URL is redirected more than three times: use the last one itself');
        target = parseTarget(resolveRedirect(location, target), request.purpose);
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

/** A body that is asked for when its first piece is wanted: who never reads it holds no connection. */
export async function* bodyOf(ask: () => Promise<TransportResponse>): AsyncGenerator<Uint8Array> {
  yield* (await ask()).bytes();
}

function agentOver(connector: Connector, guarded: boolean, options: TransportOptions): Agent {
  return new Agent({
    headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    bodyTimeout: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    pipelining: 1,
    connect({ hostname, port }, callback) {
      const host = hostname.replace(/^\[|\]$/g, '');
      const target = { host, port: port === '' ? 443 : Number(port), guarded };
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

/** Splits a URL without touching its path and query, where they are sound ASCII already. */
function parseTarget(url: string, purpose: Purpose): RawTarget {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) throw refused(CODES.NOT_HTTPS, 'the address is no URL: write it whole, from https: on');
  if (parsed.protocol !== 'https:') throw refused(CODES.NOT_HTTPS, 'the address is not https: use an https URL');
  if (purpose !== 'link' && (parsed.username !== '' || parsed.password !== '')) {
    throw refused(CODES.NOT_HTTPS, 'the URL carries a user name or password: use a signed link instead');
  }
  const raw = /^https:\/\/[^/?#\\]+(\/[^#\\]*)?(?:#.*)?$/i.exec(url);
  const path = raw?.[1] ?? '/';
  const sound = raw !== null && /^[\x21-\x7e]*$/.test(path) && !/\/\.{1,2}(?:[/?]|$)/.test(path);
  return { origin: parsed.origin, path: sound ? path : `${parsed.pathname}${parsed.search}` };
}

function resolveRedirect(location: string, from: RawTarget): string {
  if (/^https?:\/\//i.test(location)) return location;
  const base = `${from.origin}${from.path}`;
  if (!URL.canParse(location, base))
    throw redirectRefused('the URL is redirected to something that is no address: use the last URL itself');
  return new URL(location, base).href;
}

function redirectRefused(message: string): Failure {
  return new Failure({ service: 'source', channel: 'local', code: CODES.REDIRECT_REFUSED, sent: 'answered' }, message);
}

function refused(code: string, message: string): Failure {
  return new Failure({ service: 'http', channel: 'local', code, sent: 'no' }, message);
}

// ── responses ──────────────────────────────────────────────────────────────────────────────────────────────────────

function responseOf(answer: Dispatcher.ResponseData, signal: AbortSignal): TransportResponse {
  const { statusCode, headers, body } = answer;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body) yield piece as Uint8Array;
    } catch (error) {
      throw failureOf(error, signal, 'maybe', statusCode);
    }
  }
  return {
    status: statusCode,
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
        throw failureOf(error, signal, 'maybe', statusCode);
      }
    },
  };
}
