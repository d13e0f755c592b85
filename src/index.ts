/** What other backends import: the client, the types, the error codes. */
export type {
  Bestframe,
  Cancelled,
  ListOptions,
  PageOf,
  VerifyOptions,
  WaitOptions,
} from './client/bestframe.ts';
export type { ClientOptions, Enqueued, EnqueueManyOptions, EnqueueResult } from './client/client.ts';
export type { RemoteOptions } from './client/http/calls.ts';
export type { BestFrame, RemoteClient } from './client/http/client.ts';
export { BestframeClient } from './client/open.ts';
export type { Page, PageFilter, Standing } from './client/pages.ts';
export type { WebhookRequest, WebhookSecret, WebhookTest } from './client/webhooks.ts';
export type { ActionName, Region, ResourceName } from './domain/actions.ts';
export { CODES, ERROR_TABLE, type ErrorClass, type ErrorEntry, explain } from './domain/errors/index.ts';
export { Failure } from './domain/failure.ts';
export type { GateView, Steer } from './domain/gates.ts';
export type { Decide, Decided, HeldChoice, HeldFilter } from './domain/held.ts';
export type { Metrics } from './domain/metrics.ts';
export type { Source } from './domain/sources.ts';
export type { Decision, FrameState, NextStep, StageName, State } from './domain/states.ts';
export type { SupportBundle } from './domain/support.ts';
export { type VerificationRequest, verificationJsonSchema } from './domain/verification.ts';
export type { AnswerWithHistory, VerificationAnswer, VerificationView } from './domain/view.ts';
export type {
  DeadNotification,
  WebhookData,
  WebhookEvent,
  WebhookMessage,
  WebhookView,
} from './domain/webhooks.ts';
