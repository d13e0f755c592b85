/** What the answers of paid calls mean: those of `detect` decide a verification, and those of `start` begin a session. */
import type { Failure } from '../domain/errors/failure.ts';
import { documentedBilling } from '../domain/errors/index.ts';
import type { Charge } from '../domain/operations/costs.ts';
import type { DetectAnswer, FlowStart } from '../domain/ports.ts';
import { type ActionName, subProductOf } from '../domain/verification/actions.ts';
import { decideFromAnswer, decideFromFailure } from '../domain/verification/decision.ts';
import { type DetectOutcome, frameAtDecision, type StartOutcome } from '../domain/verification/outcomes.ts';
import type { StageName } from '../domain/verification/states.ts';
import type { NotifyJob } from '../redis/notify-queue.ts';
import { decisionReason } from '../redis/record.ts';
import type { OutcomeReport } from '../redis/scripts/record-outcome.ts';

/** What a meaning depends on. */
interface Asked {
  readonly action: ActionName;
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
  readonly reportOf: (
    outcome: Outcome,
    asked: Asked,
  ) => Pick<OutcomeReport, 'decided' | 'started' | 'reason' | 'frame' | 'billed' | 'notify'> & {
    readonly code?: string;
    readonly requestId: string | null;
  };
}

export type AnyAnswer = { readonly requestId: string | null; readonly shapeTrouble?: DetectAnswer['shapeTrouble'] };

export const DETECT: Meaning<DetectAnswer, DetectOutcome> = {
  stage: 'detect',
  outcomeOf: (answer, { threshold }) => decideFromAnswer(answer, threshold),
  outcomeOfFailure: decideFromFailure,
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
  reportOf: (started) => ({
    ...({ decided: null, started, reason: null, frame: 'none', billed: 'unknown', notify: undefined } as const),
    requestId: started.requestId,
  }),
};
