/**
 * Light sequences, requested while a person stands in front of a phone. There is no verification, no job and no journal:
 * generate() returns the sequence or throws a Failure (docs/decisions/sequences.md).
 *
 * What must hold:
 * 1. Every request is answered within the deadline, even if the vendor or Redis hangs.
 * 2. Nothing is uploaded before its deletion is scheduled in Redis. So a process that dies leaves no device data behind in the
 *    company's own bucket.
 * 3. All processes of the deployment share the rate limit and the gate. If the gate is closed, the request fails at once, before
 *    anything is uploaded.
 * 4. Requests with the same key share one sequence for some minutes. A call is repeated only if it failed.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { asFailure, type Failure, inputFailure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify, type ErrorClass, failureCode } from '../domain/errors/index.ts';
import { SEQUENCE, SEQUENCE_CALL } from '../domain/verification/actions.ts';
import { objectKey, sequenceFingerprint, sequenceId } from '../domain/verification/identity.ts';
import { type LightSequence, parseSequence, type SequenceOrder } from '../domain/verification/light-sequence.ts';
import type { Mode } from '../domain/verification/mode.ts';
import { redisFailure, waitUntilReady } from '../redis/connection.ts';
import { increment } from '../redis/counters.ts';
import type { Deployment } from '../redis/deployment.ts';
import type { EraseQueue } from '../redis/erase-queue.ts';
import { jobOptions } from '../redis/job-options.ts';
import { claimSequence, dropSequence, type KeptSequence, keepSequence, readSequence } from '../redis/kept-sequences.ts';
import type { Gate, GateEntry } from './gate.ts';
import { saysAccountIsFine } from './payment.ts';
import { RunLog, stackOf } from './run-log.ts';
import { sleep } from './sleep.ts';
import { accusesAccount, type Edges, sequence } from './stages/index.ts';

export interface LightSequencesOptions {
  /** The deployment, over a producer's connection, which fails fast if Redis is unreachable. */
  readonly deployment: Deployment;
  readonly edges: Pick<Edges, 'bucket' | 'faceId' | 'links'>;
  readonly gate: Gate;
  readonly eraseQueue: EraseQueue;
  readonly namespace: string;
  readonly mode: Mode;
  readonly objectFolder: string;
  readonly log: Logger;
  /**
   * The time within which every request is answered, ms.
   * @default 10_000
   */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 10_000;
/** One try and one quick retry. Each may take half of the time until the deadline. */
const MAX_TRIES = 2;
const RETRYABLE: ReadonlySet<ErrorClass> = new Set(['transient', 'reupload', 'throttled']);
/** Share of the time until the deadline for which a request may wait for a rate-limit slot. */
const SLOT_WAIT_SHARE = 0.3;
/** If less time than this is left, there is no retry. */
const MIN_RETRY_MS = 500;
/** How long a sequence is kept under its key. */
const RESULT_TTL_MS = 5 * 60_000;
/** Interval at which a request checks for the result of another request with the same key. */
const POLL_MS = 100;
const CLAIM_MARGIN_MS = 1_000;
/** Life of signed links; equals the time limit of an interactive call. */
const LINK_TTL_MS = 15_000;
const READY_TIMEOUT_MS = 3_000;

export class LightSequences {
  readonly #options: LightSequencesOptions;
  readonly #deadlineMs: number;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: LightSequencesOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /**
   * @param request a `SequenceRequest`.
   * @throws Failure: for bad input, INVALID_SEQUENCE or one of the SOURCE_ codes (with `field`); KEY_CONFLICT if the key was used
   * for another request; SEQUENCE_BUSY if no rate-limit slot comes soon enough; SEQUENCE_LATE after the deadline;
   * REDIS_UNAVAILABLE; the code that closed the gate; or the vendor's code.
   */
  async generate(request: unknown): Promise<LightSequence> {
    const order = parseSequence(request);
    const limit = new AbortController();
    const endsAt = performance.now() + this.#deadlineMs;
    const work = this.#generateOncePerKey(order, endsAt, limit.signal);
    const running = work.catch(() => undefined); // the race below reports this error or, earlier, the passed deadline
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        limit.abort(sequenceLate());
        reject(limit.signal.reason);
      }, this.#deadlineMs);
    });
    try {
      return await Promise.race([work, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when no request is running. This takes at most `deadlineMs` after the last request. */
  async whenIdle(): Promise<void> {
    await Promise.all(this.#running);
  }

  // ── one sequence for each key ────────────────────────────────────────────────────────────────────────────────────

  async #generateOncePerKey(order: SequenceOrder, endsAt: number, signal: AbortSignal): Promise<LightSequence> {
    const { deployment, namespace, mode } = this.#options;
    await waitUntilReady(deployment.redis, READY_TIMEOUT_MS);
    if (order.key === undefined) return this.#generate(order, endsAt);
    const id = sequenceId(namespace, mode, order.key);
    const payload = [order.md5, order.region, order.upload, order.securityLevel ?? ''];
    const fingerprint = sequenceFingerprint(namespace, payload);
    // If this process dies, its claim on the key expires by itself, but only after the request's deadline.
    const claimMs = this.#deadlineMs + CLAIM_MARGIN_MS;
    while (!(await orRedisFailure(claimSequence(deployment, id, { fingerprint }, claimMs)))) {
      const kept = await orRedisFailure(readSequence(deployment, id));
      if (kept !== null && kept.fingerprint !== fingerprint) throw keyConflict();
      if (kept?.sequence !== undefined) return { ...kept.sequence, bytes: Buffer.from(kept.sequence.bytes, 'base64') };
      await sleep(POLL_MS, signal);
    }
    let generated: LightSequence;
    try {
      generated = await this.#generate(order, endsAt);
    } catch (error) {
      await this.#tryStep('drop_claim', dropSequence(deployment, id)); // if this fails, the claim expires by itself
      throw error;
    }
    // The sequence is kept even if the request has timed out, so that the caller gets the sequence when it asks again.
    const { md5, requestId } = generated;
    const kept: KeptSequence = {
      fingerprint,
      sequence: { bytes: Buffer.from(generated.bytes).toString('base64'), md5, requestId },
    };
    await this.#tryStep('keep_result', keepSequence(deployment, id, kept, RESULT_TTL_MS)); // the caller has the result anyway
    return generated;
  }

  // ── generating a sequence ────────────────────────────────────────────────────────────────────────────────────────

  async #generate(order: SequenceOrder, endsAt: number): Promise<LightSequence> {
    const { gate, edges } = this.#options;
    const { region, upload } = order;
    const id = `s${randomBytes(12).toString('hex')}`;
    const inOwnBucket = upload === 'own-bucket';
    if (inOwnBucket) edges.bucket(region); // if no bucket is configured, fail before a deletion is scheduled
    const entry = await orRedisFailure(gate.checkEntry(region, SEQUENCE_CALL, id, this.#deadlineMs * SLOT_WAIT_SHARE));
    try {
      const eraseNow = inOwnBucket ? await this.#scheduleErasure(id, order) : async () => undefined;
      const tries: SequenceTry[] = [];
      try {
        for (let generation = 0; ; generation += 1) {
          const current = { order, id, generation, entry, endsAt, uploaded: false, called: false, slotRefused: false };
          tries.push(current);
          try {
            return await this.#try(current);
          } catch (error) {
            if (!(await this.#shouldRetry(current, asFailure(error)))) throw asFailure(error);
          }
        }
      } finally {
        // An aborted PUT may still arrive at COS. So unless every PUT was answered, the deletion stays at its scheduled time.
        if (tries.every(({ uploaded }) => uploaded)) await eraseNow();
      }
    } finally {
      // If this fails, another call may probe as soon as the time of this probe is over.
      if (entry.probe) await this.#tryStep('release_probe', gate.releaseProbe(region, SEQUENCE_CALL, id));
    }
  }

  async #try(current: SequenceTry): Promise<LightSequence> {
    const { edges, gate, objectFolder, log } = this.#options;
    const { order, id, generation, entry, endsAt } = current;
    const { region, upload } = order;
    const startedAt = performance.now();
    const limit = new AbortController();
    const { signal } = limit;
    const timeoutMs = Math.min(this.#deadlineMs / MAX_TRIES, endsAt - startedAt);
    const timer = setTimeout(() => limit.abort(sequenceLate()), timeoutMs);
    try {
      const generated = await sequence(order, {
        edges,
        signal,
        key: objectKey(objectFolder, id, generation, SEQUENCE.resource),
        linkMs: LINK_TTL_MS,
        onStored: () => {
          current.uploaded = true;
        },
        uploadUrlTurn: gate.uploadUrlTurns(region, 1, signal),
        turn: async () => {
          const { slot } = await this.#takeSlot(current);
          const turn = await gate.waitForSlot(slot, signal);
          current.called = true;
          return turn;
        },
      });
      const { requestId } = generated;
      const ms = Math.round(performance.now() - startedAt);
      log.info({ id, event: 'sequence_generated', region, upload, requestId, ms }, 'light sequence generated');
      if (entry.probe) await this.#reopenGate(current);
      return generated;
    } finally {
      clearTimeout(timer);
    }
  }

  async #takeSlot(current: SequenceTry): Promise<GateEntry> {
    const { order, id } = current;
    const mostWaitMs = this.#deadlineMs * SLOT_WAIT_SHARE;
    try {
      return await orRedisFailure(this.#options.gate.takeSlot(order.region, SEQUENCE_CALL, id, mostWaitMs));
    } catch (error) {
      current.slotRefused = true;
      throw error;
    }
  }

  /** Reports the failure to the gate. @returns whether to try again. */
  async #shouldRetry(current: SequenceTry, failure: Failure): Promise<boolean> {
    const { id, generation, called, slotRefused, endsAt } = current;
    const { class: kind } = classify(failure);
    const hasTryLeft = generation + 1 < MAX_TRIES && endsAt - performance.now() >= MIN_RETRY_MS;
    const retry = !slotRefused && RETRYABLE.has(kind) && hasTryLeft;
    const { requestId, httpStatus } = failure;
    const facts = { id, event: 'sequence_failed', code: failureCode(failure), class: kind, called, retry };
    const cause = failure.code === CODES.INTERNAL ? { stack: stackOf(failure.cause) } : {};
    this.#options.log.warn({ ...facts, ...cause, requestId, httpStatus }, `light sequence: ${failureCode(failure)}`);
    if (failure.code === CODES.REPLY_SHAPE)
      await this.#tryStep('count_shape', increment(this.#options.deployment, 'replyShapes'));
    // If the report fails, the next request reports the same trouble.
    if (!slotRefused) await this.#tryStep('report_to_gate', this.#reportToGate(current, failure, kind));
    return retry;
  }

  async #reportToGate(current: SequenceTry, failure: Failure, kind: ErrorClass): Promise<void> {
    const { gate, log } = this.#options;
    const { order, id, entry, called } = current;
    const { region } = order;
    if (kind === 'throttled' && failure.service === 'faceid')
      await gate.slowDown(region, called ? SEQUENCE_CALL : 'CreateUploadUrl');
    if (entry.probe && called && failure.sent === 'answered' && saysAccountIsFine(failure))
      await this.#reopenGate(current);
    if (!accusesAccount(failure)) return;
    const change = await gate.trip(region, SEQUENCE_CALL, { id, epoch: entry.epoch, code: failureCode(failure) });
    if (change === 'tripped' || change === 'probed') new RunLog(log, id).gate(change, failureCode(failure));
  }

  async #reopenGate({ order, id }: SequenceTry): Promise<void> {
    const { gate, log } = this.#options;
    // If this fails, the next probe opens the gate.
    const opened = await this.#tryStep('reopen_gate', gate.reopen(order.region, SEQUENCE_CALL, id));
    if (opened === true) new RunLog(log, id).gate('opened', null);
  }

  /** Schedules the deletion of everything that the tries upload. @returns a function that starts the deletion now. */
  async #scheduleErasure(id: string, { region }: SequenceOrder): Promise<() => Promise<void>> {
    const job = await orRedisFailure(
      this.#options.eraseQueue.add(
        'erase',
        { id, region, action: SEQUENCE_CALL, generations: MAX_TRIES },
        { ...jobOptions.erase, jobId: `erase-${id}-${MAX_TRIES}`, delay: this.#deadlineMs + LINK_TTL_MS },
      ),
    );
    return async () => {
      await this.#tryStep('erase_now', job.promote()); // if this fails, the job runs at its scheduled time
    };
  }

  /**
   * Awaits a step that may fail without harm. If it fails, its effect comes later by itself. @returns null if the step failed.
   */
  async #tryStep<T>(step: string, work: Promise<T>): Promise<T | null> {
    try {
      return await work;
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      this.#options.log.debug({ event: 'sequence_step_failed', step, error: name }, 'light sequence: a step failed');
      return null;
    }
  }
}

/** One try of a request. */
interface SequenceTry {
  readonly order: SequenceOrder;
  readonly id: string;
  readonly generation: number;
  readonly entry: GateEntry;
  /** The request's deadline, by `performance.now()`. */
  readonly endsAt: number;
  /** Whether the PUT of the device data was answered. */
  uploaded: boolean;
  /** Whether the call's slot has come. From then on, the call itself may be what failed. */
  called: boolean;
  /** Whether the gate refused a slot. Such a failure is not reported to the gate, because the gate caused it. */
  slotRefused: boolean;
}

/** Awaits a Redis command. @throws Failure REDIS_UNAVAILABLE in place of an error of ioredis. */
async function orRedisFailure<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    throw redisFailure(error);
  }
}

function keyConflict(): Failure {
  const message = 'key was used for other device data or settings a moment ago: use a new key';
  return inputFailure(CODES.KEY_CONFLICT, 'key', message);
}

function sequenceLate(): Failure {
  const message = 'the light sequence was not generated in time: ask again';
  return localFailure(CODES.SEQUENCE_LATE, message, { sent: 'maybe' });
}
