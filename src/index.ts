/** Entry point of the package: both clients, their types, and the error codes. */
export type {
  Acknowledged,
  Attribution,
  Bestframe,
  Cancelled,
  CostFilter,
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
} from './client/contract.ts';
export { type BestFrame, BestframeHttpClient, type Medium } from './client/http/client.ts';
export type { HttpClientOptions } from './client/http/options.ts';
export { BestframeClient } from './client/redis/client.ts';
export type { ClientOptions } from './client/redis/options.ts';
export type { WebhookRequest, WebhookSecret, WebhookTest } from './client/redis/webhooks.ts';
export { Failure } from './domain/errors/failure.ts';
export {
  type Audience,
  CODES,
  ERROR_TABLE,
  type ErrorClass,
  type ErrorEntry,
  explain,
  type Language,
  type Retake,
} from './domain/errors/index.ts';
export type { CostGroup, CostRange, CostSum } from './domain/operations/costs.ts';
export type { EraseRequest, EraseResult, ErasureReceipt } from './domain/operations/erasure.ts';
export type { GateCommand, GateView } from './domain/operations/gates.ts';
export type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from './domain/operations/held.ts';
export type { Metrics } from './domain/operations/metrics.ts';
export type { RetryRequest, RetryResult, RetrySelection, RetryStatus } from './domain/operations/retries.ts';
export type {
  DeadNotification,
  WebhookData,
  WebhookEvent,
  WebhookMessage,
  WebhookView,
} from './domain/operations/webhooks.ts';
export type { ActionName, CheckName, ResourceName } from './domain/verification/actions.ts';
export { type Advice, advise, type Situation } from './domain/verification/advice.ts';
export type { Cost } from './domain/verification/cost.ts';
export type { FlowName, MediaName } from './domain/verification/flows.ts';
export type { PausedBy } from './domain/verification/pauses.ts';
export type { Region } from './domain/verification/regions.ts';
export { type VerificationRequest, verificationJsonSchema } from './domain/verification/request.ts';
export type { SessionRequest } from './domain/verification/session-request.ts';
export type { Source } from './domain/verification/sources.ts';
export type { Decision, FrameState, NextStep, StageName, State } from './domain/verification/states.ts';
export type { SupportBundle } from './domain/verification/support.ts';
export type {
  AnswerWithHistory,
  SessionView,
  VerificationAnswer,
  VerificationView,
} from './domain/verification/view.ts';
export type { Presence } from './redis/read-records.ts';
