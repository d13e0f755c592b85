/** What the answers of paid calls mean: those of `detect` decide a verification, and those of `start` begin a session. */
import type { Failure } from '../domain/errors/failure.ts';
import { type Billed, CODES, classify, documentedBilling } from '../domain/errors/index.ts';
import type { Charge } from '../domain/operations/costs.ts';
import type { DetectAnswer, FlowStart, OpinionAnswer } from '../domain/ports.ts';
import { OPINION_CALL, type PaidCall, subProductOf } from '../domain/verification/actions.ts';
import { decideFromAnswer, decideFromFailure } from '../domain/verification/decision.ts';
import {
  type DetectOutcome,
  frameAtDecision,
  type OpinionOutcome,
  opinionStatus,
  type StartOutcome,
} from '../domain/verification/outcomes.ts';
import type { ShapeTrouble } from '../domain/verification/reply-shape.ts';
import type { StageName } from '../domain/verification/states.ts';
import type { NotifyJob } from '../redis/notify-queue.ts';
import { decisionReason, type Reason } from '../redis/record.ts';
import type { OutcomeReport } from '../redis/scripts/record-outcome.ts';

/** What a meaning depends on. */
interface Asked {
  readonly action: PaidCall;
  readonly threshold: number;
  /** The notification of a decision, if an endpoint is to be notified. */
  readonly notify: NotifyJob | undefined;
}

/** What the answers of a paid call mean. */
export interface Meaning<Answer, Outcome> {
  readonly stage: StageName;
  /** @throws Failure if the answer is useless */
  outcomeOf(answer: Answer, asked: Asked, charge: Charge): Outcome;
  /** Stores what only the answer has. Does not fail. @returns the outcome to record */
  readonly keep?: (outcome: Outcome, answer: Answer, signal: AbortSignal) => Promise<Outcome>;
  /** Null: the failure decides nothing. */
  outcomeOfFailure(failure: Failure): Outcome | null;
  /** Whether an error answer is billed. */
  billingOf(failure: Failure): Billed;
  readonly reportOf: (
    outcome: Outcome,
    asked: Asked,
  ) => Pick<OutcomeReport, 'decided' | 'started' | 'opinion' | 'reason' | 'frame' | 'billed' | 'notify'> & {
    readonly code?: string;
    readonly requestId: string | null;
  };
}

export type AnyAnswer = { readonly requestId: string | null; readonly shapeTrouble?: ShapeTrouble };

export const DETECT: Meaning<DetectAnswer, DetectOutcome> = {
  stage: 'detect',
  outcomeOf: (answer, { threshold }) => decideFromAnswer(answer, threshold),
  outcomeOfFailure: decideFromFailure,
  billingOf: (failure) => classify(failure).billed,
  reportOf: (outcome, { action, notify }) => ({
    decided: outcome,
    reason: decisionReason(outcome),
    frame: frameAtDecision(outcome),
    billed: documentedBilling(outcome.result, subProductOf(action)),
    notify,
    code: outcome.result,
    requestId: outcome.requestId,
  }),
};

/** A started session counts as possibly paid until its result says what the vendor bills. */
export const START: Meaning<FlowStart, StartOutcome> = {
  stage: 'start',
  outcomeOf({ token, url, serverParamInfo, requestId }, _asked, { currency, micros, day, month }) {
    return {
      token,
      ...(url === null ? {} : { url }),
      ...(serverParamInfo === null ? {} : { serverParamInfo }),
      at: Date.now(),
      requestId,
      charge: { currency, micros, day, month },
    };
  },
  outcomeOfFailure: () => null,
  billingOf: (failure) => classify(failure).billed,
  reportOf: (started) => ({
    ...({ decided: null, started, reason: null, frame: 'none', billed: 'unknown', notify: undefined } as const),
    requestId: started.requestId,
  }),
};

/** A second opinion decides nothing: it stands beside the decision. */
export const OPINION: Meaning<OpinionAnswer, OpinionOutcome> = {
  stage: 'opinion',
  outcomeOf: ({ level, attacks, requestId }) => ({ level, attacks, requestId }),
  outcomeOfFailure: () => null,
  billingOf(failure) {
    const { channel, code } = failure;
    return channel === 'local' ? classify(failure).billed : documentedBilling(code, subProductOf(OPINION_CALL));
  },
  reportOf: (opinion) => {
    const requestId = 'failed' in opinion ? null : opinion.requestId;
    return {
      ...({ decided: null, opinion, frame: 'none', notify: undefined, code: 'Success', requestId } as const),
      reason: suspicionOf(opinion),
      billed: documentedBilling('Success', subProductOf(OPINION_CALL)),
    };
  },
};

/** The reason for which a person is refused although the decision would accept them; null: there is none. */
export function suspicionOf(opinion: OpinionOutcome): Reason | null {
  if (opinionStatus(opinion) !== 'suspected' || 'failed' in opinion) return null;
  const { requestId } = opinion;
  return {
    ...({ code: CODES.FAKE_SUSPECTED, class: 'rejected', stage: 'opinion' } as const),
    ...(requestId === null ? {} : { requestId }),
  };
}
