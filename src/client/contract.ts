/**
 * The operations of a client. `BestframeClient` (with Redis) and `BestframeHttpClient` implement them, and one test suite runs
 * against both.
 *
 * What must hold: the same request has the same result through both clients, and is refused with the same code and message.
 */

import type { Failure } from '../domain/errors/failure.ts';
import type { BreakerView } from '../domain/operations/breakers.ts';
import type { CostGroup, CostRange, CostSum } from '../domain/operations/costs.ts';
import type { EraseRequest, EraseResult, ErasureReceipt } from '../domain/operations/erasure.ts';
import type { GateCommand, GateView } from '../domain/operations/gates.ts';
import type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from '../domain/operations/held.ts';
import type { RetryRequest, RetryResult } from '../domain/operations/retries.ts';
import type { GatedAction } from '../domain/verification/actions.ts';
import type { VerificationFilter } from '../domain/verification/filter.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { VerificationRequest } from '../domain/verification/request.ts';
import type { SessionRequest } from '../domain/verification/session-request.ts';
import { isTerminal, type State } from '../domain/verification/states.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../domain/verification/view.ts';

export interface TraceOptions {
  /**
   * W3C `traceparent` of the span that enqueues, so that the verification becomes part of its trace. An invalid one is ignored.
   * @default with `BestframeClient` the active span of OpenTelemetry, if there is one
   */
  readonly traceparent?: string | undefined;
}

export interface VerifyOptions {
  /**
   * How long to wait, ms. The verification continues after that.
   * @default 30_000
   */
  readonly timeoutMs?: number;
  /** Ends the wait: the call rejects with the signal's reason. The verification continues. */
  readonly signal?: AbortSignal;
}

/** What to wait for. `decided`: a decision. `ended`: the end, at which the frame is also stored or known to be lost. */
export type Until = 'decided' | 'ended';

export interface WaitOptions extends VerifyOptions {
  /** @default 'decided' */
  readonly until?: Until;
}

export interface ListOptions {
  /** True: only ended verifications. False: only live ones. Default: both. */
  readonly ended?: boolean | undefined;
  /**
   * At most 1,000.
   * @default 50
   */
  readonly limit?: number;
}

export interface CostFilter extends CostRange {
  /** @default 'day' */
  readonly by?: CostGroup | undefined;
}

export interface PageFilter extends VerificationFilter {
  /**
   * At most 200.
   * @default 50
   */
  readonly limit?: number | undefined;
  /** The `cursor` of the previous page. */
  readonly cursor?: string | undefined;
}

export interface PageOf<View> {
  readonly verifications: readonly View[];
  /** Where the next page begins. Null on the last page. */
  readonly cursor: string | null;
}

export interface Enqueued {
  readonly id: string;
  readonly key: string;
  /** `same`: this key and payload were enqueued before, and nothing new was started. */
  readonly status: 'new' | 'same';
  readonly state: State;
}

export type EnqueueResult = Enqueued | { readonly key: string; readonly status: 'refused'; readonly error: Failure };

export interface StartOptions extends TraceOptions {
  /**
   * How long to wait for the token, ms. The session continues after that: the same request returns the same token.
   * @default 30_000
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A session, with the token for the phone or page. */
export interface StartedSession extends Enqueued {
  /** For Tencent's SDK or page. A secret: give it only to the phone or browser of this person. Null: not yet, or no longer. */
  readonly token: string | null;
  /** Address of Tencent's page, for the flow with a page. */
  readonly url: string | null;
  /** Tencent's `ServerParamInfo`, which its SDK takes with the token; null if Tencent gave none. A secret, like the token. */
  readonly serverParamInfo: string | null;
  /** The person must begin by then, ISO 8601. */
  readonly startBy: string | null;
}

/**
 * `asked`: the result is asked for now. `early`: the session has no token yet. `no_session`: the id belongs to a verification that
 * is no session.
 */
export type FinishStatus = 'asked' | 'early' | 'decided' | 'ended' | 'no_session' | 'missing';

export interface EnqueueManyOptions extends TraceOptions {
  /**
   * Verifications per chunk; a chunk takes two round trips.
   * @default 500
   */
  readonly chunk?: number;
  /** Called after each chunk with the number of verifications handled so far. */
  readonly onProgress?: (done: number) => void;
}

export interface RetryOptions {
  /**
   * At most this many verifications per second start again.
   * @default 10
   */
  readonly rate?: number;
  /** Called after each page with the number of results so far. */
  readonly onProgress?: (done: number) => void;
  /** Ends the retry: the call rejects with the signal's reason. Verifications that have already started again continue. */
  readonly signal?: AbortSignal;
}

export interface Cancelled {
  /**
   * `cancelled`: ended now; nothing was paid, and nothing will be. `cancelling`: a worker will end it. If the paid call has not
   * been sent, nothing is paid; otherwise the call's answer is still recorded. `ended`: the verification had already ended.
   */
  readonly status: 'cancelled' | 'cancelling' | 'ended' | 'missing';
  readonly state: State | null;
}

/** `not_kept`: there is no frame, or it is in a bucket that the caller named. */
export type Acknowledged = 'ok' | 'not_kept' | 'missing';

/** Who acts, and why. Everyone who can read the result later sees both. */
export interface Attribution {
  readonly by: string;
  readonly why: string;
}

/**
 * The operations of a client. A result of null or `missing` means: no such verification, or its record has expired, was erased or
 * belongs to another tenant.
 */
export interface Bestframe {
  enqueue(request: VerificationRequest, options?: TraceOptions): Promise<Enqueued>;
  enqueueMany(requests: readonly VerificationRequest[], options?: EnqueueManyOptions): Promise<EnqueueResult[]>;
  /** Enqueues a verification and waits for its decision. `next` in the answer says what to do. */
  verify(request: VerificationRequest, options?: VerifyOptions & TraceOptions): Promise<VerificationAnswer>;

  /** Starts a session and waits for its token. */
  startSession(request: SessionRequest, options?: StartOptions): Promise<StartedSession>;
  /** Reports that the person has finished, so that the result is asked for at once. Idempotent. */
  finishSession(id: string): Promise<FinishStatus>;

  get(id: string): Promise<AnswerWithHistory | null>;
  getByKey(key: string): Promise<AnswerWithHistory | null>;
  wait(id: string, options?: WaitOptions): Promise<AnswerWithHistory | null>;
  watch(id: string, signal: AbortSignal): AsyncGenerator<AnswerWithHistory>;
  list(options?: ListOptions): Promise<VerificationAnswer[]>;
  page(filter?: PageFilter): Promise<PageOf<VerificationAnswer>>;

  cancel(id: string): Promise<Cancelled>;
  acknowledge(id: string): Promise<Acknowledged>;
  erase(id: string, request: EraseRequest): Promise<EraseResult>;
  receipt(id: string): Promise<ErasureReceipt | null>;

  held(filter?: HeldFilter): Promise<VerificationAnswer[]>;
  resolve(id: string, choice: HeldChoice, decide: HeldDecision): Promise<HeldDecisionResult>;
  /**
   * Starts ended verifications again under their own ids: failed ones whose sources are still kept, and ones whose frame was lost
   * but can still be fetched by a valid link. Calls that were already paid count toward the limit of the new run.
   * @returns a result for each selected verification. One that cannot be retried stays unchanged, and `status` says why.
   */
  retry(request: RetryRequest, options?: RetryOptions): Promise<RetryResult[]>;
  /**
   * Paid and possibly paid calls with their cost, by day, tenant, region or action. A client with a tenant sees only the tenant's
   * calls.
   */
  costs(filter?: CostFilter): Promise<CostSum[]>;
  gates(): Promise<GateView[]>;
  /** The services that verifications depend on, by region, and whether each one works. */
  breakers(): Promise<BreakerView[]>;
  /** Opens, closes, pauses or resumes a gate. @returns whether the command changed anything. */
  steerGate(gate: { region: Region; action: GatedAction }, act: GateCommand, actor: Attribution): Promise<boolean>;

  /** Idempotent. */
  close(): Promise<void>;
}

export const DEFAULT_WAIT_MS = 30_000;
export const MAX_LISTED = 1_000;
export const MAX_PER_PAGE = 200;

/** Whether a wait is over. A wait also ends when the verification is held, so that no caller has to wait for an operator. */
export function satisfiesWait({ state, next }: Pick<VerificationAnswer, 'state' | 'next'>, until: Until): boolean {
  return isTerminal(state) || state === 'held' || (until === 'decided' && next !== 'wait');
}
