/**
 * What other backends use where they do not reach Redis: the same as the client beside it, by the HTTP API.
 *
 * What must hold:
 * 1. What it cannot tell apart from an answer it asks for; it reads no words.
 * 2. `file` sources are files of this machine, unless said otherwise: the workers see none of them.
 *
 * Who decides, steers or erases is the API key: what is said by `by` counts beside Redis only.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { GatedAction, Region } from '../../domain/actions.ts';
import type { Erased, EraseRequest, ErasureReceipt } from '../../domain/erasure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { Failure, inputFailure } from '../../domain/failure.ts';
import type { GateView, Steer } from '../../domain/gates.ts';
import type { Decide, Decided, HeldChoice, HeldFilter } from '../../domain/held.ts';
import type { HistoryEntry } from '../../domain/history.ts';
import { isTerminal, type State } from '../../domain/states.ts';
import type { VerificationRequest } from '../../domain/verification.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../../domain/view.ts';
import {
  type Bestframe,
  type Cancelled,
  DEFAULT_WAIT_MS,
  isEnough,
  type ListOptions,
  type PageOf,
  type VerifyOptions,
  type WaitOptions,
} from '../bestframe.ts';
import type { Enqueued, EnqueueManyOptions, EnqueueResult } from '../client.ts';
import { MOST_PER_PAGE, type PageFilter } from '../pages.ts';
import { answerFrom, answerWithHistory, entryFrom, type Wire, type WireEntry } from './answers.ts';
import { type Call, Calls, failureFrom, type RemoteOptions } from './calls.ts';
import { eventsIn } from './events.ts';
import { namesFiles, openUpload } from './upload.ts';

/** The picture, as it comes. */
export interface BestFrame {
  readonly bytes: number;
  readonly md5: string;
  readonly stream: ReadableStream<Uint8Array>;
}

const CHUNK = 500;
const MOST_AT_ONCE = 1_000;
const MOST_LISTED = 1_000;
const MOST_WAIT_S = 60;
const ANSWER_MS = 15_000;
/** As long as the API waits for a body to come. */
const UPLOAD_MS = 5 * 60_000;
const UPLOADS_AT_ONCE = 4;
/** The API says every 15 s that it is still there. */
const SILENT_MS = 45_000;
const COME_AGAIN_MS = 1_000;
/** What goes into a header: `EraseRequest.why`. */
const PURPOSE = /^[\x20-\x7e]{1,128}$/;

export class RemoteClient implements Bestframe {
  readonly #options: RemoteOptions;
  readonly #calls: Calls;
  readonly #closing = new AbortController();

  /** @throws Failure INVALID_SETTINGS */
  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#calls = new Calls(options);
  }

  async enqueue(request: VerificationRequest): Promise<Enqueued> {
    return enqueuedIn(await this.#submit(request, 0));
  }

  /** In one request where the time is a minute or less; for that a key with scope `submit` is enough. */
  async verify(
    request: VerificationRequest,
    { timeoutMs = DEFAULT_WAIT_MS, signal }: VerifyOptions = {},
  ): Promise<VerificationAnswer> {
    const endsAt = performance.now() + timeoutMs;
    const answer = answerFrom(
      await this.#submit(request, Math.min(MOST_WAIT_S, Math.floor(timeoutMs / 1_000)), signal),
    );
    const leftMs = Math.floor(endsAt - performance.now());
    if (isEnough(answer, 'decided') || leftMs <= 0) return answer;
    const view = await this.wait(answer.id, { timeoutMs: leftMs, ...(signal === undefined ? {} : { signal }) });
    if (view === null)
      throw inputFailure(CODES.KEY_GONE, 'key', 'key belongs to a verification that was erased just now');
    return view;
  }

  /** Those with files go one by one, a few at once; the others as batches. */
  async enqueueMany(
    requests: readonly VerificationRequest[],
    { chunk = CHUNK, onProgress }: EnqueueManyOptions = {},
  ): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = [];
    const size = Math.min(chunk, MOST_AT_ONCE);
    for (let start = 0; start < requests.length; start += size) {
      results.push(...(await this.#chunk(requests.slice(start, start + size))));
      onProgress?.(results.length);
    }
    return results;
  }

  async get(id: string): Promise<AnswerWithHistory | null> {
    const found = await orMissing(this.#calls.json<Wire & { history: WireEntry[] }>(reading(pathOf(id))));
    return found === null ? null : answerWithHistory(found);
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
    const time = AbortSignal.timeout(timeoutMs);
    let last: AnswerWithHistory | null = null;
    try {
      for await (const view of this.watch(id, signal === undefined ? time : AbortSignal.any([signal, time]))) {
        last = view;
        if (isEnough(view, until)) return view;
      }
      return null;
    } catch (error) {
      signal?.throwIfAborted();
      if (!time.aborted) throw error;
      return last ?? this.get(id);
    }
  }

  async *watch(id: string, signal: AbortSignal): AsyncGenerator<AnswerWithHistory> {
    const history = new Map<string, HistoryEntry>();
    let lastId: string | null = null;
    let seen = '';
    for (;;) {
      const silence = new AbortController();
      const response = await orMissing(
        this.#calls.open(
          {
            ...reading(`${pathOf(id)}/events`),
            headers: lastId === null ? {} : { 'last-event-id': lastId },
            signal: AbortSignal.any([signal, silence.signal]),
          },
          'text/event-stream',
        ),
      );
      if (response === null || response.body === null) return;
      const timer = setTimeout(() => silence.abort(), SILENT_MS);
      try {
        const events = eventsIn(response.body, () => void timer.refresh());
        for await (const { id: eventId, event, data } of brokenOff(events, signal)) {
          if (event === 'end') return;
          if (event === 'history') history.set(eventId, entryFrom(data as WireEntry));
          if (eventId !== '') lastId = eventId;
          if (event !== 'verification') continue;
          const view = { ...answerFrom(data as Wire), history: [...history.values()] };
          const text = JSON.stringify(view);
          if (text === seen) continue;
          seen = text;
          yield view;
        }
      } finally {
        clearTimeout(timer);
      }
      await pause(COME_AGAIN_MS, undefined, { signal }).catch(() => undefined); // said next
      signal.throwIfAborted();
    }
  }

  async list({ ended, limit = 50 }: ListOptions = {}): Promise<VerificationAnswer[]> {
    const fits = ({ state }: VerificationAnswer) => ended === undefined || isTerminal(state) === ended;
    return this.#collect({}, Math.min(limit, MOST_LISTED), fits);
  }

  page({ limit = 50, ...filter }: PageFilter = {}): Promise<PageOf<VerificationAnswer>> {
    return this.#page({ ...filter, limit: Math.min(limit, MOST_PER_PAGE) });
  }

  async cancel(id: string): Promise<Cancelled> {
    try {
      const { status, state } = await this.#calls.json<Cancelled>(posting(`${pathOf(id)}/cancel`, true));
      return { status, state };
    } catch (error) {
      if (isMissing(error)) return { status: 'missing', state: null };
      if (!says(error, 'NOT_POSSIBLE_NOW')) throw error;
      return { status: 'ended', state: (await this.get(id))?.state ?? null };
    }
  }

  async acknowledge(id: string): Promise<'ok' | 'not kept' | 'missing'> {
    const call = posting(`${pathOf(id)}/acknowledge`, true);
    const said = await orMissing(this.#calls.json<{ status: 'ok' | 'not kept' }>(call));
    return said?.status ?? 'missing';
  }

  /** @throws Failure MALFORMED_REQUEST where `why` is no short text: up to 128 printable ASCII characters */
  async erase(id: string, { why }: EraseRequest): Promise<Erased> {
    if (!PURPOSE.test(why)) {
      const message = 'why is not a short text: over HTTP, give up to 128 printable ASCII characters';
      throw inputFailure(CODES.MALFORMED_REQUEST, 'why', message);
    }
    const before = await this.receipt(id);
    try {
      const call: Call = { method: 'DELETE', path: pathOf(id), headers: { 'x-purpose': why }, again: true };
      const receipt = await this.#calls.json<ErasureReceipt>(call);
      return { status: before === null ? 'erased' : 'gone', receipt };
    } catch (error) {
      if (isMissing(error)) return { status: 'missing' };
      if (!says(error, CODES.LEGAL_HOLD)) throw error;
      return { status: 'legal hold', hold: (await this.get(id))?.legalHold ?? null };
    }
  }

  receipt(id: string): Promise<ErasureReceipt | null> {
    return orMissing(this.#calls.json<ErasureReceipt>(reading(`${pathOf(id)}/receipt`)));
  }

  async held({ reason, region, olderThanMs = 0, limit = 50 }: HeldFilter = {}): Promise<VerificationAnswer[]> {
    const fits = (view: VerificationAnswer) =>
      reason === undefined || view.reason?.code === reason || view.reason?.class === reason;
    const found = await this.#collect({ state: 'held', region }, Number.POSITIVE_INFINITY, fits);
    found.sort((a, b) => ((a.heldUntil ?? '') < (b.heldUntil ?? '') ? -1 : 1));
    const most = Math.min(limit, MOST_LISTED);
    if (olderThanMs <= 0) return found.slice(0, most);
    const old: VerificationAnswer[] = [];
    for (const view of found) {
      if (old.length === most) break;
      const since = (await this.get(view.id))?.history.findLast(({ event }) => event === 'held')?.at ?? 0;
      if (Date.now() - since >= olderThanMs) old.push(view);
    }
    return old;
  }

  async resolve(id: string, choice: HeldChoice, { why, payAgain = false }: Decide): Promise<Decided> {
    try {
      const call = posting(`${pathOf(id)}/resolve`, false, { choice, why, payAgain });
      const { state } = await this.#calls.json<{ state: State }>(call);
      return { status: 'ok', state };
    } catch (error) {
      if (isMissing(error)) return { status: 'missing', state: null };
      if (!says(error, 'NOT_POSSIBLE_NOW')) throw error;
      const view = await this.get(id);
      if (view === null) return { status: 'missing', state: null };
      if (view.state !== 'held') return { status: 'not held', state: view.state };
      return { status: choice === 'accept-late' ? 'nothing late' : 'pay again', state: view.state };
    }
  }

  async gates(): Promise<GateView[]> {
    return (await this.#calls.json<{ gates: GateView[] }>(reading('/gate'))).gates;
  }

  async steer(region: Region, action: GatedAction, steer: Steer, _by: string, why: string): Promise<boolean> {
    const call = posting('/gate', false, { region, action, steer, why });
    return (await this.#calls.json<{ changed: boolean }>(call)).changed;
  }

  /** @returns null where there is no picture (yet): `frame` of the verification says which. */
  async bestFrame(id: string, signal?: AbortSignal): Promise<BestFrame | null> {
    const call = { ...reading(`${pathOf(id)}/best-frame`), signal };
    const response = await orMissing(this.#calls.open(call, 'image/jpeg'), 'NO_FRAME');
    if (response === null || response.body === null) return null;
    return {
      bytes: Number(response.headers.get('content-length')),
      md5: (response.headers.get('etag') ?? '').replaceAll('"', ''),
      stream: response.body as ReadableStream<Uint8Array>,
    };
  }

  /** Whoever waits is told so. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#calls.close();
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #submit(request: VerificationRequest, waitS: number, signal?: AbortSignal): Promise<Wire> {
    const call = { ...posting('/verifications', true), query: { wait: waitS }, signal };
    if (this.#options.files === 'workers' || !namesFiles(request))
      return this.#calls.json<Wire>({ ...call, json: request, timeoutMs: ANSWER_MS + waitS * 1_000 });
    const upload = await openUpload(request, this.#options, signal ?? this.#closing.signal);
    try {
      return await this.#calls.json<Wire>({ ...call, body: upload.body, timeoutMs: UPLOAD_MS + waitS * 1_000 });
    } catch (error) {
      if (!says(error, CODES.API_UNAVAILABLE)) throw error;
      // Who refuses a key before the files have gone hangs up, and its words may be lost with the connection.
      const reason: unknown = await this.#calls.json({ ...call, body: upload.bare }).catch((why: unknown) => why);
      throw reason instanceof Failure && reason.code !== CODES.MALFORMED_REQUEST ? reason : error;
    } finally {
      await upload.close();
    }
  }

  async #chunk(requests: readonly VerificationRequest[]): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = new Array(requests.length);
    const numbered = requests.map((request, index) => ({ request, index }));
    const sends = ({ request }: { request: VerificationRequest }) =>
      this.#options.files !== 'workers' && namesFiles(request);
    const plain = numbered.filter((item) => !sends(item));
    if (plain.length > 0) {
      const call = posting('/verifications:batch', true, { verifications: plain.map(({ request }) => request) });
      const answer = await this.#calls.json<{ results: WireResult[] }>({ ...call, timeoutMs: 4 * ANSWER_MS });
      for (const [position, { index }] of plain.entries()) results[index] = resultFrom(answer.results[position]);
    }
    const waiting = numbered.filter(sends).values();
    const oneByOne = async () => {
      for (const { request, index } of waiting) results[index] = await this.#one(request);
    };
    await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, oneByOne));
    return results;
  }

  /** @throws Failure that is no matter of this one: the API is away, or its key is not good. */
  async #one(request: VerificationRequest): Promise<EnqueueResult> {
    try {
      return enqueuedIn(await this.#submit({ lane: 'batch', ...request }, 0));
    } catch (error) {
      if (!(error instanceof Failure) || !isOfTheRequest(error)) throw error;
      return { key: typeof request.key === 'string' ? request.key : '', status: 'refused', error };
    }
  }

  // ── looking ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #page(query: NonNullable<Call['query']>): Promise<PageOf<VerificationAnswer>> {
    const found = await this.#calls.json<PageOf<Wire>>({ ...reading('/verifications'), query });
    return { verifications: found.verifications.map(answerFrom), cursor: found.cursor };
  }

  async #collect(
    filter: PageFilter,
    limit: number,
    fits: (view: VerificationAnswer) => boolean,
  ): Promise<VerificationAnswer[]> {
    const found: VerificationAnswer[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#page({ ...filter, limit: MOST_PER_PAGE, cursor });
      found.push(...page.verifications.filter(fits));
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined && found.length < limit);
    return found.slice(0, limit);
  }
}

// ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function pathOf(id: string): string {
  return `/verifications/${encodeURIComponent(id)}`;
}

function reading(path: string): Call {
  return { method: 'GET', path, again: true };
}

function posting(path: string, again: boolean, json?: unknown): Call {
  return { method: 'POST', path, again, ...(json === undefined ? {} : { json }) };
}

// ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

interface WireResult {
  readonly status: 'new' | 'same' | 'refused';
  readonly key: string;
  readonly id: string | null;
  readonly state: State | null;
  readonly problem: { readonly code: string; readonly detail: string; readonly field: string | null } | null;
}

function resultFrom(result: WireResult | undefined): EnqueueResult {
  if (result === undefined) throw new Error('the API answered fewer results than there were requests');
  const { status, key, id, state, problem } = result;
  if (status !== 'refused' && id !== null && state !== null) return { id, key, status, state };
  if (problem === null) throw new Error('the API refused one without a reason');
  return { key, status: 'refused', error: failureFrom(problem) };
}

function enqueuedIn({ id, key, state, enqueued = 'new' }: Wire): Enqueued {
  return { id, key, state, status: enqueued };
}

function says(error: unknown, code: string): boolean {
  return error instanceof Failure && error.code === code;
}

/** An id that is none is one of which there is nothing. */
function isMissing(error: unknown): boolean {
  if (says(error, CODES.RECORD_MISSING) || says(error, CODES.KEY_GONE)) return true;
  return says(error, CODES.MALFORMED_REQUEST) && (error as Failure).field === 'id';
}

async function orMissing<T>(answer: Promise<T>, code?: string): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error) || (code !== undefined && says(error, code))) return null;
    throw error;
  }
}

function isOfTheRequest({ code, httpStatus }: Failure): boolean {
  if (httpStatus === undefined) return code !== CODES.API_UNAVAILABLE;
  return httpStatus >= 400 && httpStatus < 500 && ![401, 403, 429].includes(httpStatus);
}

/** A stream that breaks ends here: whoever watches comes again. What the caller does in between stays the caller's. */
async function* brokenOff<T>(events: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    for (;;) {
      const next = await events.next().catch(() => null);
      signal.throwIfAborted();
      if (next === null || next.done === true) return;
      yield next.value;
    }
  } finally {
    await events.return(undefined).catch(() => undefined); // its connection is broken already
  }
}
