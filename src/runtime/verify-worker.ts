/**
 * BullMQ's side of an attempt: a worker for one region's queue. Takes jobs, runs attempts, turns their ends into moves.
 *
 * BullMQ's own lock renewal is off (see lease.ts), its attempts are one, its stall limit is out of reach: a stalled job just
 * goes back to the queue and meets the preamble.
 */

import { DelayedError, type Job, type Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Logger } from 'pino';
import type { Region } from '../domain/actions.ts';
import { CODES, explain } from '../domain/errors/index.ts';
import type { Policy } from '../domain/policy.ts';
import type { Demand, Lane, Mode } from '../domain/verification.ts';
import type { RedisClient } from '../queue/connection.ts';
import { type Names, verifyQueue } from '../queue/names.ts';
import { RESUME_PRIORITY, VERIFY_JOBS_KEPT, type VerifyJob } from '../queue/options.ts';
import type { Outbox } from '../queue/outbox.ts';
import type { Sealer } from '../queue/seal.ts';
import type { Edges } from '../stages/index.ts';
import { Attempt, type AttemptEnd, type ReusePolicy } from './attempt.ts';
import type { Gate } from './gate.ts';
import { Journal } from './journal.ts';
import { Lease, type LeaseTimes } from './lease.ts';
import { RunLog } from './log.ts';
import { begun, drained, heard } from './working.ts';

export interface VerifyWorkerOptions {
  readonly redis: RedisClient;
  readonly names: Names;
  readonly region: Region;
  readonly edges: Edges;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly policy: Policy;
  readonly lease: LeaseTimes;
  /** How often BullMQ looks for jobs whose lock has run out. */
  readonly stalledIntervalMs: number;
  readonly slots: number;
  readonly objectFolder: string;
  /** Redis itself lets a record go this long after its end, ms. */
  readonly expiryMs: number;
  readonly keepFramesMs: number;
  readonly sealer: Sealer;
  readonly mode: Mode;
  readonly reuse: ReusePolicy;
  readonly demands: readonly Demand[];
  readonly log: Logger;
}

/** Jobs in slots over all workers, for each call a second: enough for six seconds on the way, few enough to wait in place. */
const SLOTS_PER_QPS = 6;
const NEVER = 2 ** 31 - 1;
/** For what is handed back. A paid call that is out is not broken off: its intent tells whoever comes next. */
const HAND_OVER_MS = 2_000;

export class VerifyWorker {
  readonly #options: VerifyWorkerOptions;
  readonly #worker: Worker<VerifyJob>;
  /** Of the attempts that run. */
  readonly #leases = new Set<Lease>();

  constructor(options: VerifyWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker<VerifyJob>(verifyQueue(options.region), (job, token) => this.#process(job, token), {
      connection: options.redis,
      prefix: options.names.prefix,
      concurrency: options.slots,
      lockDuration: options.lease.leaseMs,
      skipLockRenewal: true,
      stalledInterval: options.stalledIntervalMs,
      maxStalledCount: NEVER,
      runRetryDelay: 1_000,
      autorun: false,
      ...VERIFY_JOBS_KEPT,
    });
    heard(this.#worker, options.log);
  }

  /** @param queue of the same region; gets its bound on jobs in slots. */
  async start(queue: Queue): Promise<void> {
    const qps = Math.max(
      this.#options.gate.limit(this.#options.region, 'DetectReflectLivenessAndCompare'),
      this.#options.gate.limit(this.#options.region, 'VideoLivenessCompare'),
    );
    await queue.setGlobalConcurrency(Math.ceil(qps * SLOTS_PER_QPS));
    await begun(this.#worker, this.#options.log);
  }

  /** Takes no more, and finishes what it runs; what is not finished by the deadline is handed back. @returns false then. */
  async drain(deadlineMs: number): Promise<boolean> {
    if (await drained(this.#worker, deadlineMs)) return true;
    for (const lease of this.#leases) lease.handOver();
    await drained(this.#worker, HAND_OVER_MS);
    return false;
  }

  /**
   * Only a terminal record may end a job. In every other case, an unexpected error too, BullMQ is told to move nothing
   * (DelayedError): a job that was not moved keeps its place in `active`, its lock runs out, and it comes back.
   */
  async #process(job: Job<VerifyJob>, token: string | undefined): Promise<unknown> {
    if (token === undefined || job.id === undefined) throw new DelayedError('a job without token or id');
    let end: AttemptEnd;
    try {
      end = await this.#attempt(job.id, job, token, job.attemptsStarted);
      if (end.kind === 'later' || end.kind === 'held') await this.#moveLater(job, token, end);
    } catch (error) {
      const facts = { id: job.id, event: 'attempt broke off', error: error instanceof Error ? error.name : 'unknown' };
      this.#options.log.error(facts, 'attempt broke off; the verification comes back when its lock runs out');
      throw new DelayedError('attempt broke off');
    }
    if (end.kind === 'done' && end.state !== 'failed') return { state: end.state, decision: end.decision };
    if (end.kind === 'done') throw ended(end.code ?? CODES.INTERNAL);
    if (end.kind === 'missing') throw ended(CODES.RECORD_MISSING);
    throw new DelayedError(end.kind);
  }

  async #moveLater(job: Job<VerifyJob>, token: string, end: AttemptEnd): Promise<void> {
    const delayMs = end.kind === 'later' ? end.delayMs : end.kind === 'held' ? end.leftMs : 0;
    // A delayed job is promoted behind everything that waits, unless it has the one priority that comes first.
    await job.changePriority({ priority: RESUME_PRIORITY });
    await job.moveToDelayed(Date.now() + delayMs, token);
  }

  /** A worker without the key can read nothing and end nothing: it is the operator's to mend, and costs no attempt. */
  async #untilOpened(id: string, journal: Journal, generation: number, lane: Lane): Promise<AttemptEnd> {
    const { policy, log } = this.#options;
    const delayMs = policy.accountWaitMs[lane];
    const reason = { code: CODES.SEAL_KEY_MISSING, class: 'account' } as const;
    const step = { generation, delayMs, stage: 'upload', counts: false, rewind: false, reason, entry: null } as const;
    log.error({ id, event: 'sealed', code: reason.code }, 'a key of the key ring is missing: check BESTFRAME_KEY_RING');
    return (await journal.handback(step)) === 'ok' ? { kind: 'later', delayMs } : { kind: 'lost' };
  }

  async #attempt(id: string, { name, data }: Job<VerifyJob>, token: string, ats: number): Promise<AttemptEnd> {
    const { redis, names, region, gate, policy, lease: times } = this.#options;
    const action = name === 'VideoLivenessCompare' ? name : 'DetectReflectLivenessAndCompare';
    const fence = { token, ats };
    const journal = new Journal(
      redis,
      names,
      id,
      fence,
      names.job(region, id),
      names.gate(region, action),
      this.#options.expiryMs,
      this.#options.sealer,
    );
    const lease = new Lease(performance.now(), times, () => journal.renew(times.leaseMs));
    this.#leases.add(lease);
    try {
      const begun = await lease.guard(journal.begin(data.lane, policy.crashBudget, gate.admission(region, action)));
      if (begun.verdict === 'sealed') return await this.#untilOpened(id, journal, begun.generation, data.lane);
      if (begun.record === null) return { kind: begun.verdict === 'lost' ? 'lost' : 'missing' };
      const { edges, outbox, objectFolder, mode, reuse, keepFramesMs, demands, log } = this.#options;
      const shared = { journal, gate, outbox, edges, policy, objectFolder, mode, reuse, keepFramesMs, demands };
      const tools = { ...shared, log: new RunLog(log, id) };
      return await new Attempt(tools, lease, begun, begun.record).run();
    } catch (error) {
      if (lease.lost) return { kind: 'lost' };
      throw error;
    } finally {
      lease.stop();
      this.#leases.delete(lease);
    }
  }
}

/** BullMQ keeps and shows the text and the stack of what ends a job: our code with its title, and no stack. */
function ended(code: string): UnrecoverableError {
  const error = new UnrecoverableError(`${code}: ${explain(code)?.title ?? 'no answer could be had'}`);
  delete error.stack;
  return error;
}
