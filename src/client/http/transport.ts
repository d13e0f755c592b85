/**
 * Sends requests to the HTTP API, and retries them if that is safe.
 *
 * What must hold:
 * 1. The API key goes to `url` and nowhere else: redirects are not followed, and no error or log contains the key.
 * 2. A request is retried only if it is idempotent, or if the rate limit refused it: a refused request was not carried out.
 * 3. Every request has a time limit. For a stream, the limit covers only the time until the response begins.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CODES } from '../../domain/errors/codes.ts';
import { Failure } from '../../domain/errors/failure.ts';
import { type ApiProblem, apiFailure, apiUnavailable } from './failures.ts';
import type { ApiAddress } from './options.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below `/v1`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  /** Returns the body. Called for each try, because a stream can be read only once. */
  readonly body?: () => RequestBody;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether sending the request twice has the same effect as sending it once. */
  readonly idempotent: boolean;
  /**
   * Time until a JSON response is complete, or until a stream begins, ms.
   * @default 15_000
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RequestBody {
  readonly contentType: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export const RESPONSE_TIMEOUT_MS = 15_000;
const RETRY_WAITS_MS = [100, 300, 900];
/** A longer Retry-After is returned to the caller, not waited for. */
const MAX_RETRY_WAIT_MS = 2_000;
const PROBLEM_TYPE = 'application/problem+json';

export function getRequest(path: string): ApiRequest {
  return { method: 'GET', path, idempotent: true };
}

export function postRequest(path: string, { idempotent, json }: Pick<ApiRequest, 'idempotent' | 'json'>): ApiRequest {
  return { method: 'POST', path, idempotent, ...(json === undefined ? {} : { json }) };
}

export class ApiTransport {
  readonly #address: ApiAddress;
  readonly #closing = new AbortController();

  constructor(address: ApiAddress) {
    this.#address = address;
  }

  /** @throws Failure with the API's code and message, or API_UNAVAILABLE */
  requestJson<T>(request: ApiRequest): Promise<T> {
    return this.#sendWithRetries(request, 'application/json', async (response) => (await response.json()) as T);
  }

  /** The caller must read or cancel the body. @throws Failure as `requestJson` */
  requestStream(request: ApiRequest, contentType: string): Promise<Response> {
    return this.#sendWithRetries(request, contentType, async (response) => response);
  }

  /** Waits. @throws Error if the transport is closed meanwhile */
  async pause(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#closing.signal });
  }

  /** Aborts every request. Idempotent. */
  close(): void {
    this.#closing.abort();
  }

  async #sendWithRetries<T>(
    request: ApiRequest,
    contentType: string,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#send(request, contentType, read);
      } catch (error) {
        const waitMs = RETRY_WAITS_MS[retries];
        if (waitMs === undefined || !(error instanceof Failure) || !isRetryable(error, request)) throw error;
        const ms = Math.max(waitMs * (0.5 + Math.random()), error.retryAfterMs ?? 0);
        if (ms > MAX_RETRY_WAIT_MS) throw error;
        // An abort of this wait is ignored here: the next try fails at once with the signal's reason.
        await wait(ms, undefined, { signal: this.#signalOf(request) }).catch(() => undefined);
      }
    }
  }

  async #send<T>(request: ApiRequest, contentType: string, read: (response: Response) => Promise<T>): Promise<T> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), request.timeoutMs ?? RESPONSE_TIMEOUT_MS);
    const body = request.body?.();
    const upload = body === undefined ? null : rememberFailure(body.bytes);
    try {
      const response = await fetch(this.#urlOf(request), {
        method: request.method,
        redirect: 'manual',
        signal: AbortSignal.any([this.#signalOf(request), timeout.signal]),
        headers: {
          ...request.headers,
          authorization: `Bearer ${this.#address.key}`,
          ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(body === undefined ? {} : { 'content-type': body.contentType }),
        },
        ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
        ...(upload === null ? {} : { body: upload.bytes, duplex: 'half' as const }),
      });
      if (!response.ok) throw await readProblem(response);
      if (response.status !== 204 && !hasContentType(response, contentType)) throw await unexpectedResponse(response);
      return await read(response);
    } catch (error) {
      if (error instanceof Failure) throw error;
      request.signal?.throwIfAborted();
      // A file may have changed while it was sent. fetch only reports that the body failed, so throw the file's failure instead.
      const uploadFailure = upload?.failure();
      if (uploadFailure instanceof Failure) throw uploadFailure;
      throw apiUnavailable(this.#closing.signal.aborted ? 'this client was closed' : 'no response', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #signalOf({ signal }: ApiRequest): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  #urlOf({ path, query = {} }: ApiRequest): string {
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const text = new URLSearchParams(parameters).toString();
    return `${this.#address.baseUrl}/v1${path}${text === '' ? '' : `?${text}`}`;
  }
}

async function readProblem(response: Response): Promise<Failure> {
  if (!hasContentType(response, PROBLEM_TYPE)) return unexpectedResponse(response);
  return apiFailure((await response.json()) as ApiProblem, response);
}

function hasContentType({ headers }: Response, type: string): boolean {
  return (headers.get('content-type') ?? '').startsWith(type);
}

/** A Failure for a response that does not come from the API: a proxy answered instead, or `url` leads to another server. */
async function unexpectedResponse({ status, body }: Response): Promise<Failure> {
  await body?.cancel();
  return apiUnavailable(`another server answered, with status ${status}`, { httpStatus: status });
}

function isRetryable({ code, httpStatus }: Failure, { idempotent }: ApiRequest): boolean {
  if (httpStatus === 429) return true;
  if (!idempotent) return false;
  if (httpStatus === undefined) return code === CODES.API_UNAVAILABLE;
  return httpStatus === 502 || httpStatus === 503 || httpStatus === 504;
}

/** Passes the bytes of `source` on, and keeps the error if `source` throws. */
function rememberFailure(source: AsyncIterable<Uint8Array>): {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly failure: () => unknown;
} {
  let failure: unknown;
  async function* bytes() {
    try {
      yield* source;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { bytes: bytes(), failure: () => failure };
}
