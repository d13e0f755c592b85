/**
 * Input and context of a stage. A stage is a plain function `(input, context) → outcome`. It does not depend on BullMQ, Redis or
 * its caller, and reports every problem by throwing a Failure.
 */

import type { TenantWall } from '../../domain/operations/tenants.ts';
import type {
  AnsweredFrame,
  Bucket,
  DetectAnswer,
  DetectInput,
  FaceId,
  FlowStart,
  FrameSink,
  LinkIo,
  OpinionAnswer,
  PaidTurn,
  Sources,
  Turn,
} from '../../domain/ports.ts';
import type { CallBody } from '../../domain/verification/call-body.ts';
import type { DetectOutcome, OpinionOutcome, StageOutcomes, StartOutcome } from '../../domain/verification/outcomes.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Order } from '../../domain/verification/request.ts';
import type { FlowResult } from '../../domain/verification/session-result.ts';

/**
 * Stores the frame of an answer before its outcome is recorded. @returns the outcome to record
 * @param signal ends when the intent of the call does: later, another attempt may store its own frame.
 */
export type KeepFrame = (decided: DetectOutcome, answer: DetectAnswer, signal: AbortSignal) => Promise<DetectOutcome>;

/** The ports that stages use. */
export interface Edges {
  readonly sources: Sources;
  readonly links: LinkIo;
  readonly faceId: FaceId;
  readonly sink: FrameSink;
  /** The company's own bucket in a region. @throws Failure NO_BUCKET */
  bucket(region: Region): Bucket;
}

export interface StageInput {
  readonly id: string;
  readonly tenant: string | null;
  /** Increases with each rewind, so that each generation uploads under its own keys. */
  readonly generation: number;
  readonly order: Order;
  readonly outcomes: StageOutcomes;
}

export interface StageContext {
  readonly edges: Edges;
  /**
   * Aborts the stage if the lease is lost, the verification is cancelled, the deadline passes, or the stage's time limit is over.
   */
  readonly signal: AbortSignal;
  /** The folder for all uploaded objects in the company's own bucket. */
  readonly objectFolder: string;
  /** What the verification's tenant may reach; null: every place. */
  readonly wall: TenantWall | null;
  now(): number;
  /** The keyed hash that marks the receipts of this deployment. */
  readonly receiptOwner: string;
  /** The keyed hash by which Bestframe later recognises a receipt as its own. */
  proofOf(order: Order, decided: DetectOutcome): string;
  /** Returns a function that waits for the rate-limit slot of one CreateUploadUrl call. Await it right before each call. */
  uploadUrlTurns(count: number): () => Promise<Turn>;
  /**
   * The only way to make a paid call. Runs `call` once and records its outcome. `call` awaits its turn, which declares the intent
   * and checks the rate limit, the deadline and the lease.
   * @param prepare builds the input after the intent is declared. If it signs links, they must expire within `callMs`.
   * @param keep stores a frame that is part of the answer, before the outcome is recorded.
   */
  pay(
    prepare: (callMs: number) => Promise<DetectInput>,
    call: (turn: () => Promise<PaidTurn>, signal: AbortSignal) => Promise<DetectAnswer>,
    keep?: KeepFrame,
  ): Promise<DetectOutcome>;
  /** The only way to start a session. Like `pay`. */
  payStart(
    prepare: () => Promise<CallBody>,
    call: (turn: () => Promise<PaidTurn<CallBody>>, signal: AbortSignal) => Promise<FlowStart>,
  ): Promise<StartOutcome>;
  /** The only way to ask for a second opinion. Like `pay`. */
  payOpinion(
    prepare: () => Promise<CallBody>,
    call: (turn: () => Promise<PaidTurn<CallBody>>, signal: AbortSignal) => Promise<OpinionAnswer>,
  ): Promise<OpinionOutcome>;
  /** Waits for the rate-limit slot of a result call. */
  resultTurn(): Promise<Turn>;
  /** The frame that was part of the answer to this attempt's paid call, and is not stored yet. Null: another attempt had it. */
  readonly heldFrame: AnsweredFrame | null;
  /** The media of the session, from a result that this attempt has just got. */
  freshMedia(): Promise<FlowResult['media']>;
  /** Whether media other than the frame may be given up, because they have failed often enough. */
  readonly mayLeaveMedia: boolean;
}
