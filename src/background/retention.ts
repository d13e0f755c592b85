/**
 * Deletes frames, records and evidence by age, even in an idle deployment. A frame in the frames folder is deleted when it reaches its age
 * limit, or as soon as the caller has acknowledged it. A record is deleted a set time after the end of its verification. A
 * tombstone remains, so that no second verification is paid for under the same idempotency key. The task runs in one erase worker
 * process at a time, but each step tolerates concurrent runs. A legal hold prevents the deletion of frame, record and evidence.
 */
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import type { EvidenceBuckets, FrameSink } from '../domain/ports.ts';
import { keptFiles } from '../domain/verification/media.ts';
import { isTerminal } from '../domain/verification/states.ts';
import { askForRewrite, observeAof } from '../redis/append-only-file.ts';
import { readClock } from '../redis/clock.ts';
import type { Deployment } from '../redis/deployment.ts';
import { lastErasure } from '../redis/erasures.ts';
import { dropCopy, isToCopy, overdueCopies } from '../redis/evidence.ts';
import { endedBefore, framesDue, hasFrameDue, postponeFrame, removeFrame, removeFromEnded } from '../redis/indexes.ts';
import { readJournal } from '../redis/read-records.ts';
import type { JournalRecord } from '../redis/record.ts';
import { eraseRecord } from '../redis/scripts/erase-record.ts';
import { forgetFrame } from '../redis/scripts/forget-frame.ts';
import { giveUpEvidence } from './copy-evidence.ts';
import { deleteDueEvidence } from './delete-evidence.ts';
import { Periodic } from './periodic.ts';

export interface RetentionOptions {
  readonly deployment: Deployment;
  readonly sink: FrameSink;
  readonly evidence: EvidenceBuckets;
  /** How long a record is kept after the end of the verification. */
  readonly recordTtlMs: number;
  /** How long a frame is kept after it was stored. 0: until somebody deletes the frame. */
  readonly keepFramesMs: number;
  /** The keyed hash that marks the receipts of this deployment. */
  readonly receiptOwner: string;
  /** Whether Redis is asked to rewrite its append-only file after erasures, at most once an hour. */
  readonly rewriteAof: boolean;
  readonly log: Logger;
  /** Time between two passes. Default 15,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
const BATCH = 500;
const REMOVE_MS = 30_000;
const SCAN_EVERY_MS = 3_600_000;
const SCAN_LIMIT_MS = 10 * 60_000;
/** If a frame cannot be deleted now, its deletion is tried again after this time. */
const RETRY_MS = 10 * 60_000;

/** A frame that is still to be copied as evidence is looked at again after this time. */
const COPY_WAIT_MS = 15_000;

export interface Deleted {
  readonly frames: number;
  readonly records: number;
  /** Verifications whose evidence was deleted. */
  readonly evidence: number;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #periodic: Periodic;
  #scannedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { deployment, log, everyMs = EVERY_MS } = options;
    const run = async () => {
      const deleted = await this.deleteExpired();
      if (deleted.frames + deleted.records + deleted.evidence > 0)
        log.info({ event: 'expired_deleted', ...deleted }, 'deleted expired frames, records and evidence');
      await this.tendAof();
    };
    this.#periodic = new Periodic({ deployment, task: 'retention', everyMs, log, run });
  }

  start(): void {
    this.#periodic.start();
  }

  stop(): Promise<void> {
    return this.#periodic.stop();
  }

  /** Runs one pass now. */
  async deleteExpired(at?: number): Promise<Deleted> {
    // Redis's clock decides, because a machine whose clock is ahead would delete too early.
    const now = at ?? (await readClock(this.#options.deployment));
    await this.#giveUpCopies(now);
    return {
      frames: (await this.#deleteFrames(now)) + (await this.#deleteUnrecorded(now)),
      records: await this.#eraseRecords(now - this.#options.recordTtlMs),
      evidence: await deleteDueEvidence(this.#options, now),
    };
  }

  /** Notices rewrites of Redis's append-only file, and asks for one if there was an erasure since the last one. */
  async tendAof(): Promise<void> {
    const { deployment, rewriteAof, log } = this.#options;
    const seen = await observeAof(deployment);
    if (!rewriteAof || seen === null || (await lastErasure(deployment)) <= seen.rewrittenBefore) return;
    const answer = await askForRewrite(deployment);
    if (answer === 'asked') log.info({ event: 'aof_rewrite_asked' }, 'asked Redis to rewrite its append-only file');
    if (answer === 'not_allowed')
      log.warn(
        { event: 'aof_rewrite_not_allowed' },
        'Redis refuses BGREWRITEAOF: allow it, or unset BESTFRAME_REWRITE_AOF',
      );
  }

  /** What was not copied in time is given up, so that its sources do not stay longer. */
  async #giveUpCopies(now: number): Promise<void> {
    const { deployment, log } = this.#options;
    for (const id of await overdueCopies(deployment, now, BATCH)) {
      const { evidence = null } = (await readJournal(deployment, id)) ?? {};
      if (evidence === null) await dropCopy(deployment, id);
      else {
        await giveUpEvidence(deployment, id, evidence);
        log.error(
          { id, event: 'evidence_given_up', code: evidence.missing[0]?.code },
          'evidence was not copied in time',
        );
      }
    }
  }

  async #deleteFrames(now: number): Promise<number> {
    const { deployment, sink, log } = this.#options;
    let deleted = 0;
    for (const id of await framesDue(deployment, now, BATCH)) {
      const record = await readJournal(deployment, id);
      const kept = record === null ? [] : keptFiles(record);
      if (record === null || kept.length === 0) {
        await removeFrame(deployment, id);
        continue;
      }
      if (record.legalHold !== null) {
        await postponeFrame(deployment, id, now + RETRY_MS); // the legal hold may be lifted later
        continue;
      }
      if (await isToCopy(deployment, id)) {
        await postponeFrame(deployment, id, now + COPY_WAIT_MS);
        continue;
      }
      try {
        for (const each of kept) await sink.remove(each, id, AbortSignal.timeout(REMOVE_MS));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        log.warn({ id, event: 'frame_not_deleted', code: error.code }, 'a frame could not be deleted yet');
        await postponeFrame(deployment, id, now + RETRY_MS);
        continue;
      }
      await forgetFrame(deployment, id);
      deleted += 1;
    }
    return deleted;
  }

  /**
   * Deletes frames without a record. Such frames remain if Redis lost the record, or if an attempt lost its lease. A frame's age
   * is computed from its receipt. Runs at most once an hour, because it reads the whole folder.
   */
  async #deleteUnrecorded(now: number): Promise<number> {
    const { sink, log, keepFramesMs, receiptOwner } = this.#options;
    if (keepFramesMs === 0 || now - this.#scannedAt < SCAN_EVERY_MS) return 0;
    this.#scannedAt = now;
    let deleted = 0;
    try {
      for await (const { path, receipt } of sink.receipts(AbortSignal.timeout(SCAN_LIMIT_MS))) {
        if (receipt.owner !== receiptOwner || receipt.decidedAt + keepFramesMs > now) continue;
        if (await this.#isRecorded(receipt.id)) continue;
        await sink.remove({ path }, receipt.id, AbortSignal.timeout(REMOVE_MS));
        deleted += 1;
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      log.warn({ event: 'frames_not_scanned', code: error.code }, 'frames without a record could not be looked for');
    }
    return deleted;
  }

  /**
   * Whether the frame has a record, and that record either leads to the frame's deletion later or protects it by a legal hold.
   */
  async #isRecorded(id: string): Promise<boolean> {
    const { deployment } = this.#options;
    if (await hasFrameDue(deployment, id)) return true;
    const record = await readJournal(deployment, id);
    if (record === null) return false;
    return (
      !isTerminal(record.state) || record.frame === 'stored' || record.media.length > 0 || record.legalHold !== null
    );
  }

  async #eraseRecords(before: number): Promise<number> {
    const { deployment } = this.#options;
    let erased = 0;
    let kept = 0;
    for (;;) {
      const ids = await endedBefore(deployment, before, { offset: kept, limit: BATCH });
      if (ids.length === 0) return erased;
      for (const id of ids) {
        const result = await this.#eraseRecord(id, before);
        if (result === 'erased') erased += 1;
        else if (result === 'kept') kept += 1;
        else await removeFromEnded(deployment, id);
      }
    }
  }

  /** Erases a record, unless it is under a legal hold or contains the path of a frame that must be deleted first. */
  async #eraseRecord(id: string, before: number): Promise<'erased' | 'kept' | 'missing'> {
    const { deployment } = this.#options;
    const record: JournalRecord | null = await readJournal(deployment, id);
    if (record === null) return 'missing';
    if (await hasFrameDue(deployment, id)) return 'kept';
    const { status } = await eraseRecord(deployment, record, { endedBefore: before });
    if (status === 'erased') return 'erased';
    return status === 'legal_hold' || status === 'too_early' ? 'kept' : 'missing';
  }
}
