/**
 * One request to the HTTP API, and again where that is safe and may help.
 *
 * What must hold:
 * 1. The key goes to `url` and nowhere else: no redirect is followed, and no error and no log has it.
 * 2. Only what changes nothing when it comes twice is sent twice; what was turned away for its rate was not done.
 * 3. No connection stays silent: each request has its time, unless its answer is a stream.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readToken } from '../../domain/api-keys.ts';
import { CODES } from '../../domain/errors/index.ts';
import { Failure, inputFailure } from '../../domain/failure.ts';

export interface RemoteOptions {
  /** Of the HTTP API, e.g. `https://bestframe.internal`. */
  readonly url: string;
  /** As `bestframe keys create` shows it. */
  readonly key: string;
  /** `upload` (default): `file` sources are files of this machine, and are sent. `workers`: paths that the workers see. */
  readonly files?: 'upload' | 'workers';
  /** Folders in which files that are sent may lie; left out: anywhere. */
  readonly fileRoots?: readonly string[];
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Behind `/v1`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  /** Anew for each try. */
  readonly body?: () => ReadableBody;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether twice is the same as once. */
  readonly again: boolean;
  /** For the answer to begin, and to be there whole where it is JSON; default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadableBody {
  readonly type: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

const ANSWER_MS = 15_000;
const PAUSES_MS = [100, 300, 900];
/** Who is told to come later than this is told so. */
const LONGEST_PAUSE_MS = 2_000;
const PROBLEM_TYPE = 'application/problem+json';

export class Calls {
  readonly #base: string;
  readonly #key: string;
  readonly #closing = new AbortController();

  /** @throws Failure INVALID_SETTINGS */
  constructor({ url, key }: RemoteOptions) {
    this.#base = baseOf(url);
    if (readToken(key) === null) {
      throw inputFailure(CODES.INVALID_SETTINGS, 'key', 'key is no API key: give one that bestframe keys create made');
    }
    this.#key = key;
  }

  /** @throws Failure what the API says, in its words; API_UNAVAILABLE */
  json<T>(call: Call): Promise<T> {
    return this.#tries(call, 'application/json', async (response) => (await response.json()) as T);
  }

  /** The answer as it comes; whoever takes it reads or cancels its body. */
  open(call: Call, type: 'image/jpeg' | 'text/event-stream'): Promise<Response> {
    return this.#tries(call, type, async (response) => response);
  }

  close(): void {
    this.#closing.abort();
  }

  async #tries<T>(call: Call, type: string, read: (response: Response) => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#once(call, type, read);
      } catch (error) {
        const least = PAUSES_MS[tries];
        if (least === undefined || !(error instanceof Failure) || !mayHelp(error, call.again)) throw error;
        const ms = Math.max(least * (0.5 + Math.random()), error.retryAfterMs ?? 0);
        if (ms > LONGEST_PAUSE_MS) throw error;
        await pause(ms, undefined, { signal: this.#signal(call) }).catch(() => undefined); // the next try says why
      }
    }
  }

  async #once<T>(call: Call, type: string, read: (response: Response) => Promise<T>): Promise<T> {
    const time = new AbortController();
    const timer = setTimeout(() => time.abort(), call.timeoutMs ?? ANSWER_MS);
    const body = call.body?.();
    const sending = body === undefined ? null : kept(body.bytes);
    try {
      const response = await fetch(this.#urlOf(call), {
        method: call.method,
        redirect: 'manual',
        signal: AbortSignal.any([this.#signal(call), time.signal]),
        headers: {
          ...call.headers,
          authorization: `Bearer ${this.#key}`,
          ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(body === undefined ? {} : { 'content-type': body.type }),
        },
        ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
        ...(sending === null ? {} : { body: sending.bytes, duplex: 'half' as const }),
      });
      if (!response.ok) throw await refusal(response);
      if (response.status !== 204 && !isOf(type, response)) throw await strange(response);
      return await read(response);
    } catch (error) {
      if (error instanceof Failure) throw error;
      call.signal?.throwIfAborted();
      // A file that turned out to be another one than it was: fetch tells that its body broke, and no more.
      if (sending?.failure() instanceof Failure) throw sending.failure();
      throw away(this.#closing.signal.aborted ? 'this client was closed' : 'it does not answer', error);
    } finally {
      clearTimeout(timer);
    }
  }

  #signal({ signal }: Call): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  #urlOf({ path, query = {} }: Call): string {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const text = new URLSearchParams(given).toString();
    return `${this.#base}/v1${path}${text === '' ? '' : `?${text}`}`;
  }
}

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly field: string | null;
  readonly requestId?: string;
}

/** What the API says, as the client beside Redis would have said it. */
export function failureFrom({ code, detail, field, requestId }: Problem, response?: Response): Failure {
  const later = Number(response?.headers.get('retry-after') ?? Number.NaN);
  return new Failure(
    {
      service: 'bestframe',
      channel: 'local',
      code,
      sent: 'no',
      ...(field === null ? {} : { field }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(response === undefined ? {} : { httpStatus: response.status }),
      ...(Number.isFinite(later) ? { retryAfterMs: later * 1_000 } : {}),
    },
    detail,
  );
}

async function refusal(response: Response): Promise<Failure> {
  if (!isOf(PROBLEM_TYPE, response)) return strange(response);
  return failureFrom((await response.json()) as Problem, response);
}

function isOf(type: string, { headers }: Response): boolean {
  return (headers.get('content-type') ?? '').startsWith(type);
}

/** A proxy before it, or no Bestframe at all. */
async function strange({ status, body }: Response): Promise<Failure> {
  await body?.cancel();
  return away(`something else answered, with status ${status}`, undefined, status);
}

function away(words: string, cause?: unknown, httpStatus?: number): Failure {
  const message = `the HTTP API cannot be reached (${words}): check that it runs and that url is right`;
  const status = httpStatus === undefined ? {} : { httpStatus };
  const facts = {
    service: 'bestframe',
    channel: 'local',
    code: CODES.API_UNAVAILABLE,
    sent: 'maybe',
    ...status,
  } as const;
  return new Failure(facts, message, { cause });
}

function mayHelp({ code, httpStatus }: Failure, again: boolean): boolean {
  if (httpStatus === 429) return true;
  if (!again) return false;
  if (httpStatus === undefined) return code === CODES.API_UNAVAILABLE;
  return httpStatus === 502 || httpStatus === 503 || httpStatus === 504;
}

/** Remembers why it broke. */
function kept(bytes: AsyncIterable<Uint8Array>): { bytes: AsyncIterable<Uint8Array>; failure: () => unknown } {
  let failure: unknown;
  async function* through() {
    try {
      yield* bytes;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { bytes: through(), failure: () => failure };
}

/** @throws Failure INVALID_SETTINGS, without the URL: it may have a password in it */
function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === '')
    return url.href.replace(/\/+$/, '');
  const message = 'url is not the address of an HTTP API: write it from https:// on, without a user, a query or "#"';
  throw inputFailure(CODES.INVALID_SETTINGS, 'url', message);
}
