/** The services and settings that an attempt needs, apart from its own job, lease and record. */

import type { CostSettings } from '../domain/operations/costs.ts';
import type { TenantWall } from '../domain/operations/tenants.ts';
import type { Tracer } from '../domain/operations/tracing.ts';
import type { EvidenceRecord } from '../domain/verification/evidence.ts';
import type { Mode } from '../domain/verification/mode.ts';
import type { Policy } from '../domain/verification/policy.ts';
import type { RequirableField } from '../domain/verification/request.ts';
import type { Outbox } from '../redis/outbox.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { Breakers } from './breakers.ts';
import type { Gate } from './gate.ts';
import type { Journal } from './journal.ts';
import type { Machine } from './machine.ts';
import type { RunLog } from './run-log.ts';
import type { SourceShares } from './source-shares.ts';
import type { Edges } from './stages/index.ts';

export interface AttemptTools {
  readonly journal: Journal;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly breakers: Breakers;
  readonly edges: Edges;
  readonly machine: Pick<Machine, 'blame'>;
  readonly shares: SourceShares;
  readonly receiptOwner: string;
  readonly policy: Policy;
  /** What the verification's tenant may reach; null: every place. */
  readonly wall: TenantWall | null;
  readonly objectFolder: string;
  readonly mode: Mode;
  readonly reuse: ReusePolicy;
  readonly costs: CostSettings;
  /** How long a frame in the frames folder is kept, ms. 0: until a caller or operator deletes the frame. */
  readonly keepFramesMs: number;
  /** The evidence of a verification that was decided. Null: none is kept. */
  readonly evidenceOf: (record: JournalRecord) => EvidenceRecord | null;
  /** How long the sources of a failed verification are kept for a retry, ms. 0: they are dropped when the verification ends. */
  readonly keepSourcesMs: number;
  /** Fields that this deployment requires of every verification. */
  readonly demands: readonly RequirableField[];
  readonly tracer: Tracer;
  readonly log: RunLog;
}

/**
 * A liveness package proves only once that a person was in front of a camera. A package that the vendor has answered before is a
 * replay, unless all its answers were about the photo alone.
 */
export interface ReusePolicy {
  /** Part of the HMAC key of the digests. Without that key, nobody can find the MD5 from which a digest was computed. */
  readonly namespace: string;
  readonly ttlMs: number;
  readonly refuse: boolean;
  /** How many times a package is accepted again if all its answers were about the photo alone. */
  readonly photoRetries: number;
}
