/** The sources that an attempt has open. */
import type { StageName } from '../domain/verification/states.ts';
import type { JournalRecord } from '../redis/record.ts';
import { StageFailure } from './after-failure.ts';
import { sourceBusy } from './attempt-failures.ts';
import type { AttemptTools } from './attempt-tools.ts';
import type { Lease } from './lease.ts';
import { sharesOf } from './source-shares.ts';
import { closeResources, type OpenedResource } from './stages/index.ts';

export class AttemptSources {
  readonly #tools: AttemptTools;
  readonly #lease: Lease;
  readonly #record: JournalRecord;
  readonly #open: (stage: StageName) => Promise<OpenedResource[]>;
  /** Null: not opened yet. */
  spooled: OpenedResource[] | null = null;
  /** How long the reads before admission took, ms. */
  ms = 0;

  /** @param open opens all sources, within the time limit of the stage. */
  constructor(
    tools: AttemptTools,
    lease: Lease,
    record: JournalRecord,
    open: (stage: StageName) => Promise<OpenedResource[]>,
  ) {
    this.#tools = tools;
    this.#lease = lease;
    this.#record = record;
    this.#open = open;
  }

  /**
   * Reads sources on callers' hosts before the upload. These hosts may be slow, so the attempt gives up its admission during the
   * reads, and all such reads together use only a share of the worker's slots.
   * @returns the answer to a new request for admission; null: there are no such sources.
   * @throws StageFailure
   */
  async spoolAhead(stage: StageName): Promise<{ epoch: string; waitMs: number } | null> {
    const { order, starts, tenant, region, action, lane } = this.#record;
    const { journal, shares, gate, tracer } = this.#tools;
    const needed = order === null ? [] : sharesOf(order, tenant);
    if (needed.length === 0) return null;
    const startedAt = performance.now();
    try {
      await this.#lease.guard(journal.leaveAdmission());
      const leave = await shares.enter(needed);
      if (leave === null) throw sourceBusy(starts);
      try {
        this.spooled = await tracer.run('read sources', { facts: { stage } }, () => this.#open(stage));
      } finally {
        leave();
      }
      this.ms = performance.now() - startedAt;
    } catch (error) {
      throw new StageFailure(stage, performance.now() - startedAt, error);
    }
    return this.#lease.guard(journal.askAdmission(lane, gate.admission(region, action)));
  }

  /** @returns the sources, which stay open until `close`. */
  async open(stage: StageName): Promise<OpenedResource[]> {
    this.spooled ??= await this.#open(stage);
    return this.spooled;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await closeResources(this.spooled ?? []);
  }
}
