/**
 * How often, how long and how soon again: every number that decides the fate of a verification, with the move that follows
 * from a failure. Pure; the journal counts, this judges.
 */
import type { Classified } from './errors/index.ts';
import type { StageName } from './states.ts';
import type { Lane } from './verification.ts';

/** A link to upload to is good for so long: enough for the largest resource over a slow line. */
export const PUT_LINK_MS = 10 * 60_000;
/** After this long no upload is under way any more: begun at the last moment of its link, and as slow as one may be. */
export const STRAY_MS = 2 * PUT_LINK_MS;

export interface Policy {
  /** Attempts of a stage that fail with `transient` or `unknown` before the verification fails. */
  readonly attempts: Readonly<Record<StageName, number>>;
  readonly unknownAttempts: number;
  /** Rewinds to upload under fresh keys and links. */
  readonly rewinds: number;
  /** Limits of one attempt of a stage, ms. Detect: of the paid call, by lane. */
  readonly stageMs: Readonly<Record<'upload' | 'md5' | 'download', number>>;
  readonly callMs: Readonly<Record<Lane, number>>;
  /** First and longest back-off by lane, ms; doubled each time, jittered by a quarter. */
  readonly backoffMs: Readonly<Record<Lane, { readonly first: number; readonly most: number }>>;
  readonly accountWaitMs: Readonly<Record<Lane, number>>;
  /** Paid and possibly paid calls of one verification, at most. */
  readonly maxPayments: number;
  /** An unknown outcome of a batch verification: repeated within `maxPayments`, or held for a person at once. */
  readonly unknownOutcome: 'retry' | 'review';
  /** How long a held verification waits for a person before it fails. */
  readonly holdMs: number;
  /** Runs that ended without a word (crashes) before a verification is poison. */
  readonly crashBudget: number;
}

export const DEFAULT_POLICY: Policy = {
  attempts: { upload: 6, md5: 6, detect: 5, download: 8 },
  unknownAttempts: 3,
  rewinds: 2,
  stageMs: { upload: 120_000, md5: 60_000, download: 60_000 },
  callMs: { interactive: 15_000, batch: 30_000 },
  backoffMs: { interactive: { first: 500, most: 5_000 }, batch: { first: 2_000, most: 60_000 } },
  accountWaitMs: { interactive: 2_000, batch: 10_000 },
  maxPayments: 2,
  unknownOutcome: 'retry',
  holdMs: 7 * 24 * 3_600_000,
  crashBudget: 5,
};

/** Calls that were or may have been paid, before a person is asked about another. */
export function paymentsUnasked({ unknownOutcome, maxPayments }: Policy, lane: Lane): number {
  return unknownOutcome === 'review' && lane === 'batch' ? 1 : maxPayments;
}

/** What is done about a failure. `later` hands the verification back to the queue; `rewind` does so from upload; `hold` sets it
 * aside for a person. */
export type Move =
  | { readonly to: 'later'; readonly delayMs: number; readonly counts: boolean }
  | { readonly to: 'rewind'; readonly delayMs: number }
  | { readonly to: 'hold' }
  | { readonly to: 'fail' };

export interface Trouble {
  readonly classified: Classified;
  readonly stage: StageName;
  readonly lane: Lane;
  /** Attempts of this stage that were counted before this one. */
  readonly attempts: number;
  readonly rewinds: number;
  /** What the vendor asked for, where it did. */
  readonly retryAfterMs: number | undefined;
  /** From 0 to 1. */
  readonly random: number;
}

export function nextMove(trouble: Trouble, policy: Policy): Move {
  const { classified, stage, lane, attempts } = trouble;
  const { first, most } = policy.backoffMs[lane];
  const backoff = (exponent: number) => jittered(Math.min(first * 2 ** exponent, most), trouble.random);
  const asked = trouble.retryAfterMs ?? 0;
  switch (classified.class) {
    case 'throttled':
      return { to: 'later', delayMs: Math.max(asked, jittered(first * 2, trouble.random)), counts: false };
    case 'account':
      return { to: 'later', delayMs: jittered(policy.accountWaitMs[lane], trouble.random), counts: false };
    case 'reupload':
      return trouble.rewinds < policy.rewinds ? { to: 'rewind', delayMs: backoff(trouble.rewinds) } : { to: 'hold' };
    case 'transient':
    case 'unknown': {
      const most = classified.class === 'unknown' ? policy.unknownAttempts : policy.attempts[stage];
      if (attempts + 1 >= most) return { to: classified.class === 'unknown' ? 'hold' : 'fail' };
      return { to: 'later', delayMs: Math.max(asked, backoff(attempts)), counts: true };
    }
    case 'rejected':
    case 'caller':
      return { to: 'fail' };
  }
}

/** Spread by a quarter to either side, so that what failed together does not come back together. */
function jittered(ms: number, random: number): number {
  return Math.round(ms * (0.75 + random / 2));
}
