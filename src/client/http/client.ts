/**
 * The client for backends that cannot reach Redis: the same operations over the HTTP API.
 *
 * What must hold:
 * 1. It never parses the text of a message. If a response's code is ambiguous, the client sends another request.
 * 2. Paths of `file` sources lead to files on this machine, unless `files` is `workers`.
 *
 * `by` is ignored here: the API records the API key as the operator who decides about a hold, steers a gate or erases.
 */
import { CODES } from '../../domain/errors/codes.ts';
import { Failure, inputFailure } from '../../domain/errors/failure.ts';
import type { BreakerView } from '../../domain/operations/breakers.ts';
import type { CostSum } from '../../domain/operations/costs.ts';
import type { EraseRequest, EraseResult, ErasureReceipt } from '../../domain/operations/erasure.ts';
import type { GateCommand, GateView } from '../../domain/operations/gates.ts';
import type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from '../../domain/operations/held.ts';
import type { RetryRequest, RetryResult } from '../../domain/operations/retries.ts';
import type { GatedAction } from '../../domain/verification/actions.ts';
import { MEDIA_TYPES, type OtherMedium } from '../../domain/verification/media.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { SessionRequest } from '../../domain/verification/session-request.ts';
import { isTerminal, type State } from '../../domain/verification/states.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../../domain/verification/view.ts';
import {
  type Acknowledged,
  type Attribution,
  type Bestframe,
  type Cancelled,
  type CostFilter,
  DEFAULT_WAIT_MS,
  type Enqueued,
  type EnqueueManyOptions,
  type EnqueueResult,
  type FinishStatus,
  type ListOptions,
  MAX_LISTED,
  MAX_PER_PAGE,
  type PageFilter,
  type PageOf,
  type RetryOptions,
  type StartedSession,
  type StartOptions,
  satisfiesWait,
  type TraceOptions,
  type VerifyOptions,
  type WaitOptions,
} from '../contract.ts';
import { type RetryPage, retryInPages } from '../retry-pages.ts';
import {
  type ApiVerification,
  type ApiVerificationWithHistory,
  toAnswer,
  toAnswerWithHistory,
  toEnqueued,
} from './answers.ts';
import { hasCode, isNotFound, orNull } from './failures.ts';
import { type HttpClientOptions, readApiAddress } from './options.ts';
import { Submitter, traceHeaders } from './submit.ts';
import { type ApiRequest, ApiTransport, getRequest, postRequest, RESPONSE_TIMEOUT_MS } from './transport.ts';
import { watchVerification } from './watch.ts';

/** A stored frame: its size and MD5, and the picture as a stream. */
export interface BestFrame {
  readonly bytes: number;
  /** 32 hex digits. */
  readonly md5: string;
  readonly stream: ReadableStream<Uint8Array>;
}

/** A stored medium of a session. */
export interface Medium extends BestFrame {
  /** Content type. @example 'video/mp4' */
  readonly type: string;
}

const CHUNK = 500;
/** Time limit for one page of a retry. It is long, because a page checks up to 100 verifications and their files. */
const RETRY_TIMEOUT_MS = 60_000;
const MAX_BATCH = 1_000;
/** The longest wait in one request, in seconds: short enough that no proxy on the way times out first. */
const MAX_WAIT_S = 50;
/** The allowed characters of `EraseRequest.why`, which is sent in a header. */
const HEADER_TEXT = /^[\x20-\x7e]{1,128}$/;

export class BestframeHttpClient implements Bestframe {
  readonly #transport: ApiTransport;
  readonly #submitter: Submitter;
  readonly #closing = new AbortController();

  /** @throws Failure INVALID_SETTINGS, naming the option */
  constructor(options: HttpClientOptions) {
    this.#transport = new ApiTransport(readApiAddress(options));
    this.#submitter = new Submitter(this.#transport, options, this.#closing.signal);
  }

  /** Enqueues one verification, in lane `interactive` unless the request names another lane. */
  async enqueue(request: VerificationRequest, { traceparent }: TraceOptions = {}): Promise<Enqueued> {
    return toEnqueued(await this.#submitter.submit(request, { waitS: 0, traceparent }));
  }

  /**
   * Enqueues one verification and waits for its decision. The first request enqueues and waits up to 50 s; this needs only scope
   * `submit`. A longer wait needs scope `read`.
   */
  async verify(
    request: VerificationRequest,
    { timeoutMs = DEFAULT_WAIT_MS, signal, traceparent }: VerifyOptions & TraceOptions = {},
  ): Promise<VerificationAnswer> {
    const endsAt = performance.now() + timeoutMs;
    const waitS = Math.min(MAX_WAIT_S, Math.floor(timeoutMs / 1_000));
    const answer = toAnswer(await this.#submitter.submit(request, { waitS, signal, traceparent }));
    const leftMs = Math.floor(endsAt - performance.now());
    if (satisfiesWait(answer, 'decided') || leftMs <= 0) return answer;
    const more = { timeoutMs: leftMs, ...(signal === undefined ? {} : { signal }) };
    return this.#waitOn(answer, more);
  }

  /** Starts a session and waits for its token, at most 50 s in one request. Needs only scope `submit`. */
  async startSession(
    request: SessionRequest,
    { timeoutMs = DEFAULT_WAIT_MS, signal, traceparent }: StartOptions = {},
  ): Promise<StartedSession> {
    const waitS = Math.min(MAX_WAIT_S, Math.ceil(timeoutMs / 1_000));
    const headers = traceHeaders(traceparent);
    const call = { ...postRequest('/sessions', { idempotent: true, json: request }), headers, signal };
    const answer = await this.#transport.requestJson<StartedSession & { readonly enqueued: 'new' | 'same' }>({
      ...call,
      query: { wait: waitS },
      timeoutMs: RESPONSE_TIMEOUT_MS + waitS * 1_000,
    });
    const { id, key, state, token, url, serverParamInfo, startBy, enqueued: status } = answer;
    return { id, key, status, state, token, url, serverParamInfo, startBy };
  }

  async finishSession(id: string): Promise<FinishStatus> {
    const request = postRequest(`/sessions/${encodeURIComponent(id)}/finished`, { idempotent: true });
    const answer = await orNull(this.#transport.requestJson<{ status: FinishStatus }>(request));
    return answer?.status ?? 'missing';
  }

  /** Continues to wait after the first answer. If the key lacks scope `read`, returns the first answer unchanged. */
  async #waitOn(answer: VerificationAnswer, options: WaitOptions): Promise<VerificationAnswer> {
    try {
      const view = await this.wait(answer.id, options);
      if (view !== null) return view;
    } catch (error) {
      if (error instanceof Failure && error.code === CODES.FORBIDDEN) return answer;
      throw error;
    }
    const message = 'key belongs to a verification that was erased just now: use a new key';
    throw inputFailure(CODES.KEY_GONE, 'key', message);
  }

  /**
   * Enqueues many verifications, in lane `batch` unless a request names another lane. Each request has its own result, in order.
   * Each verification counts in the rate of the key: between two chunks, the call waits as long as the API says.
   */
  async enqueueMany(
    requests: readonly VerificationRequest[],
    { chunk = CHUNK, onProgress, traceparent }: EnqueueManyOptions = {},
  ): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = [];
    const size = Math.min(chunk, MAX_BATCH);
    for (let start = 0; start < requests.length; start += size) {
      results.push(...(await this.#submitChunk(requests.slice(start, start + size), traceparent)));
      onProgress?.(results.length);
    }
    return results;
  }

  /** Submits a chunk, and waits while the rate of the key is exceeded. A chunk may be sent again, because its keys are the same. */
  async #submitChunk(
    requests: readonly VerificationRequest[],
    traceparent: string | undefined,
  ): Promise<EnqueueResult[]> {
    for (;;) {
      try {
        return await this.#submitter.submitMany(requests, traceparent);
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== CODES.RATE_LIMITED || error.retryAfterMs === undefined)
          throw error;
        await this.#transport.pause(error.retryAfterMs);
      }
    }
  }

  async get(id: string): Promise<AnswerWithHistory | null> {
    const request = getRequest(pathOf(id));
    const found = await orNull(this.#transport.requestJson<ApiVerificationWithHistory>(request));
    return found === null ? null : toAnswerWithHistory(found);
  }

  async getByKey(key: string): Promise<AnswerWithHistory | null> {
    const { verifications } = await this.#page({ key });
    return verifications[0] === undefined ? null : this.get(verifications[0].id);
  }

  async wait(
    id: string,
    { until = 'decided', timeoutMs = DEFAULT_WAIT_MS, signal }: WaitOptions = {},
  ): Promise<AnswerWithHistory | null> {
    signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(timeoutMs);
    let last: AnswerWithHistory | null = null;
    try {
      for await (const view of this.watch(id, signal === undefined ? timeout : AbortSignal.any([signal, timeout]))) {
        last = view;
        if (satisfiesWait(view, until)) return view;
      }
      return null;
    } catch (error) {
      signal?.throwIfAborted();
      if (!timeout.aborted) throw error;
      return last ?? this.get(id);
    }
  }

  watch(id: string, signal: AbortSignal): AsyncGenerator<AnswerWithHistory> {
    return watchVerification(this.#transport, pathOf(id), signal);
  }

  async list({ ended, limit = 50 }: ListOptions = {}): Promise<VerificationAnswer[]> {
    const matches = ({ state }: VerificationAnswer) => ended === undefined || isTerminal(state) === ended;
    return this.#collect({}, Math.min(limit, MAX_LISTED), matches);
  }

  page({ limit = 50, ...filter }: PageFilter = {}): Promise<PageOf<VerificationAnswer>> {
    return this.#page({ ...filter, limit: Math.min(limit, MAX_PER_PAGE) });
  }

  async cancel(id: string): Promise<Cancelled> {
    try {
      const request = postRequest(`${pathOf(id)}/cancel`, { idempotent: true });
      const { status, state } = await this.#transport.requestJson<Cancelled>(request);
      return { status, state };
    } catch (error) {
      if (isNotFound(error)) return { status: 'missing', state: null };
      if (!hasCode(error, 'NOT_POSSIBLE_NOW')) throw error;
      return { status: 'ended', state: (await this.get(id))?.state ?? null };
    }
  }

  async acknowledge(id: string): Promise<Acknowledged> {
    const request = postRequest(`${pathOf(id)}/acknowledge`, { idempotent: true });
    const answer = await orNull(this.#transport.requestJson<{ status: 'ok' | 'not_kept' }>(request));
    return answer?.status ?? 'missing';
  }

  /** @throws Failure MALFORMED_REQUEST unless `why` is 1 to 128 printable ASCII characters */
  async erase(id: string, { why }: EraseRequest): Promise<EraseResult> {
    if (!HEADER_TEXT.test(why)) {
      const message = 'why is not valid: over HTTP, give 1 to 128 printable ASCII characters';
      throw inputFailure(CODES.MALFORMED_REQUEST, 'why', message);
    }
    const before = await this.receipt(id);
    try {
      const headers = { 'x-purpose': why };
      const request: ApiRequest = { method: 'DELETE', path: pathOf(id), headers, idempotent: true };
      const receipt = await this.#transport.requestJson<ErasureReceipt>(request);
      return { status: before === null ? 'erased' : 'gone', receipt };
    } catch (error) {
      if (isNotFound(error)) return { status: 'missing' };
      if (!hasCode(error, CODES.LEGAL_HOLD)) throw error;
      return { status: 'legal_hold', hold: (await this.get(id))?.legalHold ?? null };
    }
  }

  receipt(id: string): Promise<ErasureReceipt | null> {
    return orNull(this.#transport.requestJson<ErasureReceipt>(getRequest(`${pathOf(id)}/receipt`)));
  }

  async held({ reason, region, olderThanMs = 0, limit = 50 }: HeldFilter = {}): Promise<VerificationAnswer[]> {
    const matches = (view: VerificationAnswer) =>
      reason === undefined || view.reason?.code === reason || view.reason?.class === reason;
    const found = await this.#collect({ state: 'held', region }, Number.POSITIVE_INFINITY, matches);
    found.sort((a, b) => ((a.heldUntil ?? '') < (b.heldUntil ?? '') ? -1 : 1));
    const most = Math.min(limit, MAX_LISTED);
    if (olderThanMs <= 0) return found.slice(0, most);
    // Only the history shows since when a verification is held. List pages contain no history, so each verification is read.
    const old: VerificationAnswer[] = [];
    for (const view of found) {
      if (old.length === most) break;
      const since = (await this.get(view.id))?.history.findLast(({ event }) => event === 'held')?.at ?? 0;
      if (Date.now() - since >= olderThanMs) old.push(view);
    }
    return old;
  }

  async resolve(id: string, choice: HeldChoice, { why, payAgain = false }: HeldDecision): Promise<HeldDecisionResult> {
    try {
      const json = { choice, why, payAgain };
      const request = postRequest(`${pathOf(id)}/resolve`, { idempotent: false, json });
      const { state } = await this.#transport.requestJson<{ state: State }>(request);
      return { status: 'ok', state };
    } catch (error) {
      if (isNotFound(error)) return { status: 'missing', state: null };
      if (!hasCode(error, 'NOT_POSSIBLE_NOW')) throw error;
      const view = await this.get(id);
      if (view === null) return { status: 'missing', state: null };
      if (view.state !== 'held') return { status: 'not_held', state: view.state };
      return { status: choice === 'accept-late' ? 'nothing_late' : 'pay_again', state: view.state };
    }
  }

  /** Retries only verifications of the API key's tenant. `by` is ignored: the API records the API key. */
  retry({ by, ...request }: RetryRequest, options: RetryOptions = {}): Promise<RetryResult[]> {
    const { signal } = options;
    return retryInPages({ by, ...request }, options, ({ by: _by, ...page }) => {
      const sent = postRequest('/retries', { idempotent: page.dryRun === true, json: page });
      return this.#transport.requestJson<RetryPage>({ ...sent, timeoutMs: RETRY_TIMEOUT_MS, signal });
    });
  }

  /** Returns only the costs of the API key's tenant. */
  async costs(filter: CostFilter = {}): Promise<CostSum[]> {
    const request = { ...getRequest('/costs'), query: { ...filter } };
    return (await this.#transport.requestJson<{ sums: CostSum[] }>(request)).sums;
  }

  async gates(): Promise<GateView[]> {
    return (await this.#transport.requestJson<{ gates: GateView[] }>(getRequest('/gate'))).gates;
  }

  async breakers(): Promise<BreakerView[]> {
    return (await this.#transport.requestJson<{ breakers: BreakerView[] }>(getRequest('/gate'))).breakers;
  }

  /** `by` is ignored: the API records the API key as the operator. */
  async steerGate(
    gate: { region: Region; action: GatedAction },
    act: GateCommand,
    { why }: Attribution,
  ): Promise<boolean> {
    const request = postRequest('/gate', { idempotent: false, json: { ...gate, steer: act, why } });
    return (await this.#transport.requestJson<{ changed: boolean }>(request)).changed;
  }

  /** @returns null if no frame is stored; the verification's `frame` says why. */
  async bestFrame(id: string, signal?: AbortSignal): Promise<BestFrame | null> {
    return this.#file({ path: `${pathOf(id)}/best-frame`, type: MEDIA_TYPES.bestFrame, missing: 'NO_FRAME' }, signal);
  }

  /**
   * A medium of a session besides the frame; `session.media` of the verification lists what there is.
   * @returns null if there is no such medium.
   */
  async media(id: string, name: OtherMedium, signal?: AbortSignal): Promise<Medium | null> {
    const path = `${pathOf(id)}/media/${encodeURIComponent(name)}`;
    return this.#file({ path, type: MEDIA_TYPES[name], missing: 'NO_MEDIUM' }, signal);
  }

  /** Aborts every request and wait with API_UNAVAILABLE. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#transport.close();
  }

  /** @param missing the code that means that there is no such file. */
  async #file(
    { path, type, missing }: { readonly path: string; readonly type: string; readonly missing: string },
    signal?: AbortSignal,
  ): Promise<Medium | null> {
    const response = await orNull(this.#transport.requestStream({ ...getRequest(path), signal }, type), missing);
    if (response === null || response.body === null) return null;
    return {
      bytes: Number(response.headers.get('content-length')),
      md5: (response.headers.get('etag') ?? '').replaceAll('"', ''),
      type,
      stream: response.body as ReadableStream<Uint8Array>,
    };
  }

  async #page(query: NonNullable<ApiRequest['query']>): Promise<PageOf<VerificationAnswer>> {
    const request = { ...getRequest('/verifications'), query };
    const { verifications, cursor } = await this.#transport.requestJson<PageOf<ApiVerification>>(request);
    return { verifications: verifications.map(toAnswer), cursor };
  }

  async #collect(
    filter: PageFilter,
    limit: number,
    matches: (view: VerificationAnswer) => boolean,
  ): Promise<VerificationAnswer[]> {
    const found: VerificationAnswer[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#page({ ...filter, limit: MAX_PER_PAGE, cursor });
      found.push(...page.verifications.filter(matches));
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined && found.length < limit);
    return found.slice(0, limit);
  }
}

function pathOf(id: string): string {
  return `/verifications/${encodeURIComponent(id)}`;
}
