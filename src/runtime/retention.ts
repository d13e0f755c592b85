/**
 * What goes by age, on an idle queue too: frames in the frames folder some time after they were stored (or once their caller
 * has them), records some time after their end. Of a record a tombstone stays, so that its key is not paid for again.
 * Runs beside the erase worker; one process at a time, and each step is safe beside the others. A legal hold stops both.
 */

import type { Logger } from 'pino';
import { Failure } from '../domain/failure.ts';
import type { FrameSink } from '../domain/ports.ts';
import type { RedisClient } from '../queue/connection.ts';
import { takeOut } from '../queue/erase.ts';
import type { Names } from '../queue/names.ts';
import { type JournalRecord, readRecord, writeEntry } from '../queue/record.ts';
import { run } from '../queue/scripts.ts';
import type { Sealer } from '../queue/seal.ts';
import { Rounds } from './rounds.ts';

export interface RetentionOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly sealer: Sealer;
  readonly sink: FrameSink;
  /** Of a record after its end. */
  readonly recordTtlMs: number;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
const BATCH = 500;
const REMOVE_MS = 30_000;
/** What could not be deleted, or must not be now, is looked at again after this. */
const AGAIN_MS = 10 * 60_000;

export interface Aged {
  readonly frames: number;
  readonly records: number;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #rounds: Rounds;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { redis, names, log, everyMs = EVERY_MS } = options;
    const round = async () => {
      const aged = await this.pass();
      if (aged.frames + aged.records > 0) log.info({ event: 'aged', ...aged }, 'deleted what its time was up for');
    };
    this.#rounds = new Rounds({ redis, claim: names.retention, everyMs, log, name: 'retention', round });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One pass, now. */
  async pass(now = Date.now()): Promise<Aged> {
    return { frames: await this.#frames(now), records: await this.#records(now - this.#options.recordTtlMs) };
  }

  async #frames(now: number): Promise<number> {
    const { redis, names, sink, sealer, log } = this.#options;
    let deleted = 0;
    for (const id of await redis.zrangebyscore(names.frames, '-inf', now, 'LIMIT', 0, BATCH)) {
      const record = await this.#record(id);
      if (record?.stored == null || record.legalHold !== null) {
        await this.#lookAgain(id, record, now);
        continue;
      }
      try {
        await sink.remove(record.stored, AbortSignal.timeout(REMOVE_MS));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        log.warn({ id, event: 'frame not deleted', code: error.code }, 'a frame could not be deleted yet');
        await redis.zadd(names.frames, 'XX', now + AGAIN_MS, id);
        continue;
      }
      const entry = writeEntry(sealer, id, { at: Date.now(), event: 'frame deleted' });
      await run(redis, 'unframe', [names.journal(id), names.history(id), names.frames], [id, entry]);
      deleted += 1;
    }
    return deleted;
  }

  async #records(endedBefore: number): Promise<number> {
    const { redis, names } = this.#options;
    let redacted = 0;
    let kept = 0;
    for (;;) {
      const ids = await redis.zrangebyscore(names.ended, '-inf', endedBefore, 'LIMIT', kept, BATCH);
      if (ids.length === 0) return redacted;
      for (const id of ids) {
        const record = await this.#record(id);
        // What knows where a frame is that must still go, or is under a legal hold, stays.
        const stays = record !== null && (await redis.zscore(names.frames, id)) !== null;
        const { status } = stays
          ? { status: 'later' }
          : record === null
            ? { status: 'missing' }
            : await takeOut(redis, names, record, { endedBefore });
        if (status === 'erased') redacted += 1;
        else if (status === 'legal hold' || status === 'later') kept += 1;
        else await redis.zrem(names.ended, id);
      }
    }
  }

  async #record(id: string): Promise<JournalRecord | null> {
    const { redis, names, sealer } = this.#options;
    return readRecord(id, await redis.hgetall(names.journal(id)), sealer);
  }

  /** A legal hold may be lifted one day; what has no frame any more is forgotten. */
  async #lookAgain(id: string, record: JournalRecord | null, now: number): Promise<void> {
    const { redis, names } = this.#options;
    if (record?.stored == null) await redis.zrem(names.frames, id);
    else await redis.zadd(names.frames, 'XX', now + AGAIN_MS, id);
  }
}
