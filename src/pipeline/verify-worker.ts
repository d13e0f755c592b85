/**
 * The worker of one region's queue: takes jobs from BullMQ, runs attempts, and completes, fails or delays each job accordingly.
 *
 * BullMQ's lock renewal is off (see lease.ts), each job has one BullMQ attempt, and the stall limit is never reached. So a
 * stalled job always returns to the queue, and the start of the next attempt (begin-attempt.lua) decides what happens to the job.
 */
import { DelayedError, type Job, type Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import { CODES, explain } from '../domain/errors/index.ts';
import type { BreakerTuning } from '../domain/operations/breakers.ts';
import type { CostSettings } from '../domain/operations/costs.ts';
import { type EvidenceSettings, planEvidence } from '../domain/operations/evidence.ts';
import type { Observer } from '../domain/operations/process-metrics.ts';
import {
  findForbiddenPlace,
  stagedResources,
  type TenantWall,
  tenantFolder,
  wallOf,
} from '../domain/operations/tenants.ts';
import { NO_TRACER, type SpanFacts, type Tracer } from '../domain/operations/tracing.ts';
import {
  ACTION_NAMES,
  type ActionName,
  DEFAULT_ACTION,
  type GatedAction,
  isResultCall,
  serves,
} from '../domain/verification/actions.ts';
import { flowOf } from '../domain/verification/flows.ts';
import type { Mode } from '../domain/verification/mode.ts';
import { type Policy, SUSPECT_AFTER } from '../domain/verification/policy.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Lane, RequirableField } from '../domain/verification/request.ts';
import { readClock } from '../redis/clock.ts';
import { bullmqOptions, type Deployment } from '../redis/deployment.ts';
import { RESUME_PRIORITY, VERIFY_JOB_RETENTION, type VerifyJob } from '../redis/job-options.ts';
import { verifyQueue } from '../redis/names.ts';
import type { Outbox } from '../redis/outbox.ts';
import { currentStage } from '../redis/progress.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { AttemptStart } from '../redis/scripts/begin-attempt.ts';
import type { TenantPolicies } from '../redis/tenant-policies.ts';
import { Attempt } from './attempt.ts';
import type { AttemptEnd } from './attempt-ends.ts';
import type { AttemptTools, ReusePolicy } from './attempt-tools.ts';
import { Breakers } from './breakers.ts';
import type { Gate } from './gate.ts';
import { Journal } from './journal.ts';
import { Lease, type LeaseTimes } from './lease.ts';
import type { Machine } from './machine.ts';
import type { Leave, Occupancy } from './occupancy.ts';
import { RunLog } from './run-log.ts';
import { SourceShares } from './source-shares.ts';
import type { Edges } from './stages/index.ts';
import { drainWorker, errorFacts, JobCount, logWorkerErrors, startWorker } from './worker-lifecycle.ts';

export interface VerifyWorkerOptions {
  readonly deployment: Deployment;
  readonly region: Region;
  readonly edges: Edges;
  readonly gate: Gate;
  readonly outbox: Outbox;
  /** While its machine has a fault, the worker takes no jobs. */
  readonly machine: Machine;
  /** Shared by all workers of this process. */
  readonly occupancy: Occupancy;
  readonly policy: Policy;
  readonly breakers: BreakerTuning;
  readonly lease: LeaseTimes;
  /** How often BullMQ checks for jobs whose lock has expired. */
  readonly stalledIntervalMs: number;
  readonly slots: number;
  readonly objectFolder: string;
  /** The own bucket of each region. */
  readonly buckets: ReadonlyMap<Region, string>;
  /** Shared by all workers of this process. */
  readonly tenants: TenantPolicies;
  /** Redis drops a record this long after the end of the verification. */
  readonly expiryMs: number;
  readonly keepFramesMs: number;
  readonly keepSourcesMs: number;
  readonly evidence: EvidenceSettings;
  /** The keyed hash that marks the receipts of this deployment. */
  readonly receiptOwner: string;
  readonly mode: Mode;
  readonly reuse: ReusePolicy;
  readonly costs: CostSettings;
  readonly demands: readonly RequirableField[];
  readonly observer?: Observer | undefined;
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
}

/**
 * Number of jobs that all workers together run for each allowed call per second: enough for verifications of up to six seconds.
 */
const SLOTS_PER_QPS = 6;
/** Delay before another worker can take a job that this worker may not run, ms. */
const RETURN_MS = 100;
/** How long a verification that is suspected of crashing workers waits until it is alone in the process, ms. */
const ALONE_WAIT_MS = 10_000;
const NEVER = 2 ** 31 - 1;
/**
 * Time allowed for requeueing running jobs at the end of a drain, ms. Meanwhile a paid call goes on; the next attempt finds the
 * call's intent.
 */
const RELEASE_MS = 2_000;

export class VerifyWorker {
  readonly jobs = new JobCount();
  readonly #options: VerifyWorkerOptions;
  readonly #worker: Worker<VerifyJob>;
  readonly #shares: SourceShares;
  /** The leases of the running attempts. */
  readonly #leases = new Set<Lease>();

  constructor(options: VerifyWorkerOptions) {
    this.#options = options;
    this.#shares = new SourceShares(options.slots);
    this.#worker = new Worker<VerifyJob>(
      verifyQueue(options.region),
      (job, token) => this.jobs.run(() => this.#process(job, token)),
      {
        ...bullmqOptions(options.deployment),
        concurrency: options.slots,
        lockDuration: options.lease.leaseMs,
        skipLockRenewal: true,
        stalledInterval: options.stalledIntervalMs,
        maxStalledCount: NEVER,
        runRetryDelay: 1_000,
        autorun: false,
        ...VERIFY_JOB_RETENTION,
      },
    );
    logWorkerErrors(this.#worker, options.log);
  }

  /** @param queue the queue of the same region. Its global concurrency is set here. */
  async start(queue: Queue): Promise<void> {
    const { gate, region } = this.#options;
    const served = ACTION_NAMES.filter((action) => serves(region, action));
    const qps = Math.max(...served.map((action) => gate.limit(region, action)));
    await queue.setGlobalConcurrency(Math.ceil(qps * SLOTS_PER_QPS));
    const { machine, log } = this.#options;
    machine.subscribe((fault) => this.#follow(fault));
    if (machine.fault === null) await startWorker(this.#worker, log);
  }

  /** Takes no new jobs during a fault of this machine. Running attempts go on, because the fault may not concern them. */
  #follow(fault: Failure | null): void {
    const { log } = this.#options;
    const moved = fault === null ? this.#worker.resume() : this.#worker.pause(true);
    moved.catch((error: unknown) => {
      log.error({ event: 'worker_error', ...errorFacts(error) }, 'the worker could not be stopped or resumed');
    });
  }

  /** Takes no new jobs and finishes the running ones. @returns false if the deadline passed first and jobs were requeued. */
  async drain(deadlineMs: number): Promise<boolean> {
    const drained = { jobs: this.jobs, deployment: this.#options.deployment };
    if (await drainWorker(this.#worker, deadlineMs, drained)) return true;
    for (const lease of this.#leases) lease.releaseOnDrain();
    await drainWorker(this.#worker, RELEASE_MS, drained);
    return false;
  }

  /**
   * A job ends only if its record is terminal or missing. In every other case, such as an unexpected error, this method throws a
   * DelayedError, and BullMQ leaves the job where it is. A job that was not delayed before the throw stays in `active`, and
   * returns to the queue when its lock expires.
   */
  async #process(job: Job<VerifyJob>, token: string | undefined): Promise<unknown> {
    if (token === undefined || job.id === undefined) throw new DelayedError('a job without token or id');
    let end: AttemptEnd;
    try {
      if (this.#options.machine.fault !== null)
        end = { kind: 'later', delayMs: RETURN_MS }; // the job was fetched just before the fault
      else end = await this.#attempt(job.id, job, token, job.attemptsStarted);
      if (end.kind === 'later' || end.kind === 'held') await this.#moveLater(job, token, end);
    } catch (error) {
      const facts = errorFacts(error);
      const text = `attempt aborted (${facts.reason ?? facts.error}); the verification returns when its lock runs out`;
      this.#options.log.error({ id: job.id, event: 'attempt_aborted', ...facts }, text);
      throw new DelayedError('attempt aborted');
    }
    if (end.kind === 'done' && end.state !== 'failed') return { state: end.state, decision: end.decision };
    if (end.kind === 'done') throw jobFailure(end.code ?? CODES.INTERNAL);
    if (end.kind === 'parked') {
      job.opts.removeOnComplete = true; // a job that stayed would keep the session's next job out
      return { state: 'delayed' };
    }
    if (end.kind === 'missing') throw jobFailure(CODES.RECORD_MISSING);
    throw new DelayedError(end.kind);
  }

  async #moveLater(job: Job<VerifyJob>, token: string, end: AttemptEnd): Promise<void> {
    const delayMs = end.kind === 'later' ? end.delayMs : end.kind === 'held' ? end.leftMs : 0;
    // A delayed job with priority 0 is served before all waiting jobs. But after an outage, all verifications that have not begun
    // return at the same time, so each of them gets the priority that it had.
    const inLane = end.kind === 'later' && end.inLane === true;
    await job.changePriority({ priority: inLane ? (job.opts.priority ?? RESUME_PRIORITY) : RESUME_PRIORITY });
    await job.moveToDelayed((await this.#now()) + delayMs, token);
  }

  /**
   * The time from which a job's delay is counted. Other workers compare the end of the delay with their own clocks, so if this
   * machine's clock is off, Redis's time is used.
   */
  #now(): number | Promise<number> {
    const { machine, deployment } = this.#options;
    return machine.fault?.code === CODES.CLOCK_OFF ? readClock(deployment) : Date.now();
  }

  /**
   * Requeues a job whose record this worker can neither read nor end, because the worker lacks the sealing key. An operator must
   * add the key; no attempt is counted.
   */
  async #requeueSealed(id: string, journal: Journal, generation: number, lane: Lane): Promise<AttemptEnd> {
    const { policy, log } = this.#options;
    const delayMs = policy.accountWaitMs[lane];
    const reason = { code: CODES.SEAL_KEY_MISSING, class: 'account' } as const;
    const step = { generation, delayMs, stage: 'upload', countAttempt: false, rewind: false, reason } as const;
    log.error(
      { id, event: 'record_sealed', code: reason.code },
      'a key of the key ring is missing: check BESTFRAME_KEY_RING',
    );
    return (await journal.requeue({ ...step, entry: null })) === 'ok' ? { kind: 'later', delayMs } : { kind: 'lost' };
  }

  async #attempt(id: string, { name, data }: Job<VerifyJob>, token: string, ats: number): Promise<AttemptEnd> {
    const { deployment, region, lease: times, expiryMs, occupancy } = this.#options;
    const { action, call } = workOf(name);
    const journal = new Journal(deployment, { id, region, action, call, token, ats }, expiryMs);
    const lease = new Lease(performance.now(), times, () => journal.renew(times.leaseMs));
    this.#leases.add(lease);
    let leave: Leave | null = null;
    try {
      leave = await enterOrNull(occupancy, lease);
      if (leave === null) return lease.lost ? { kind: 'lost' } : { kind: 'later', delayMs: 0 };
      const { policy, gate } = this.#options;
      const start = await lease.guard(journal.begin(data.lane, policy.crashBudget, gate.admission(region, call)));
      const { record, verdict } = start;
      if (verdict === 'sealed') return await this.#requeueSealed(id, journal, start.generation, data.lane);
      if (record === null) return { kind: verdict === 'lost' ? 'lost' : 'missing' };
      if (verdict === 'go' && record.unreportedRuns > SUSPECT_AFTER) {
        leave();
        leave = await occupancy.enterAlone(lease.signal, ALONE_WAIT_MS);
        if (leave === null) return await requeueSuspect(journal, record);
        const marked = await lease.guard(journal.markAlone());
        if (marked === 'lost') return { kind: 'lost' };
      }
      return await this.#traced({ region, lane: data.lane, action }, record, () =>
        this.#run(id, { journal, lease, start, record }),
      );
    } catch (error) {
      if (lease.lost) return { kind: 'lost' };
      throw error;
    } finally {
      leave?.();
      lease.stop();
      this.#leases.delete(lease);
    }
  }

  /** The tenant's policy says for how many days evidence is kept; else the settings do. */
  async #evidenceFor(tenant: string | null): Promise<AttemptTools['evidenceOf']> {
    const { evidence, tenants } = this.#options;
    const policy = tenant === null ? null : await tenants.policyOf(tenant);
    const days = policy?.evidenceDays ?? evidence.days;
    return ({ id, region, decidedAt, evidence: before }) =>
      planEvidence({ id, tenant, region, decidedAt: decidedAt ?? Date.now(), before }, evidence, days);
  }

  /** A policy that was widened just now may be missing from the cache. So before a place is refused, the policy is read again. */
  async #wallOf({ id, tenant, order }: JournalRecord): Promise<TenantWall | null> {
    if (tenant === null) return null;
    const { tenants, objectFolder, buckets } = this.#options;
    const surroundings = { objectFolder, buckets };
    const wall = wallOf(tenant, await tenants.policyOf(tenant), surroundings);
    if (order === null || findForbiddenPlace(wall, order, stagedResources(id, order)) === null) return wall;
    return wallOf(tenant, (await tenants.find(tenant))?.policy ?? null, surroundings);
  }

  /** Runs an attempt within a span, which continues the trace of the verification. */
  #traced(facts: SpanFacts, { id, traceparent, starts }: JournalRecord, run: () => Promise<AttemptEnd>) {
    const { tracer = NO_TRACER } = this.#options;
    const options = { parent: traceparent, kind: 'consumer', facts: { ...facts, id, attempt: starts } } as const;
    return tracer.run('bestframe attempt', options, async (span) => {
      const end = await run();
      if (end.kind === 'done') span.note({ state: end.state, code: end.code });
      return end;
    });
  }

  async #run(
    id: string,
    { journal, lease, start, record }: { journal: Journal; lease: Lease; start: AttemptStart; record: JournalRecord },
  ): Promise<AttemptEnd> {
    const {
      edges,
      outbox,
      objectFolder,
      mode,
      reuse,
      costs,
      keepFramesMs,
      keepSourcesMs,
      demands,
      machine,
      gate,
      policy,
    } = this.#options;
    const { deployment, region, breakers: tuning } = this.#options;
    const log = new RunLog(this.#options.log, id, this.#options.observer, record);
    if (start.verdict === 'go') log.began(start.now);
    const { tenant } = record;
    const evidenceOf = await lease.guard(this.#evidenceFor(tenant));
    const wall = start.verdict === 'go' ? await lease.guard(this.#wallOf(record)) : null;
    const breakers = new Breakers({ deployment, id, region, tuning, seen: start.breakers, log });
    const shared = {
      journal,
      gate,
      outbox,
      edges,
      policy,
      wall,
      objectFolder: tenantFolder(objectFolder, tenant),
      mode,
      reuse,
      evidenceOf,
      keepFramesMs: shorter(keepFramesMs, wall?.policy.keepFramesHours),
      keepSourcesMs: Math.min(keepSourcesMs, hoursMs(wall?.policy.keepSourcesHours)),
      demands,
      machine,
      costs,
    };
    const { receiptOwner, tracer = NO_TRACER } = this.#options;
    return new Attempt(
      { ...shared, breakers, shares: this.#shares, receiptOwner, tracer, log },
      lease,
      start,
      record,
    ).run();
  }
}

/** The action of a job, and the call whose gate it passes. @param name the action or, for a session with a token, the result call */
function workOf(name: string): { readonly action: ActionName; readonly call: GatedAction } {
  if (isResultCall(name)) return { action: flowOf(name), call: name };
  const action = ACTION_NAMES.find((each) => each === name) ?? DEFAULT_ACTION;
  return { action, call: action };
}

/** @param mostHours undefined: no limit. @returns ms; `keepMs` 0 means for ever. */
function shorter(keepMs: number, mostHours: number | undefined): number {
  if (mostHours === undefined) return keepMs;
  return keepMs === 0 ? hoursMs(mostHours) : Math.min(keepMs, hoursMs(mostHours));
}

function hoursMs(hours = Number.POSITIVE_INFINITY): number {
  return hours * 3_600_000;
}

/**
 * Waits while a suspect runs. @returns null if the lease ended during the wait. In this case the attempt's own run has not begun,
 * so there is nothing to record.
 */
async function enterOrNull(occupancy: Occupancy, lease: Lease): Promise<Leave | null> {
  try {
    return await occupancy.enter(lease.signal);
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

/**
 * Requeues a suspect because other attempts kept running here. Another process may be able to run it alone. No attempt and no
 * crash is counted.
 */
async function requeueSuspect(journal: Journal, record: JournalRecord): Promise<AttemptEnd> {
  const delayMs = ALONE_WAIT_MS / 2 + Math.round((Math.random() * ALONE_WAIT_MS) / 2);
  const reason = { code: CODES.RUNS_ALONE, class: 'throttled' } as const;
  const place = { generation: record.generation, stage: currentStage(record) };
  const answer = await journal.requeue({ ...place, delayMs, countAttempt: false, rewind: false, reason, entry: null });
  return answer === 'lost' ? { kind: 'lost' } : { kind: 'later', delayMs: answer === 'ok' ? delayMs : 0 };
}

/** The error that ends a job. BullMQ keeps and shows it, so it contains only our code and the code's title, and no stack. */
function jobFailure(code: string): UnrecoverableError {
  const error = new UnrecoverableError(`${code}: ${explain(code)?.title ?? 'no answer could be had'}`);
  delete error.stack;
  return error;
}
