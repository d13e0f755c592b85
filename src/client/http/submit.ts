/**
 * Submits verifications. Each verification with files on this machine is sent in its own request, a few at a time; the others are
 * sent in batches.
 *
 * What must hold: a problem that concerns one verification becomes that verification's result. Only a problem that concerns all
 * verifications is thrown: the API is unreachable, the key is not accepted, or the rate limit is exceeded.
 */
import { CODES } from '../../domain/errors/codes.ts';
import { Failure } from '../../domain/errors/failure.ts';
import { parseTraceparent } from '../../domain/operations/tracing.ts';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { EnqueueResult } from '../contract.ts';
import { type ApiEnqueueResult, type ApiVerification, toEnqueued, toEnqueueResult } from './answers.ts';
import { hasCode } from './failures.ts';
import type { HttpClientOptions } from './options.ts';
import { type ApiTransport, postRequest, RESPONSE_TIMEOUT_MS } from './transport.ts';
import { hasFileSource, openUpload } from './upload.ts';

/** Equals the time for which the API waits for a request body. */
const UPLOAD_TIMEOUT_MS = 5 * 60_000;
const BATCH_TIMEOUT_MS = 4 * RESPONSE_TIMEOUT_MS;
const CONCURRENT_UPLOADS = 4;

interface SubmitOptions {
  /** How long the API waits for a decision before it responds, in whole seconds. */
  readonly waitS: number;
  readonly signal?: AbortSignal | undefined;
  readonly traceparent?: string | undefined;
}

export class Submitter {
  readonly #transport: ApiTransport;
  readonly #options: Pick<HttpClientOptions, 'files' | 'fileRoots'>;
  /** Fires when the client is closed, and aborts the check of files. */
  readonly #closing: AbortSignal;

  constructor(transport: ApiTransport, options: Pick<HttpClientOptions, 'files' | 'fileRoots'>, closing: AbortSignal) {
    this.#transport = transport;
    this.#options = options;
    this.#closing = closing;
  }

  async submit(request: VerificationRequest, { waitS, signal, traceparent }: SubmitOptions): Promise<ApiVerification> {
    const headers = traceHeaders(traceparent);
    const call = { ...postRequest('/verifications', { idempotent: true }), query: { wait: waitS }, headers, signal };
    const waitMs = waitS * 1_000;
    if (!this.#sendsFiles(request)) {
      return this.#transport.requestJson({ ...call, json: request, timeoutMs: RESPONSE_TIMEOUT_MS + waitMs });
    }
    const upload = await openUpload(request, this.#options, signal ?? this.#closing);
    try {
      return await this.#transport.requestJson({ ...call, body: upload.body, timeoutMs: UPLOAD_TIMEOUT_MS + waitMs });
    } catch (error) {
      if (!hasCode(error, CODES.API_UNAVAILABLE)) throw error;
      // The API may refuse the API key before it has read the files. It then closes the connection, and the response may be lost.
      // So the request is repeated without files, to get that response. If the response is MALFORMED_REQUEST, the API objects
      // only to the missing files, and the first error stands.
      const withoutFiles = { ...call, body: upload.bodyWithoutFiles };
      const reason: unknown = await this.#transport.requestJson(withoutFiles).catch((failure: unknown) => failure);
      throw reason instanceof Failure && reason.code !== CODES.MALFORMED_REQUEST ? reason : error;
    } finally {
      await upload.close();
    }
  }

  /** @returns a result for each, in order. */
  async submitMany(requests: readonly VerificationRequest[], traceparent?: string): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = new Array(requests.length);
    const numbered = requests.map((request, index) => ({ request, index }));
    const plain = numbered.filter(({ request }) => !this.#sendsFiles(request));
    if (plain.length > 0) {
      const json = { verifications: plain.map(({ request }) => request) };
      const call = {
        ...postRequest('/verifications:batch', { idempotent: true, json }),
        timeoutMs: BATCH_TIMEOUT_MS,
        headers: traceHeaders(traceparent),
      };
      const answer = await this.#transport.requestJson<{ results: ApiEnqueueResult[] }>(call);
      for (const [position, { index }] of plain.entries()) results[index] = toEnqueueResult(answer.results[position]);
    }
    // The concurrent uploads below share one iterator: each upload fetches the next request when it is done.
    const withFiles = numbered.filter(({ request }) => this.#sendsFiles(request)).values();
    const uploadNext = async () => {
      for (const { request, index } of withFiles) results[index] = await this.#submitInBatchLane(request, traceparent);
    };
    await Promise.all(Array.from({ length: CONCURRENT_UPLOADS }, uploadNext));
    return results;
  }

  async #submitInBatchLane(request: VerificationRequest, traceparent: string | undefined): Promise<EnqueueResult> {
    try {
      return toEnqueued(await this.submit({ lane: 'batch', ...request }, { waitS: 0, traceparent }));
    } catch (error) {
      if (!(error instanceof Failure) || !concernsOnlyThisRequest(error)) throw error;
      return { key: typeof request.key === 'string' ? request.key : '', status: 'refused', error };
    }
  }

  #sendsFiles(request: VerificationRequest): boolean {
    return this.#options.files !== 'workers' && hasFileSource(request);
  }
}

/** An invalid `traceparent` is not sent: a line break in it would make the request fail. */
export function traceHeaders(traceparent: string | undefined): Readonly<Record<string, string>> {
  const valid = parseTraceparent(traceparent);
  return valid === null ? {} : { traceparent: valid };
}

function concernsOnlyThisRequest({ code, httpStatus }: Failure): boolean {
  if (httpStatus === undefined) return code !== CODES.API_UNAVAILABLE;
  return httpStatus >= 400 && httpStatus < 500 && ![401, 403, 429].includes(httpStatus);
}
