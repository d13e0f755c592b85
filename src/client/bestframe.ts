/**
 * What a caller does, beside Redis or over HTTP: both clients are this, and one suite holds both to it.
 *
 * What must hold: the same request has the same result by both, and the same refusal in the same words.
 */
import type { GatedAction, Region } from '../domain/actions.ts';
import type { Erased, EraseRequest, ErasureReceipt } from '../domain/erasure.ts';
import type { GateView, Steer } from '../domain/gates.ts';
import type { Decide, Decided, HeldChoice, HeldFilter } from '../domain/held.ts';
import { isTerminal, type State } from '../domain/states.ts';
import type { VerificationRequest } from '../domain/verification.ts';
import type { AnswerWithHistory, VerificationAnswer } from '../domain/view.ts';
import type { Enqueued, EnqueueManyOptions, EnqueueResult } from './client.ts';
import type { PageFilter } from './pages.ts';

export interface VerifyOptions {
  /** How long to wait, ms; default 30,000. The verification goes on all the same. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type Until = 'decided' | 'ended';

export interface WaitOptions extends VerifyOptions {
  /** Default `decided`; `ended`: frame included. */
  readonly until?: Until;
}

export interface ListOptions {
  readonly ended?: boolean;
  /** Default 50, at most 1,000. */
  readonly limit?: number;
}

export interface Cancelled {
  readonly status: 'cancelled' | 'cancelling' | 'ended' | 'missing';
  readonly state: State | null;
}

export interface PageOf<View> {
  readonly verifications: readonly View[];
  /** Null where there are no more. */
  readonly cursor: string | null;
}

/** Null or `missing`: there is no such verification, its record has expired, it was erased, or it is not the caller's. */
export interface Bestframe {
  enqueue(request: VerificationRequest): Promise<Enqueued>;
  enqueueMany(requests: readonly VerificationRequest[], options?: EnqueueManyOptions): Promise<EnqueueResult[]>;
  /** Takes one and waits for its decision; `next` says what to do. */
  verify(request: VerificationRequest, options?: VerifyOptions): Promise<VerificationAnswer>;

  get(id: string): Promise<AnswerWithHistory | null>;
  getByKey(key: string): Promise<AnswerWithHistory | null>;
  wait(id: string, options?: WaitOptions): Promise<AnswerWithHistory | null>;
  watch(id: string, signal: AbortSignal): AsyncGenerator<AnswerWithHistory>;
  list(options?: ListOptions): Promise<VerificationAnswer[]>;
  page(filter?: PageFilter): Promise<PageOf<VerificationAnswer>>;

  cancel(id: string): Promise<Cancelled>;
  acknowledge(id: string): Promise<'ok' | 'not kept' | 'missing'>;
  erase(id: string, request: EraseRequest): Promise<Erased>;
  receipt(id: string): Promise<ErasureReceipt | null>;

  held(filter?: HeldFilter): Promise<VerificationAnswer[]>;
  resolve(id: string, choice: HeldChoice, decide: Decide): Promise<Decided>;
  gates(): Promise<GateView[]>;
  steer(region: Region, action: GatedAction, steer: Steer, by: string, why: string): Promise<boolean>;

  /** Idempotent. */
  close(): Promise<void>;
}

export const DEFAULT_WAIT_MS = 30_000;

/** Whether whoever waits has what it waits for; nobody is kept waiting for a person. */
export function isEnough({ state, decision }: Pick<VerificationAnswer, 'state' | 'decision'>, until: Until): boolean {
  return isTerminal(state) || state === 'held' || (until === 'decided' && decision !== null);
}
