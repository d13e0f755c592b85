/**
 * Advice on what to do, for three readers. It depends on the code and on the state of the verification: the same code means
 * "wait" while Bestframe tries again, "an operator decides" while the verification is held, and "enqueue again" after its end.
 *
 * What must hold:
 * 1. Advice never promises a retry or an upload for a verification that is held or has ended.
 * 2. The words for the caller and the person name no setting and no command, because these readers can see neither.
 */
import { type Audience, type ErrorClass, explain, type Language, type Retake, type Words } from '../errors/index.ts';
import { PHRASES, type Phrases } from './advice-phrases.ts';
import {
  type Decision,
  isAccepted,
  type NextStep,
  nextStep,
  type OpinionStatus,
  type StageName,
  type State,
} from './states.ts';

/** What the advice is about. */
export interface Situation {
  readonly code: string;
  /** Null: there is no verification, because the request was refused. */
  readonly state: State | null;
  readonly decision?: Decision | null;
  /** The second opinion; absent or null: none was asked for. */
  readonly opinion?: OpinionStatus | null;
  /** Where the code occurred. */
  readonly stage?: StageName | undefined;
}

export interface Advice extends Words {
  /** Who has to act. If it is the caller, waiting may be the only thing to do. */
  readonly audience: Audience;
  readonly retake: Retake;
}

/**
 * What happens next if nobody acts. `again`: Bestframe tries again, for an answer or a second opinion. `frame`: the verification is decided, and only its frame is
 * still being downloaded. `operator`: nothing, until an operator decides. `decided`, `failed`, `cancelled`: nothing, because the
 * verification has ended. `refused`: nothing, because the request was never accepted.
 */
export type Outlook = 'again' | 'frame' | 'operator' | 'decided' | 'failed' | 'cancelled' | 'refused';

export function outlookOf({
  state,
  decision = null,
  opinion = null,
}: Pick<Situation, 'state' | 'decision' | 'opinion'>): Outlook {
  switch (state) {
    case null:
      return 'refused';
    case 'held':
      return 'operator';
    case 'failed':
    case 'cancelled':
      return state;
    case 'completed':
      return 'decided';
    case 'queued':
    case 'active':
    case 'delayed':
      return decision === null || (isAccepted(decision) && opinion === 'pending') ? 'again' : 'frame';
  }
}

/** The facts from which the words are chosen. */
interface Case {
  readonly outlook: Outlook;
  readonly kind: ErrorClass;
  readonly hints: Words;
  readonly retake: Retake;
  /** What the caller does now, if there is a decision. */
  readonly next: NextStep;
  /** Whether the code is about the frame, and not about the decision. */
  readonly aboutFrame: boolean;
  /** Whether the code belongs to a session, in which the person is checked by Tencent's SDK or page. */
  readonly ofSession: boolean;
}

export function advise(situation: Situation, language: Language = 'en'): Advice {
  const { code, stage, decision = null, opinion = null } = situation;
  const next = nextStep('completed', decision, opinion);
  const entry = explain(code, language);
  const phrases = PHRASES[language];
  const outlook = outlookOf(situation);
  const hints = entry?.advice ?? { person: '', caller: '', operator: phrases.unknownCode };
  const kind = entry?.class ?? 'unknown';
  const isDecided = outlook === 'frame' || outlook === 'decided';
  // The second opinion is about the frame, which is a picture of the recording.
  const retake = retakeOf(outlook, next, stage === 'opinion' ? 'liveness' : (entry?.retake ?? 'none'), kind);
  const aboutFrame = isDecided && kind !== 'rejected' && (stage === 'download' || decision !== 'recapture');
  const ofSession = /^(?:Result\.|SESSION_)/.test(code);
  const facts: Case = { outlook, kind, hints, retake, next, aboutFrame, ofSession };
  return {
    audience: audienceOf(facts),
    retake,
    person: retake === 'none' ? '' : hints.person || phrases.recordAgain,
    caller: callerWords(facts, phrases),
    operator: operatorWords(facts, phrases),
  };
}

/** Advice on a verification, for the reason in its journal or view. */
export function adviseOn(
  {
    state,
    decision,
    opinion,
  }: Pick<Situation, 'opinion'> & { readonly state: State; readonly decision: Decision | null },
  { code, stage }: { readonly code: string; readonly stage?: StageName },
  language?: Language,
): Advice {
  return advise({ code, state, decision, stage, opinion: opinion ?? null }, language);
}

/** What the person must take again. If an operator decided `recapture`, no code says what: then it is the recording. */
function retakeOf(outlook: Outlook, next: NextStep, byCode: Retake, kind: ErrorClass): Retake {
  if (outlook === 'failed' && kind === 'caller') return byCode; // a reused package: no decision, but a retake
  if (outlook !== 'frame' && outlook !== 'decided') return 'none';
  if (next !== 'recapture') return 'none';
  return kind === 'rejected' && byCode !== 'none' ? byCode : 'liveness';
}

function audienceOf({ outlook, kind, retake }: Case): Audience {
  if (outlook === 'operator') return 'operator';
  if (retake !== 'none') return 'person';
  if (outlook === 'frame' || outlook === 'decided' || outlook === 'cancelled') return 'caller';
  return isOperators(kind) ? 'operator' : 'caller';
}

function callerWords({ outlook, kind, hints, retake, next, aboutFrame, ofSession }: Case, phrases: Phrases): string {
  const { caller } = phrases;
  switch (outlook) {
    case 'again':
      return kind === 'account' ? caller.waitForOperator : caller.wait;
    case 'operator':
      return caller.held;
    case 'cancelled':
      return caller.cancelled;
    case 'failed':
      if (kind === 'caller') return join(phrases, hints.caller || caller.tellOperator, caller.newKey);
      return isOperators(kind)
        ? join(phrases, caller.noAnswer, caller.tellOperator, caller.newKeyLater)
        : join(phrases, caller.noAnswer, caller.startAgain);
    case 'refused':
      if (kind === 'caller') return hints.caller || caller.tellOperator;
      if (isOperators(kind)) return join(phrases, hints.caller || caller.tellOperator, caller.sendAgain);
      return hints.caller || caller.sendAgain;
    case 'frame':
    case 'decided':
      if (aboutFrame) return join(phrases, caller.next[next], next === 'investigate' ? '' : caller[outlook]);
      if (ofSession && retake !== 'none') return join(phrases, caller.newSession, hints.caller);
      return next === 'recapture'
        ? join(phrases, caller.retake[retake], hints.caller)
        : join(phrases, caller.next[next], hints.caller);
  }
}

function operatorWords({ outlook, kind, hints, next, aboutFrame }: Case, phrases: Phrases): string {
  const { operator } = phrases;
  const hint = kind === 'caller' || kind === 'rejected' ? join(phrases, hints.caller, hints.operator) : hints.operator;
  switch (outlook) {
    case 'again':
      if (kind === 'account') return join(phrases, hint, operator.thenContinues);
      return hint === '' ? operator.again : join(phrases, operator.again, `${operator.persists}${hint}`);
    case 'frame':
      if (!aboutFrame) return join(phrases, operator.decided, hints.operator);
      return hint === '' ? operator.frame : join(phrases, operator.frame, `${operator.persists}${hint}`);
    case 'operator':
      return join(phrases, hint, operator.held);
    case 'failed':
      return join(phrases, operator.failed, hint);
    case 'cancelled':
      return operator.cancelled;
    case 'decided':
      if (next === 'investigate') return join(phrases, operator.noOpinion, hint);
      return join(phrases, operator.decided, aboutFrame ? hint : hints.operator);
    case 'refused':
      return (isOperators(kind) ? hint : join(phrases, hints.caller, hints.operator)) || operator.refused;
  }
}

/** Whether only an operator can find or fix the cause. */
function isOperators(kind: ErrorClass): boolean {
  return kind === 'account' || kind === 'machine' || kind === 'unknown';
}

function join({ space }: Phrases, ...sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== '').join(space);
}
