/**
 * The retry policy: limits of attempts, time limits and delays, and what a verification does after a failed attempt. All
 * functions are pure: the journal keeps the counts, and this file only decides.
 */
import type { About } from '../errors/failure.ts';
import type { Classified, ErrorClass } from '../errors/index.ts';
import type { Lane } from './request.ts';
import type { StageName } from './states.ts';

/** Lifetime of a signed upload link, ms: enough for the largest resource over a slow connection. */
export const PUT_LINK_MS = 10 * 60_000;
/**
 * After this many ms no upload can still be running, even if it started just before its link expired and was as slow as
 * allowed.
 */
export const MAX_UPLOAD_AGE_MS = 2 * PUT_LINK_MS;

/** Stages with a limited number of attempts. */
export const LIMITED_STAGES = ['upload', 'md5', 'detect'] as const satisfies readonly StageName[];
export type LimitedStage = (typeof LIMITED_STAGES)[number];

/**
 * A download's back-off is at most `mostMs`, and at most `timesFirst` times the first back-off, so that downloads resume soon
 * after an outage.
 */
const DOWNLOAD_BACKOFF = { mostMs: 60_000, timesFirst: 120 };

/**
 * After this many runs that never reported an end, a verification runs alone in its process. If that run dies too, no other
 * verification can be the cause.
 */
export const SUSPECT_AFTER = 2;

/** Limits of a verification. All times are in ms. */
export interface Policy {
  /**
   * How many attempts of a stage may fail as `transient` before the verification fails. A download is retried until its link
   * expires.
   *
   * @default { upload: 6, md5: 6, detect: 5 }
   */
  readonly attempts: Readonly<Record<LimitedStage, number>>;
  /** How many attempts of a stage may fail with an unknown code before the verification is held. @default 3 */
  readonly unknownAttempts: number;
  /** How often the verification may go back to upload, under fresh keys and links. @default 2 */
  readonly rewinds: number;
  /** Time limit of one attempt of a stage, ms. @default { upload: 120_000, md5: 60_000, download: 60_000 } */
  readonly stageMs: Readonly<Record<'upload' | 'md5' | 'download', number>>;
  /** Time limit of the paid call, ms, by lane. @default { interactive: 15_000, batch: 30_000 } */
  readonly callMs: Readonly<Record<Lane, number>>;
  /**
   * First and longest back-off by lane, ms. The back-off doubles with each attempt and varies randomly by ±25 %.
   *
   * @default { interactive: { first: 500, most: 5_000 }, batch: { first: 2_000, most: 60_000 } }
   */
  readonly backoffMs: Readonly<Record<Lane, { readonly first: number; readonly most: number }>>;
  /** Delay after a failure of class `account`, ms, by lane. @default { interactive: 2_000, batch: 10_000 } */
  readonly accountWaitMs: Readonly<Record<Lane, number>>;
  /** How many calls of one verification may be paid or possibly paid, at most. @default 2 */
  readonly maxPayments: number;
  /**
   * What happens to a batch verification whose paid call has an unknown outcome: `retry` repeats the call within
   * `maxPayments`, `review` holds the verification for an operator at once.
   *
   * @default 'retry'
   */
  readonly unknownOutcome: 'retry' | 'review';
  /**
   * When a session is asked for its result, ms: `first` after the start, and then less and less often, at least every `most`. Once
   * the caller has reported the end, from `told` on.
   *
   * @default { first: 30_000, most: 300_000, told: 1_000 }
   */
  readonly askMs: { readonly first: number; readonly most: number; readonly told: number };
  /** How long a held verification waits for an operator before it fails, ms. @default 7 days */
  readonly holdMs: number;
  /** How many runs may crash while they are alone in their process before the verification fails as POISON. @default 3 */
  readonly crashBudget: number;
}

export const DEFAULT_POLICY: Policy = {
  attempts: { upload: 6, md5: 6, detect: 5 },
  unknownAttempts: 3,
  rewinds: 2,
  stageMs: { upload: 120_000, md5: 60_000, download: 60_000 },
  callMs: { interactive: 15_000, batch: 30_000 },
  backoffMs: { interactive: { first: 500, most: 5_000 }, batch: { first: 2_000, most: 60_000 } },
  accountWaitMs: { interactive: 2_000, batch: 10_000 },
  maxPayments: 2,
  unknownOutcome: 'retry',
  askMs: { first: 30_000, most: 300_000, told: 1_000 },
  holdMs: 7 * 24 * 3_600_000,
  crashBudget: 3,
};

/** Time limit of one attempt of a stage, ms. */
export function stageLimitMs({ stageMs }: Policy, stage: StageName): number {
  switch (stage) {
    case 'start':
    case 'read':
      return stageMs.upload;
    case 'upload':
    case 'md5':
    case 'download':
      return stageMs[stage];
    default:
      return stageMs.md5;
  }
}

/** When to ask again for the result of a session, ms: after half as long again as it has already taken. */
export function askAgainMs(
  { first, most, told }: Policy['askMs'],
  { startedAt, toldAt }: { readonly startedAt: number; readonly toldAt: number | null },
  now: number,
): number {
  const [since, least] = toldAt === null ? [startedAt, first] : [toldAt, told];
  return Math.min(Math.max((now - since) / 2, least), most);
}

/** How many calls may be paid, or possibly paid, before an operator must agree to another one. */
export function maxPaymentsWithoutReview({ unknownOutcome, maxPayments }: Policy, lane: Lane): number {
  return unknownOutcome === 'review' && lane === 'batch' ? 1 : maxPayments;
}

/**
 * What follows a failure. `later`: requeue. `rewind`: requeue from upload. `hold`: set aside for an operator. `fail`: end.
 * Delays are in ms. `counts` says whether the attempt counts towards `Policy.attempts`.
 */
export type NextMove =
  | { readonly to: 'later'; readonly delayMs: number; readonly counts: boolean }
  | { readonly to: 'rewind'; readonly delayMs: number }
  | { readonly to: 'hold' }
  | { readonly to: 'fail' };

/** The facts that decide the next move. */
export interface FailedAttempt {
  readonly classified: Classified;
  readonly stage: StageName;
  readonly lane: Lane;
  /** Attempts of this stage that were counted before this attempt. */
  readonly attempts: number;
  readonly rewinds: number;
  /** The vendor's Retry-After, ms. */
  readonly retryAfterMs: number | undefined;
  /** Owner of the file, link or object that failed. */
  readonly about?: About | undefined;
  /**
   * Set if a dependency is in trouble and other verifications fail too. `waitMs`: time until it is worth trying again. `runs`:
   * earlier runs of this verification.
   */
  readonly outage?: { readonly waitMs: number; readonly runs: number } | undefined;
  /** The link that failed can be replaced by a fresh one, as long as the vendor keeps the result of a session. */
  readonly renewable?: boolean;
  /** Source of jitter, from 0 to 1; 0.5 means no jitter. */
  readonly random: number;
}

/** Decides what follows a failed attempt. */
export function nextMove(failed: FailedAttempt, policy: Policy): NextMove {
  const { classified, stage, lane, attempts } = failed;
  const { first, most } = policy.backoffMs[lane];
  const backoff = (exponent: number) => jitter(Math.min(first * 2 ** exponent, most), failed.random);
  const requestedMs = failed.retryAfterMs ?? 0;
  if (stage === 'download') return nextDownload(failed, first);
  if (stage === 'collect' && classified.class !== 'unknown') return nextDownload(failed, first);
  if (failed.outage !== undefined) {
    const delayMs = Math.max(
      requestedMs,
      backoff(failed.outage.runs),
      outageDelayMs(failed.outage.waitMs, failed, policy),
    );
    return { to: 'later', delayMs, counts: false };
  }
  switch (classified.class) {
    case 'throttled':
      return { to: 'later', delayMs: Math.max(requestedMs, jitter(first * 2, failed.random)), counts: false };
    case 'account':
      // An operator cannot repair an object that the caller named.
      if (failed.about === 'caller') return { to: 'fail' };
      return { to: 'later', delayMs: jitter(policy.accountWaitMs[lane], failed.random), counts: false };
    case 'reupload':
      if (stage === 'opinion') return { to: 'fail' }; // its decision stands: nothing is uploaded again
      return failed.rewinds < policy.rewinds ? { to: 'rewind', delayMs: backoff(failed.rewinds) } : atLimit('reupload');
    case 'transient':
    case 'machine': // the machine's probes found no fault, so this one file or folder is the problem
    case 'unknown': {
      const maxAttempts = classified.class === 'unknown' ? policy.unknownAttempts : policy.attempts[limitOf(stage)];
      if (attempts + 1 >= maxAttempts) return atLimit(classified.class);
      return { to: 'later', delayMs: Math.max(requestedMs, backoff(attempts)), counts: true };
    }
    case 'rejected':
    case 'caller':
      return { to: 'fail' };
  }
}

/**
 * The limit of `detect` also holds for the start of a session, because both are paid calls; that of `upload` also for `read`, because
 * both read the sources.
 */
function limitOf(stage: StageName): LimitedStage {
  if (stage === 'read') return 'upload';
  return LIMITED_STAGES.find((limited) => limited === stage) ?? 'detect';
}

/**
 * Whether a failure of this class, once the attempts are used up, holds the verification for an operator instead of ending it.
 */
export function isHeldAtLimit(kind: string): boolean {
  return kind === 'unknown' || kind === 'reupload';
}

function atLimit(kind: ErrorClass): NextMove {
  return { to: isHeldAtLimit(kind) ? 'hold' : 'fail' };
}

/**
 * A failed download is retried until its link expires. An expired link is a failure of class `caller`, which ends the retries. A
 * session is the exception: the vendor gives it a fresh link.
 */
function nextDownload(failed: FailedAttempt, firstMs: number): NextMove {
  const { classified, attempts, retryAfterMs = 0, renewable = false, random } = failed;
  if (classified.class === 'rejected' || (classified.class === 'caller' && !renewable)) return { to: 'fail' };
  const mostMs = Math.min(DOWNLOAD_BACKOFF.mostMs, firstMs * DOWNLOAD_BACKOFF.timesFirst);
  const backoffMs = jitter(Math.min(firstMs * 2 ** attempts, mostMs), random);
  return { to: 'later', delayMs: Math.max(retryAfterMs, backoffMs), counts: true };
}

/** How long a verification waits while a breaker is open: until about the next probe, but within the limits of its back-off. */
export function outageDelayMs(
  waitMs: number,
  { lane, random }: Pick<FailedAttempt, 'lane' | 'random'>,
  policy: Policy,
): number {
  const { first, most } = policy.backoffMs[lane];
  return jitter(Math.min(Math.max(waitMs, first), most), random);
}

/** Varies a delay randomly by ±25 %, so that attempts that failed at the same time do not retry at the same time. */
function jitter(ms: number, random: number): number {
  return Math.round(ms * (0.75 + random / 2));
}
