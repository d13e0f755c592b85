/**
 * What a stage is given. A stage is a plain function `(input, context) → outcome`: it knows nothing of BullMQ, Redis or who
 * runs it, and says everything else by throwing a Failure.
 */
import type { Region } from '../domain/actions.ts';
import type { DetectOutcome, StageOutcomes } from '../domain/outcomes.ts';
import type {
  Bucket,
  DetectAnswer,
  DetectInput,
  FaceId,
  FrameSink,
  LinkIo,
  PaidTurn,
  Sources,
  Turn,
} from '../domain/ports.ts';
import type { Order } from '../domain/verification.ts';

/** The edges of the world that stages use. */
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
  /** Rises with each rewind: a fresh key for each generation. */
  readonly generation: number;
  readonly order: Order;
  readonly outcomes: StageOutcomes;
}

export interface StageContext {
  readonly edges: Edges;
  /** Ends the stage: lease lost, cancelled, deadline or the stage's own time limit. */
  readonly signal: AbortSignal;
  /** Folder in the own bucket under which all objects lie. */
  readonly objectFolder: string;
  now(): number;
  /** What makes a receipt one of ours. */
  proofOf(decided: DetectOutcome): string;
  /** Turns of the CreateUploadUrl rate for so many calls; each is waited for right before its call. */
  uploadUrlTurns(count: number): () => Promise<Turn>;
  /**
   * The only way to a paid call: runs `call` once, whose turn declares the intent and makes sure of rate, deadline and
   * lease, and records what became of it.
   * @param prepare what is sent, made once the intent is declared: links that it signs must live no longer than `callMs`.
   */
  pay(
    prepare: (callMs: number) => Promise<DetectInput>,
    call: (turn: () => Promise<PaidTurn>, signal: AbortSignal) => Promise<DetectAnswer>,
  ): Promise<DetectOutcome>;
}
