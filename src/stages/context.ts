/**
 * What a stage is given. A stage is a plain function `(input, context) → outcome`: it knows nothing of BullMQ, Redis or who
 * runs it, and says everything else by throwing a Failure.
 */
import type { Region } from '../domain/actions.ts';
import type { DetectOutcome, StageOutcomes } from '../domain/outcomes.ts';
import type { Bucket, DetectAnswer, FaceId, FrameSink, LinkIo, Sources } from '../domain/ports.ts';
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
  /** Waits for slots of the CreateUploadUrl rate. */
  uploadUrlSlots(count: number): Promise<readonly (() => Promise<void>)[]>;
  /**
   * The only way to a paid call: declares the intent, makes sure of rate, deadline and lease, then runs `call` once, and
   * records what became of it. Links that `call` signs must live no longer than `callMs`.
   */
  pay(call: (limits: { callMs: number; signal: AbortSignal }) => Promise<DetectAnswer>): Promise<DetectOutcome>;
}
