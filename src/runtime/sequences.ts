/**
 * Light sequences, asked for by somebody who stands in front of a phone. No verification, no job, no journal: the answer is
 * returned, or the reason why there is none (docs/decisions/sequences.md).
 *
 * What must hold:
 * 1. Whoever asks has an answer or a Failure within the deadline, whatever hangs.
 * 2. Nothing is uploaded before its deletion is in Redis: a process that dies leaves no device data in the own bucket.
 * 3. The rate and the gate are the deployment's. A gate that is closed is said at once, and nothing is uploaded.
 * 4. Under one key, for some minutes, there is one sequence; it is called for again only where it could not be had.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { SEQUENCE, SEQUENCE_CALL } from '../domain/actions.ts';
import { CODES, classify, type ErrorClass, nameOf } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import { objectKey, sequenceFingerprint, sequenceId } from '../domain/identity.ts';
import { type LightSequence, parseSequence, type SequenceOrder } from '../domain/sequences.ts';
import type { Mode } from '../domain/verification.ts';
import { type RedisClient, redisFailure, untilReady } from '../queue/connection.ts';
import type { EraseQueue } from '../queue/erase-queue.ts';
import type { Names } from '../queue/names.ts';
import { jobOptions } from '../queue/options.ts';
import type { Sealer } from '../queue/seal.ts';
import { type Edges, sequence } from '../stages/index.ts';
import { OWN_TROUBLE } from './attempt.ts';
import type { Entered, Gate } from './gate.ts';
import { RunLog, stackOf } from './log.ts';
import { saysAccountIsFine } from './pay.ts';
import { sleep } from './sleep.ts';

export interface SequencesOptions {
  /** A producer's: it says at once that Redis is away. */
  readonly redis: RedisClient;
  readonly names: Names;
  readonly edges: Pick<Edges, 'bucket' | 'faceId' | 'links'>;
  readonly gate: Gate;
  readonly eraseQueue: EraseQueue;
  readonly sealer: Sealer;
  readonly namespace: string;
  readonly mode: Mode;
  readonly objectFolder: string;
  readonly log: Logger;
  /** Until an answer, ms; default ten seconds. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 10_000;
/** The first, and one quick repeat. Each has half of the time. */
const TRIES = 2;
const REPEATED: ReadonlySet<ErrorClass> = new Set(['transient', 'reupload', 'throttled']);
/** Of the time, what may be spent on waiting for a slot of the rate. */
const PATIENCE = 0.3;
/** With less time left, nothing is tried again. */
const LEAST_MS = 500;
/** An answer is given again under its key for so long. */
const KEPT_MS = 5 * 60_000;
/** Another request under the same key is at it. */
const LOOK_AGAIN_MS = 100;
const CLAIM_MARGIN_MS = 1_000;
/** Of a link, as of an interactive call's. */
const LINK_MS = 15_000;
const READY_MS = 3_000;

/** What lies in Redis under a key: who asked for what, and the sequence once it is there. */
interface Kept {
  readonly fingerprint: string;
  readonly sequence?: { readonly bytes: string; readonly md5: string; readonly requestId: string };
}

export class Sequences {
  readonly #options: SequencesOptions;
  readonly #deadlineMs: number;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: SequencesOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /**
   * @param request a `SequenceRequest`.
   * @throws Failure INVALID_SEQUENCE and the source codes (with `field`), KEY_CONFLICT, SEQUENCE_BUSY, SEQUENCE_LATE,
   * REDIS_UNAVAILABLE, the code that a gate is closed for, or what the vendor answered.
   */
  async generate(request: unknown): Promise<LightSequence> {
    const order = parseSequence(request);
    const limit = new AbortController();
    const endsAt = performance.now() + this.#deadlineMs;
    const work = this.#once(order, endsAt, limit.signal);
    const running = work.catch(() => undefined); // whoever asks is told below, or was when the time was up
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        limit.abort(tooLate());
        reject(limit.signal.reason);
      }, this.#deadlineMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for what is under way: no longer than a deadline. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  // ── once under a key ─────────────────────────────────────────────────────────────────────────────────────────────

  async #once(order: SequenceOrder, endsAt: number, signal: AbortSignal): Promise<LightSequence> {
    const { redis, namespace, mode } = this.#options;
    await untilReady(redis, READY_MS);
    if (order.key === undefined) return this.#make(order, endsAt);
    const id = sequenceId(namespace, mode, order.key);
    const asked = [order.md5, order.region, order.upload, order.securityLevel ?? ''];
    const fingerprint = sequenceFingerprint(namespace, asked);
    // A process that dies over it keeps its place for no longer than it could have taken.
    while (!(await this.#put(id, { fingerprint }, this.#deadlineMs + CLAIM_MARGIN_MS, 'NX'))) {
      const kept = await this.#kept(id);
      if (kept !== null && kept.fingerprint !== fingerprint) throw conflict();
      if (kept?.sequence !== undefined) return { ...kept.sequence, bytes: Buffer.from(kept.sequence.bytes, 'base64') };
      await sleep(LOOK_AGAIN_MS, signal);
    }
    let made: LightSequence;
    try {
      made = await this.#make(order, endsAt);
    } catch (error) {
      await this.#leftToTime(redis.del(this.#options.names.sequence(id)), 'claim'); // it expires by itself
      throw error;
    }
    // Kept too where its asker was told that it was late: it is there when they ask again.
    const { md5, requestId } = made;
    const sequence = { bytes: Buffer.from(made.bytes).toString('base64'), md5, requestId };
    await this.#leftToTime(this.#put(id, { fingerprint, sequence }, KEPT_MS), 'answer'); // who waits has it all the same
    return made;
  }

  async #put(id: string, kept: Kept, ttlMs: number, only?: 'NX'): Promise<boolean> {
    const { redis, names, sealer } = this.#options;
    const text = sealer.seal(id, 'sequence', JSON.stringify(kept));
    const name = names.sequence(id);
    const written = only === 'NX' ? redis.set(name, text, 'PX', ttlMs, 'NX') : redis.set(name, text, 'PX', ttlMs);
    return (await answerOf(written)) === 'OK';
  }

  async #kept(id: string): Promise<Kept | null> {
    const { redis, names, sealer } = this.#options;
    const text = await answerOf(redis.get(names.sequence(id)));
    return text === null ? null : (JSON.parse(sealer.open(id, 'sequence', text)) as Kept);
  }

  // ── making one ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #make(order: SequenceOrder, endsAt: number): Promise<LightSequence> {
    const { gate, edges } = this.#options;
    const { region, upload } = order;
    const id = `s${randomBytes(12).toString('hex')}`;
    const own = upload === 'own-bucket';
    if (own) edges.bucket(region); // where there is none, there is nothing to delete either
    const entered = await answerOf(gate.enter(region, SEQUENCE_CALL, id, this.#deadlineMs * PATIENCE, false));
    try {
      const eraseNow = own ? await this.#eraseLater(id, order) : async () => undefined;
      const tries: Attempted[] = [];
      try {
        for (let generation = 0; ; generation += 1) {
          const attempt = { order, id, generation, entered, endsAt, stored: false, called: false, withheld: null };
          tries.push(attempt);
          try {
            return await this.#try(attempt);
          } catch (error) {
            if (!(await this.#isRepeated(attempt, asFailure(error)))) throw asFailure(error);
          }
        }
      } finally {
        // A PUT that was broken off may still arrive: then the deletion keeps its own time.
        if (tries.every(({ stored }) => stored)) await eraseNow();
      }
    } finally {
      if (entered.probe) await this.#leftToTime(gate.leave(region, SEQUENCE_CALL, id), 'probe'); // its lease runs out
    }
  }

  async #try(attempt: Attempted): Promise<LightSequence> {
    const { edges, gate, objectFolder, log } = this.#options;
    const { order, id, generation, entered, endsAt } = attempt;
    const { region, upload } = order;
    const startedAt = performance.now();
    const limit = new AbortController();
    const { signal } = limit;
    const timer = setTimeout(() => limit.abort(tooLate()), Math.min(this.#deadlineMs / TRIES, endsAt - startedAt));
    try {
      const made = await sequence(order, {
        edges,
        signal,
        key: objectKey(objectFolder, id, generation, SEQUENCE.resource),
        linkMs: LINK_MS,
        onStored: () => {
          attempt.stored = true;
        },
        uploadUrlTurn: gate.uploadUrlTurns(region, 1, signal),
        turn: async () => {
          const { slot } = await this.#slot(attempt);
          const turn = await gate.reach(slot, signal);
          attempt.called = true;
          return turn;
        },
      });
      const { requestId } = made;
      const ms = Math.round(performance.now() - startedAt);
      log.info({ id, event: 'sequence', region, upload, requestId, ms }, 'light sequence given');
      if (entered.probe) await this.#heal(attempt);
      return made;
    } finally {
      clearTimeout(timer);
    }
  }

  async #slot(attempt: Attempted): Promise<Entered> {
    const { order, id } = attempt;
    try {
      return await answerOf(
        this.#options.gate.enter(order.region, SEQUENCE_CALL, id, this.#deadlineMs * PATIENCE, true),
      );
    } catch (error) {
      attempt.withheld = error;
      throw error;
    }
  }

  /** @returns whether it is worth a second try; what it says about rate and account is told the gate. */
  async #isRepeated(attempt: Attempted, failure: Failure): Promise<boolean> {
    const { id, generation, called, withheld, endsAt } = attempt;
    const { class: kind } = classify(failure);
    const again =
      withheld === null && REPEATED.has(kind) && generation + 1 < TRIES && endsAt - performance.now() >= LEAST_MS;
    const { requestId, httpStatus } = failure;
    const facts = { id, event: 'sequence trouble', code: nameOf(failure), class: kind, called, again };
    const cause = failure.code === CODES.INTERNAL ? { stack: stackOf(failure.cause) } : {};
    this.#options.log.warn({ ...facts, ...cause, requestId, httpStatus }, `light sequence: ${nameOf(failure)}`);
    if (withheld === null) await this.#leftToTime(this.#tellGate(attempt, failure, kind), 'gate'); // the next one tells it
    return again;
  }

  async #tellGate(attempt: Attempted, failure: Failure, kind: ErrorClass): Promise<void> {
    const { gate, log } = this.#options;
    const { order, id, entered, called } = attempt;
    const { region } = order;
    if (kind === 'throttled' && failure.service === 'faceid')
      await gate.slow(region, called ? SEQUENCE_CALL : 'CreateUploadUrl');
    if (entered.probe && called && failure.sent === 'answered' && saysAccountIsFine(failure)) await this.#heal(attempt);
    if (kind !== 'account' || OWN_TROUBLE.has(failure.code)) return;
    const change = await gate.trip(region, SEQUENCE_CALL, id, entered.epoch, nameOf(failure));
    if (change === 'tripped' || change === 'probed') new RunLog(log, id).gate(change, nameOf(failure));
  }

  async #heal({ order, id }: Attempted): Promise<void> {
    const { gate, log } = this.#options;
    const opened = await this.#leftToTime(gate.heal(order.region, SEQUENCE_CALL, id), 'gate'); // the next probe opens it
    if (opened === true) new RunLog(log, id).gate('opened', null);
  }

  /** In Redis before anything is uploaded. @returns what has it done at once. */
  async #eraseLater(id: string, { region }: SequenceOrder): Promise<() => Promise<void>> {
    const job = await answerOf(
      this.#options.eraseQueue.add(
        'erase',
        { id, region, action: SEQUENCE_CALL, generations: TRIES },
        { ...jobOptions.erase, jobId: `erase-${id}-${TRIES}`, delay: this.#deadlineMs + LINK_MS },
      ),
    );
    return async () => {
      await this.#leftToTime(job.promote(), 'erase'); // it comes by itself
    };
  }

  /** What may fail without harm, since it is mended by time. */
  async #leftToTime<T>(step: Promise<T>, what: string): Promise<T | null> {
    try {
      return await step;
    } catch (error) {
      const code = error instanceof Error ? error.name : 'unknown';
      this.#options.log.debug({ event: 'sequence step failed', step: what, error: code }, 'left to time');
      return null;
    }
  }
}

interface Attempted {
  readonly order: SequenceOrder;
  readonly id: string;
  readonly generation: number;
  readonly entered: Entered;
  /** By `performance.now()`. */
  readonly endsAt: number;
  /** Its PUT was answered. */
  stored: boolean;
  /** The call's turn has come: what fails from now on is, or may be, the call. */
  called: boolean;
  /** Why the gate gave no turn: nothing that the gate must be told. */
  withheld: unknown;
}

async function answerOf<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    throw redisFailure(error);
  }
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const facts = { service: 'bestframe', channel: 'local', code: CODES.INTERNAL, sent: 'no' } as const;
  return new Failure(facts, 'an unexpected error inside Bestframe', { cause: error });
}

function conflict(): Failure {
  const message = 'this key was given with other device data or settings a moment ago: use a new key';
  return inputFailure(CODES.KEY_CONFLICT, 'key', message);
}

function tooLate(): Failure {
  const facts = { service: 'bestframe', channel: 'local', code: CODES.SEQUENCE_LATE, sent: 'maybe' } as const;
  return new Failure(facts, 'the light sequence was not there in time: ask again');
}
