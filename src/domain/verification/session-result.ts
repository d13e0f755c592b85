/**
 * Judges the result of a token. Tencent answers a result call at any time, also while the person has not begun, or may try again.
 * So a result is final only if nothing better can follow.
 */
import { Failure } from '../errors/failure.ts';
import { CODES, classify, documentedBilling } from '../errors/index.ts';
import { FLOWS, type FlowName, type FlowParameters, type MediaName } from './flows.ts';
import type { DetectOutcome } from './outcomes.ts';
import type { Decision } from './states.ts';

/** A medium in a result: a link that lives for minutes, or the bytes themselves. */
export type ResultMedium =
  | {
      readonly url: string;
      /** 32 hex digits; null if the vendor gave none. */
      readonly md5: string | null;
    }
  | { readonly bytes: Uint8Array };

/** The answer of a result call. */
export interface FlowResult {
  /** The result as a code of the error table, e.g. `Result.1002`; null if the vendor has no result yet. */
  readonly code: string | null;
  readonly description: string;
  /** 0–100; null if the vendor gave none. */
  readonly similarity: number | null;
  readonly chargeCount: number | null;
  readonly tries: number;
  readonly deviceRisk: string | null;
  readonly livenessTags: readonly string[];
  readonly requestId: string | null;
  readonly media: Readonly<Partial<Record<MediaName, ResultMedium>>>;
}

export interface JudgedSession {
  readonly action: FlowName;
  readonly parameters: FlowParameters;
  readonly wanted: readonly MediaName[];
  readonly threshold: number;
  /** Whether the caller said that the person has finished. */
  readonly isTold: boolean;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly deadline: number;
}

export const SUCCESS = 'Result.0';

/** No check takes longer than this from its begin, ms. */
const LONGEST_CHECK_MS = 20 * 60_000;

/**
 * @param now ms since 1970.
 * @returns null if the person may still go on.
 * @throws Failure if the result says nothing about the person.
 */
export function judgeResult(result: FlowResult, session: JudgedSession, now: number): DetectOutcome | null {
  const { action, parameters, threshold, isTold, startedAt, deadline, wanted } = session;
  const isOver = now >= deadline;
  const { code, tries, similarity, requestId, chargeCount, deviceRisk, livenessTags } = result;
  const outcome = (decision: Decision, name: string): DetectOutcome => {
    const names = wanted.filter((each) => result.media[each] !== undefined);
    return {
      decision,
      similarity,
      result: name,
      requestId,
      billed: (chargeCount ?? 0) > 0,
      bestFrame: null,
      session: { chargeCount, tries, deviceRisk, livenessTags: [...livenessTags] },
      ...(names.length === 0 ? {} : { media: { names, until: startedAt + FLOWS[action].resultMs } }),
    };
  };
  if (code === null) {
    if (!isOver) return null;
    return tries === 0
      ? outcome('not_started', CODES.SESSION_NOT_STARTED)
      : outcome('abandoned', CODES.SESSION_ABANDONED);
  }
  if (code === SUCCESS) {
    if (!FLOWS[action].compares(parameters)) return { ...outcome('live', SUCCESS), similarity: null };
    if (similarity === null) throw new Failure({ ...facts(result, CODES.REPLY_SHAPE) }, NO_SIMILARITY);
    return outcome(similarity >= threshold ? 'match' : 'no_match', SUCCESS);
  }
  const failure = new Failure(facts(result, code), result.description);
  const { class: kind, decision } = classify(failure);
  if (kind !== 'rejected' || decision === null) throw failure;
  const most = FLOWS[action].tries(parameters);
  const isLast = isTold || isOver || tries >= most || FINAL.has(decision);
  if (!isLast) return null;
  // The person used up all tries, and none could be judged.
  const isUsedUp = decision === 'recapture' && most > 1 && tries >= most;
  return {
    ...outcome(isUsedUp ? 'retry_limit' : decision, code),
    similarity: decision === 'no_match' ? similarity : null,
  };
}

/** How many checks the vendor bills for a session; null if nothing says it. */
export function billedChecksOf(
  { result, session, decision }: DetectOutcome,
  { action, startedAt }: Pick<JudgedSession, 'action' | 'startedAt'>,
  now: number,
): number | null {
  const { subProduct, startMs } = FLOWS[action];
  const isUnfinished = result === CODES.SESSION_NOT_STARTED || result === CODES.SESSION_ABANDONED;
  // The person may still be checked, or be in the middle of it. Then the bill may still grow.
  if (isUnfinished && now < startedAt + startMs + LONGEST_CHECK_MS) return null;
  if (session?.chargeCount != null) return session.chargeCount;
  if (decision === 'not_started' && subProduct === 'h5') return 0; // H5 bills only what succeeds
  const billed = documentedBilling(result, subProduct);
  return billed === 'unknown' ? null : billed === 'yes' ? 1 : 0;
}

/** The outcome of a session whose result Tencent no longer has. */
export function expiredSession(): DetectOutcome {
  const session = { chargeCount: null, tries: 0, deviceRisk: null, livenessTags: [] };
  const nothing = { similarity: null, requestId: null, billed: false, bestFrame: null, session };
  return { decision: 'expired', result: CODES.SESSION_EXPIRED, ...nothing };
}

/** After these, the person cannot try again under the same token. */
const FINAL: ReadonlySet<Decision> = new Set(['expired', 'abandoned', 'retry_limit']);

const NO_SIMILARITY = 'the result is a success of a comparison, but has no similarity from 0 to 100';

function facts({ requestId }: FlowResult, code: string) {
  const known = requestId === null ? {} : { requestId };
  return { service: 'faceid', channel: 'result', sent: 'answered', code, ...known } as const;
}
