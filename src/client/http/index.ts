/** Entry point of the HTTP client alone. It loads no other package. */

export { CODES } from '../../domain/errors/codes.ts';
export { Failure } from '../../domain/errors/failure.ts';
export type { EraseRequest, EraseResult, ErasureReceipt } from '../../domain/operations/erasure.ts';
export type { GateCommand, GateView } from '../../domain/operations/gates.ts';
export type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from '../../domain/operations/held.ts';
export type { RetryRequest, RetryResult, RetrySelection, RetryStatus } from '../../domain/operations/retries.ts';
export type { VerificationRequest } from '../../domain/verification/request.ts';
export type { SessionRequest } from '../../domain/verification/session-request.ts';
export type { Source } from '../../domain/verification/sources.ts';
export type { Decision, FrameState, NextStep, StageName, State } from '../../domain/verification/states.ts';
export type { AnswerWithHistory, VerificationAnswer } from '../../domain/verification/view.ts';
export type {
  Acknowledged,
  Attribution,
  Bestframe,
  Cancelled,
  Enqueued,
  EnqueueManyOptions,
  EnqueueResult,
  FinishStatus,
  ListOptions,
  PageFilter,
  PageOf,
  RetryOptions,
  StartedSession,
  StartOptions,
  Until,
  VerifyOptions,
  WaitOptions,
} from '../contract.ts';
export { type BestFrame, BestframeHttpClient, type Medium } from './client.ts';
export type { HttpClientOptions } from './options.ts';
