/**
 * Repeats what somebody may have died over: outbox entries whose follow-ups were not delivered; verifications that are not
 * ended and have no job in the queue (a producer died between claim and add, or somebody removed or failed the job by hand);
 * verifications past their deadline that nobody works on. One process sweeps at a time; each step is safe beside the others.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { isTerminal } from '../domain/states.ts';
import type { RedisClient } from '../queue/connection.ts';
import type { Names } from '../queue/names.ts';
import type { VerifyJob } from '../queue/options.ts';
import { followUpsOf, type Outbox } from '../queue/outbox.ts';
import { type JournalRecord, readRecord, writeEntry } from '../queue/record.ts';
import { run } from '../queue/scripts.ts';
import type { Sealer } from '../queue/seal.ts';
import { addVerifyJob } from '../queue/verify-queue.ts';
import { Rounds } from './rounds.ts';

export interface SweeperOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly queues: ReadonlyMap<Region, Queue<VerifyJob>>;
  readonly outbox: Outbox;
  readonly expiryMs: number;
  readonly sealer: Sealer;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
/** Younger claims may still be on their way to the queue. */
const SETTLED_MS = 10_000;
const BATCH = 500;

export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #rounds: Rounds;

  constructor(options: SweeperOptions) {
    this.#options = options;
    const { redis, names, log, everyMs = EVERY_MS } = options;
    const round = async () => {
      const swept = await this.sweep();
      if (swept.delivered + swept.requeued > 0)
        log.warn({ event: 'swept', ...swept }, 'sweeper: repeated what was missing');
    };
    this.#rounds = new Rounds({ redis, claim: names.sweeper, everyMs, log, name: 'sweeper', round });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One pass, now. */
  async sweep(settledMs = SETTLED_MS): Promise<{ delivered: number; requeued: number }> {
    const delivered = await this.#options.outbox.deliverAll();
    const requeued = await this.#requeue(settledMs);
    await this.#forgetExpired();
    return { delivered, requeued };
  }

  async #requeue(settledMs: number): Promise<number> {
    const { redis, names, queues } = this.#options;
    let requeued = 0;
    let cursor = '0';
    do {
      const [next, flat] = await redis.zscan(names.live, cursor, 'COUNT', BATCH);
      cursor = next;
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const id = flat[i] ?? '';
        if (Number(flat[i + 1]) > Date.now() - settledMs) continue;
        const record = readRecord(id, await redis.hgetall(names.journal(id)), this.#options.sealer);
        if (record === null || isTerminal(record.state)) {
          await redis.zrem(names.live, id);
          continue;
        }
        const queue = queues.get(record.region);
        if (queue === undefined) continue;
        if (await this.#expire(record)) {
          await queue.remove(id);
          continue;
        }
        const state = await queue.getJobState(id);
        if (state === 'delayed' && record.state === 'delayed' && (record.notBefore ?? 0) <= Date.now()) {
          await (await queue.getJob(id))?.promote(); // woken by a late answer, or by a person whose client died
        }
        if (state !== 'unknown' && state !== 'failed' && state !== 'completed') continue;
        await queue.remove(id);
        await addVerifyJob(queue, record);
        requeued += 1;
      }
    } while (cursor !== '0');
    return requeued;
  }

  /** Past its deadline, with nobody at it: behind a closed gate or a long backlog nobody would come to say so. */
  async #expire(record: JournalRecord): Promise<boolean> {
    if (record.deadline > Date.now() || record.state === 'active') return false;
    const { redis, names, sealer, expiryMs } = this.#options;
    const { id, region, action } = record;
    const gate = names.gate(region, action);
    const { lock } = names.job(region, id);
    const keys = [
      names.journal(id),
      lock,
      names.history(id),
      names.live,
      names.ended,
      names.outbox,
      names.held,
      gate.admitted,
      gate.express,
    ];
    const followUps = followUpsOf(record, 0);
    const outbox = followUps === null ? '' : JSON.stringify(followUps);
    const entry = writeEntry(sealer, id, { at: Date.now(), event: 'ended', code: CODES.DEADLINE_EXCEEDED });
    const reason = JSON.stringify({ code: CODES.DEADLINE_EXCEEDED, class: 'caller' });
    return (await run(redis, 'expire', keys, [id, names.channel, outbox, expiryMs, entry, reason])) === 'expired';
  }

  /** Records expire by themselves; their places in the index do not. */
  async #forgetExpired(): Promise<void> {
    const { redis, names } = this.#options;
    const oldest = await redis.zrange(names.ended, '0', String(BATCH - 1));
    for (const id of oldest) {
      if ((await redis.exists(names.journal(id))) === 1) break;
      await redis.zrem(names.ended, id);
    }
  }
}
