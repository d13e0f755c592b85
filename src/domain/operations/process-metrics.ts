/**
 * What each process counts and measures about its own work. The pipeline reports to an `Observer`; the names are a public contract
 * (docs/metrics.md).
 *
 * What must hold: no label contains an id, a key, a host or anything that a caller chose, and every label has a bounded number of
 * values. A value that is not listed is recorded as `other`.
 */
import { ERROR_CLASSES, ERROR_TABLE, type ErrorClass, explain } from '../errors/index.ts';
import { GATED_ACTIONS } from '../verification/actions.ts';
import { REGIONS } from '../verification/regions.ts';
import { LANES } from '../verification/request.ts';
import { DECISIONS, STAGES, STATES, type StageName } from '../verification/states.ts';
import { COS_GET, COS_PUT, CREATE_UPLOAD_URL, faceIdDependency } from './breakers.ts';

/** Bounds of histograms, in seconds. */
const CALL_S = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 15, 30];
const STAGE_S = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120];
const WAIT_S = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];
const HTTP_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The values of each label. `open`: the process itself knows the values, and `MAX_OPEN_VALUES` limits them. */
export const LABEL_VALUES = {
  region: REGIONS,
  lane: LANES,
  stage: STAGES,
  state: STATES,
  decision: [...DECISIONS, 'none'],
  class: [...ERROR_CLASSES, 'none'],
  code: [...new Set(ERROR_TABLE.map(({ match, title }) => (match.startsWith('/') ? title : match))), 'none'],
  action: [...GATED_ACTIONS, CREATE_UPLOAD_URL],
  dependency: ['source', CREATE_UPLOAD_URL, COS_PUT, COS_GET, ...GATED_ACTIONS.map(faceIdDependency)],
  change: ['opened', 'probed', 'closed'],
  direction: ['uploaded', 'downloaded'],
  result: ['ok', 'gone', 'failed', ...ERROR_CLASSES],
  billed: ['yes', 'possibly'],
  service: ['api', 'site'],
  method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  status: ['1xx', '2xx', '3xx', '4xx', '5xx'],
  route: 'open',
  /** The one that BESTFRAME_CURRENCY sets. */
  currency: 'open',
  tenant: 'open',
} as const satisfies Record<string, readonly string[] | 'open'>;

/** Most values of a label whose values are not listed. An API and a site together have fewer routes. */
export const MAX_OPEN_VALUES = 100;

export type LabelName = keyof typeof LABEL_VALUES;

interface MetricRule {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly LabelName[];
  /** Upper bounds, in seconds. Only of histograms. */
  readonly buckets?: readonly number[];
}

export const HISTOGRAMS = {
  queueWait: {
    name: 'bestframe_queue_wait_seconds',
    help: 'Time from the acceptance of a verification to the start of its first run',
    labels: ['region', 'lane'],
    buckets: WAIT_S,
  },
  stage: {
    name: 'bestframe_stage_seconds',
    help: 'Duration of one try of a stage. The detect stage includes the wait for a slot of the rate limit',
    labels: ['stage', 'result'],
    buckets: STAGE_S,
  },
  vendorCall: {
    name: 'bestframe_vendor_call_seconds',
    help: 'Duration of a call to FaceID, from its slot to its answer. The label result is ok or the class of the failure',
    labels: ['region', 'action', 'result'],
    buckets: CALL_S,
  },
  timeToDecision: {
    name: 'bestframe_time_to_decision_seconds',
    help: 'Time from the acceptance of a verification to its decision. Verifications that were retried are left out',
    labels: ['region', 'lane'],
    buckets: WAIT_S,
  },
  timeToFrame: {
    name: 'bestframe_time_to_frame_seconds',
    help: 'Time from the acceptance of a verification to its stored frame. Verifications that were retried are left out',
    labels: ['region', 'lane'],
    buckets: WAIT_S,
  },
  webhookDelivery: {
    name: 'bestframe_webhook_delivery_seconds',
    help: 'Duration of one try to deliver a notification. The label result is ok, failed or gone (410)',
    labels: ['result'],
    buckets: CALL_S,
  },
  httpRequest: {
    name: 'bestframe_http_request_seconds',
    help: 'Duration of a request to the HTTP API or the site, by route. Event streams are left out',
    labels: ['service', 'method', 'route', 'status'],
    buckets: HTTP_S,
  },
} as const satisfies Record<string, MetricRule>;

export const PROCESS_COUNTERS = {
  ended: {
    name: 'bestframe_ended_total',
    help: 'Verifications that a worker ended',
    labels: ['region', 'lane', 'state', 'decision'],
  },
  endReasons: {
    name: 'bestframe_end_reasons_total',
    help: 'Reasons of the verifications in bestframe_ended_total. A match has the code none',
    labels: ['state', 'class', 'code'],
  },
  tenantEnded: {
    name: 'bestframe_tenant_ended_total',
    help: 'Verifications of a listed tenant that a worker ended',
    labels: ['tenant', 'state', 'decision'],
  },
  paidCalls: {
    name: 'bestframe_paid_calls_total',
    help: 'Paid calls of this process. The label billed is yes or possibly',
    labels: ['region', 'action', 'billed'],
  },
  cost: {
    name: 'bestframe_cost_total',
    help: 'Cost of the calls in bestframe_paid_calls_total, by the prices that are set',
    labels: ['region', 'billed', 'currency'],
  },
  retries: {
    name: 'bestframe_retries_total',
    help: 'Tries of a stage that failed and are repeated later',
    labels: ['stage', 'class'],
  },
  rewinds: {
    name: 'bestframe_rewinds_total',
    help: 'Verifications that returned to upload, under fresh object keys',
    labels: ['stage', 'code'],
  },
  preflightCatches: {
    name: 'bestframe_preflight_catches_total',
    help: 'Faults of the sources or links that were found before the paid call. Each saved the price of a call',
    labels: ['stage', 'code'],
  },
  breakerChanges: {
    name: 'bestframe_breaker_changes_total',
    help: 'Changes of breakers that this process made: opened, probed in vain, closed',
    labels: ['region', 'dependency', 'change'],
  },
  bytes: {
    name: 'bestframe_bytes_total',
    help: 'Bytes of sources that were uploaded, and of frames that were downloaded',
    labels: ['direction'],
  },
} as const satisfies Record<string, MetricRule>;

export type Histogram = keyof typeof HISTOGRAMS;
export type ProcessCounter = keyof typeof PROCESS_COUNTERS;

type Labels<Rule extends MetricRule> = Readonly<Record<Rule['labels'][number], string>>;

/** Where the work reports what it measures. Never throws. */
export interface Observer {
  /** @param ms duration in ms; it is recorded in seconds. */
  measure<Name extends Histogram>(name: Name, labels: Labels<(typeof HISTOGRAMS)[Name]>, ms: number): void;
  /** @param by default 1. */
  count<Name extends ProcessCounter>(name: Name, labels: Labels<(typeof PROCESS_COUNTERS)[Name]>, by?: number): void;
}

/** For processes and tests that measure nothing. */
export const NO_OBSERVER: Observer = { measure: () => undefined, count: () => undefined };

/** The label of a code: as it is listed in the error table. Codes that share an entry share its label. */
export function codeLabel(code: string | null): string {
  if (code === null) return 'none';
  const entry = explain(code);
  if (entry === null) return 'other';
  return entry.match.startsWith('/') ? entry.title : entry.match;
}

/** Whether a failure was found before the paid call and would have spoilt it: a fault of the sources or of the uploaded objects. */
export function isPreflightCatch(stage: StageName, kind: ErrorClass): boolean {
  return (stage === 'upload' || stage === 'read' || stage === 'md5') && (kind === 'caller' || kind === 'reupload');
}
