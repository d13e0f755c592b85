/**
 * A breaker records whether a dependency of a region's verifications works. While a breaker is open, the verifications that need
 * the dependency wait, and no attempt is counted. From time to time, one verification probes the dependency. All functions are
 * pure.
 */
import type { Failure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import { type GatedAction, isUploaded, OPINION_CALL } from '../verification/actions.ts';
import { FLOWS, isFlow } from '../verification/flows.ts';
import type { Region } from '../verification/regions.ts';
import type { Order } from '../verification/request.ts';
import type { Source } from '../verification/sources.ts';
import type { StageName } from '../verification/states.ts';

/** When a breaker opens, and how it is probed. Times are in ms. */
export interface BreakerTuning {
  /** Number of failed calls at which a breaker opens, if `verifications` and `share` are reached too. @default 5 */
  readonly failures: number;
  /** At least this many different verifications must have failed, because a single one may itself be the cause. @default 3 */
  readonly verifications: number;
  /** At least this share of all calls must have failed, 0 to 1. @default 0.5 */
  readonly share: number;
  /** Calls are counted in two windows of this length, the current one and the one before it. @default 5_000 */
  readonly windowMs: number;
  /** Wait before the first probe. The wait doubles with each failed probe. @default 2_000 */
  readonly firstProbeMs: number;
  /** @default 30_000 */
  readonly longestProbeMs: number;
}

export const DEFAULT_BREAKERS: BreakerTuning = {
  failures: 5,
  verifications: 3,
  share: 0.5,
  windowMs: 5_000,
  firstProbeMs: 2_000,
  longestProbeMs: 30_000,
};

export interface BreakerView {
  readonly region: Region;
  /** `faceid:<action>`, `CreateUploadUrl`, `cos:put`, `cos:get`, or `source:<host>`. */
  readonly dependency: string;
  /** `down`: the breaker is open, and verifications that need the dependency wait. */
  readonly state: 'working' | 'down';
  /** Code of the last failure; null while the dependency works. */
  readonly code: string | null;
  /** ISO 8601; null while the dependency works. */
  readonly since: string | null;
  readonly nextProbeAt: string | null;
  /** Failed probes since the breaker opened. */
  readonly probes: number;
  /** Number of successful calls in the last two windows. `failed` is the number of failed calls. */
  readonly worked: number;
  readonly failed: number;
}

export const CREATE_UPLOAD_URL = 'CreateUploadUrl';
export const COS_PUT = 'cos:put';
export const COS_GET = 'cos:get';

export function faceIdDependency(action: GatedAction): string {
  return `faceid:${action}`;
}

/** @returns `source:<host>`, the dependency that a caller's source needs. Null for a file. */
export function sourceDependency(source: Source): string | null {
  switch (source.from) {
    case 'file':
      return null;
    case 'https':
      return `source:${new URL(source.url).host}`;
    case 'cos':
      return `source:${source.bucket}.cos.${source.region}.myqcloud.com`;
  }
}

/** The dependency's name for logs and metrics. It omits the host that a caller chose, so that labels have only a few values. */
export function dependencyKind(dependency: string): string {
  return dependency.startsWith('source:') ? 'source' : dependency;
}

/**
 * The dependencies of one stage of a verification.
 * @param own the deployment's own bucket in the order's region. Only workers know this bucket. Without `own`, every COS source is
 * assumed to be in the own bucket already, and to need no upload.
 */
export function dependenciesOf(order: Order, stage: StageName, own?: { name: string; region: string }): string[] {
  const sources = Object.values(order.resources).flatMap((source) => source ?? []);
  switch (stage) {
    case 'upload': {
      const hosts = sources.flatMap((source) => sourceDependency(source) ?? []);
      if (order.upload === 'create-upload-url') return [...new Set(hosts), CREATE_UPLOAD_URL, COS_PUT];
      const inPlace = sources.every((source) => source.from === 'cos' && (own === undefined || liesIn(source, own)));
      return [...new Set(hosts), ...(inPlace ? [] : [COS_PUT])];
    }
    case 'read':
      return [...new Set(sources.flatMap((source) => sourceDependency(source) ?? []))];
    case 'md5':
      return isUploaded(order.action) ? [COS_GET] : [];
    case 'start': {
      const hosts = sources.flatMap((source) => sourceDependency(source) ?? []);
      return [...new Set(hosts), faceIdDependency(order.action)];
    }
    case 'await':
      return [];
    case 'collect':
      return isFlow(order.action) ? [faceIdDependency(FLOWS[order.action].resultCall)] : [];
    case 'detect':
      return [faceIdDependency(order.action)];
    case 'opinion':
      return [faceIdDependency(OPINION_CALL)];
    case 'download':
      if (order.frame.to === 'none') return [];
      // The answer of a call that carries its files contains the frame, too.
      return [
        ...(order.action === 'CompareFaceLiveness' ? [] : [COS_GET]),
        ...(order.frame.to === 'cos' ? [COS_PUT] : []),
      ];
  }
}

function liesIn(source: { bucket: string; region: string }, bucket: { name: string; region: string }): boolean {
  return source.bucket === bucket.name && source.region === bucket.region;
}

/** Codes of a dependency that is down or could not be reached. */
const SHARED: ReadonlySet<string> = new Set([
  CODES.CONNECT_REFUSED,
  CODES.CONNECT_TIMEOUT,
  CODES.DNS_FAILED,
  CODES.TLS_FAILED,
  CODES.PROXY_REFUSED,
  CODES.TIMEOUT,
  CODES.RESET,
  CODES.MALFORMED_REPLY,
  CODES.REPLY_SHAPE,
  CODES.HTTP_5XX,
  CODES.KEYS_UNAVAILABLE,
  CODES.SOURCE_UNAVAILABLE,
  ...['InternalError', 'ServiceUnavailable', 'ResourceInsufficient', 'ResourceUnavailable', 'SlowDown'],
]);

/** Whether the dependency itself is in trouble, so that other verifications may fail in the same way. */
export function isSharedTrouble({ dependency, code, httpStatus = 0 }: Failure): boolean {
  return dependency !== undefined && (SHARED.has(code) || httpStatus >= 500);
}

/**
 * Whether the verification itself may be the cause of shared trouble, as a picture that breaks the vendor's engine is. It is not if its
 * request never reached a service of Tencent. Whether a caller's host can be reached depends on the caller.
 */
export function mayBeOwnTrouble({ dependency = '', sent }: Failure): boolean {
  return sent !== 'no' || dependency.startsWith('source:');
}
