/**
 * What other backends use. Loads no vendor SDK; needs Redis and, for `file` sources, to see the files.
 *
 * What must hold:
 * 1. `enqueue` answers after both the claim and the job are in Redis; when it fails, trying again with the same key is safe.
 * 2. Bad input is refused before anything is stored.
 * 3. It fails fast when Redis is away.
 */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type ActionName, REGIONS, type Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { GateView, Steer } from '../domain/gates.ts';
import type { Decide, Decided, HeldChoice, HeldFilter } from '../domain/held.ts';
import { packHistory } from '../domain/history.ts';
import { fingerprint, verificationId } from '../domain/identity.ts';
import type { Metrics } from '../domain/metrics.ts';
import { isTerminal, type State } from '../domain/states.ts';
import { type SupportBundle, supportBundle } from '../domain/support.ts';
import {
  DEFAULT_DEADLINE_MS,
  type Mode,
  parseVerification,
  type Verification,
  type VerificationRequest,
} from '../domain/verification.ts';
import type { VerificationView } from '../domain/view.ts';
import { connectProducer, type RedisSettings, redisFailure, untilReady } from '../queue/connection.ts';
import { type EraseJob, openEraseQueue } from '../queue/erase-queue.ts';
import { readGates, steerGate } from '../queue/gates.ts';
import { readMetrics } from '../queue/metrics.ts';
import { createNames, DEFAULT_PREFIX, type Names } from '../queue/names.ts';
import { RECORD_TTL_MS, type VerifyJob } from '../queue/options.ts';
import { claimFields } from '../queue/record.ts';
import { run, runMany } from '../queue/scripts.ts';
import { openVerifyQueue, verifyJob } from '../queue/verify-queue.ts';
import { readViews } from '../queue/view.ts';
import { checkAtBorder } from './border.ts';
import { Changes } from './changes.ts';

export interface ClientOptions {
  /** redis:// or rediss:// URL. */
  readonly redis: string;
  readonly tls?: RedisSettings['tls'];
  /** Default `{bestframe}`; the same as the workers'. */
  readonly prefix?: string;
  /** Keeps equal keys of different applications apart; default `bestframe`. */
  readonly namespace?: string;
  /** Default `live`. Part of every record. */
  readonly mode?: Mode;
  /**
   * Folders in which `file` sources may lie. Files are looked at before anything is stored; leave out where this process
   * does not see the workers' files.
   */
  readonly fileRoots?: readonly string[];
  /** Looks up the host of `https` sources and refuses private addresses here already. Default true. */
  readonly checkHosts?: boolean;
  /** How long to wait for the first connection, ms. Default 3,000. */
  readonly connectTimeoutMs?: number;
}

export interface Enqueued {
  readonly id: string;
  readonly key: string;
  /** `new`, or `same` where this key and payload were enqueued before. */
  readonly status: 'new' | 'same';
  readonly state: State;
}

export type EnqueueResult = Enqueued | { readonly key: string; readonly status: 'refused'; readonly error: Failure };

export interface EnqueueManyOptions {
  /** Verifications a chunk; two round trips each. Default 500. */
  readonly chunk?: number;
  readonly onProgress?: (done: number) => void;
}

/** Interactive work stands in the express lane this long at most before batch work goes on. */
const EXPRESS_HOLD_MS = 15_000;
const CHUNK = 500;

export class BestframeClient {
  readonly #options: ClientOptions;
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #queues = new Map<Region, Queue<VerifyJob>>();
  #erase: Queue<EraseJob> | undefined;
  readonly #changes: Changes;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#redis = connectProducer({ url: options.redis, ...(options.tls === undefined ? {} : { tls: options.tls }) });
    // ioredis says every failed connection here; whoever calls gets it as a Failure instead.
    this.#redis.on('error', () => undefined);
    this.#names = createNames(options.prefix ?? DEFAULT_PREFIX);
    this.#changes = new Changes(this.#redis, this.#names.channel);
  }

  /**
   * Takes one verification (lane `interactive` unless said) and answers when it is safe in Redis.
   * @throws Failure INVALID_VERIFICATION and the source codes (with `field`), KEY_CONFLICT, KEY_GONE, REDIS_UNAVAILABLE
   */
  async enqueue(request: VerificationRequest): Promise<Enqueued> {
    const [result] = await this.enqueueMany([{ lane: 'interactive', ...request }]);
    if (result === undefined) throw new Error('no result for one request');
    if (result.status === 'refused') throw result.error;
    return result;
  }

  /**
   * Takes many (lane `batch` unless said). Never throws for one of them: each has its own result, in order.
   * @throws Failure REDIS_UNAVAILABLE when Redis is away from the start
   */
  async enqueueMany(
    requests: readonly VerificationRequest[],
    options: EnqueueManyOptions = {},
  ): Promise<EnqueueResult[]> {
    await this.#ready();
    const size = options.chunk ?? CHUNK;
    const results: EnqueueResult[] = [];
    for (let start = 0; start < requests.length; start += size) {
      results.push(...(await this.#chunk(requests.slice(start, start + size))));
      options.onProgress?.(results.length);
    }
    return results;
  }

  /** @returns null where there is no such verification (or its record has expired). */
  async get(id: string): Promise<VerificationView | null> {
    await this.#ready();
    const [view] = await this.#command(readViews(this.#redis, this.#names, [id]));
    return view ?? null;
  }

  /** What the vendor's support asks for about one verification. @returns null where there is none. */
  async support(id: string): Promise<SupportBundle | null> {
    const view = await this.get(id);
    return view === null ? null : supportBundle(view);
  }

  /** By the caller's own key. */
  getByKey(key: string): Promise<VerificationView | null> {
    return this.get(this.idOf(key));
  }

  idOf(key: string): string {
    return verificationId(this.#options.namespace ?? 'bestframe', key);
  }

  /**
   * Waits for the decision, or with `until: 'ended'` for the end (frame included), or until it is held for a person.
   * @param timeoutMs default 30,000; the verification goes on all the same.
   * @returns what is known then; `next` is `wait` where the time ran out. Null where there is no such verification.
   */
  async wait(
    id: string,
    options: { until?: 'decided' | 'ended'; timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<VerificationView | null> {
    await this.#ready();
    const { until = 'decided', timeoutMs = 30_000, signal } = options;
    const enough = (view: VerificationView) =>
      isTerminal(view.state) || view.state === 'held' || (until === 'decided' && view.decision !== null);
    return this.#changes.until(id, timeoutMs, signal, async () => {
      const view = await this.get(id);
      return { done: view === null || enough(view), value: view };
    });
  }

  /**
   * Asks for an end. `cancelled`: nothing was paid and nothing will be. `cancelling`: somebody is at work; before a paid call
   * nothing will be paid, after it the answer is recorded and the state is `cancelled`. `ended`: too late.
   */
  async cancel(id: string): Promise<{ status: 'cancelled' | 'cancelling' | 'ended' | 'missing'; state: State | null }> {
    const view = await this.get(id);
    if (view === null) return { status: 'missing', state: null };
    const { region, action, upload } = view;
    const names = this.#names;
    const gate = names.gate(region, action);
    const started = view.history.length > 0 || view.state !== 'queued';
    const erase = upload === 'own-bucket' && started ? await this.#eraseOf(view) : null;
    const keys = [
      names.journal(id),
      names.job(region, id).lock,
      names.history(id),
      names.live,
      names.ended,
      names.outbox,
      gate.admitted,
      gate.express,
      names.held,
    ];
    const entry = packHistory({ at: Date.now(), event: 'cancel' });
    const reason = JSON.stringify({ code: CODES.CANCELLED, class: 'caller' });
    const args = [id, names.channel, erase === null ? '' : JSON.stringify(erase), RECORD_TTL_MS, entry, reason];
    const reply = await this.#command(run(this.#redis, 'cancel', keys, args));
    const [status, state] = reply as ['cancelled' | 'cancelling' | 'ended' | 'missing', State | ''];
    // Where it ended here its job has nothing left to do; a job that is being looked at right now stays, and ends by itself.
    if (status === 'cancelled') await this.#command(this.#queue(region).remove(id));
    return { status, state: state === '' ? null : state };
  }

  /** Newest first. @param limit default 50, at most 1,000 */
  async list(options: { ended?: boolean; limit?: number } = {}): Promise<VerificationView[]> {
    await this.#ready();
    const limit = Math.min(options.limit ?? 50, MOST_LISTED);
    const indexes =
      options.ended === undefined
        ? [this.#names.live, this.#names.ended]
        : [options.ended ? this.#names.ended : this.#names.live];
    const ids = await this.#command(Promise.all(indexes.map((index) => this.#redis.zrevrange(index, 0, limit - 1))));
    const views = await this.#command(readViews(this.#redis, this.#names, ids.flat()));
    return views
      .flatMap((view) => view ?? [])
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
      .slice(0, limit);
  }

  /** Verifications that were set aside for a person. */
  async held(filter: HeldFilter = {}): Promise<VerificationView[]> {
    await this.#ready();
    const ids = await this.#command(this.#redis.zrange(this.#names.held, '0', String(MOST_LISTED - 1)));
    const views = await this.#command(readViews(this.#redis, this.#names, ids));
    const now = Date.now();
    const { reason, region, olderThanMs = 0, limit = 50 } = filter;
    return views
      .flatMap((view) => view ?? [])
      .filter((view) => view.state === 'held')
      .filter((view) => reason === undefined || view.reason?.code === reason || view.reason?.class === reason)
      .filter((view) => region === undefined || view.region === region)
      .filter((view) => now - heldSince(view) >= olderThanMs)
      .slice(0, Math.min(limit, MOST_LISTED));
  }

  /** What a person decides about a held one. @param decide `by` and `why` go into its history. */
  async resolve(id: string, choice: HeldChoice, decide: Decide): Promise<Decided> {
    const view = await this.get(id);
    if (view === null) return { status: 'missing', state: null };
    const { region, lane, upload } = view;
    const names = this.#names;
    const { by, why, payAgain = false } = decide;
    const erase = await this.#eraseOf(view);
    const outbox =
      upload === 'own-bucket' && (choice === 'fail' || choice === 'recapture') ? JSON.stringify(erase) : '';
    const entry = packHistory({ at: Date.now(), event: 'resolved', code: choice, by, why });
    const keys = [names.journal(id), names.history(id), names.live, names.ended, names.outbox, names.held];
    const args = [
      id,
      names.channel,
      choice,
      entry,
      DEFAULT_DEADLINE_MS[lane],
      payAgain ? 1 : 0,
      RECORD_TTL_MS,
      outbox,
      by,
    ];
    const reply = await this.#command(run(this.#redis, 'resolve', keys, args));
    const [status, state] = reply as [Decided['status'], State | ''];
    if (status === 'ok') await this.#wake(region, id, state !== '' && isTerminal(state));
    return { status, state: state === '' ? null : state };
  }

  /** A job that sleeps while its verification may go on; the sweeper would find it too. */
  async #wake(region: Region, id: string, ended: boolean): Promise<void> {
    const queue = this.#queue(region);
    if (ended) {
      await this.#command(queue.remove(id));
      return;
    }
    const job = await this.#command(queue.getJob(id));
    if (job !== undefined && (await this.#command(job.isDelayed()))) await this.#command(job.promote());
  }

  async #eraseOf({ id, region, action }: VerificationView) {
    const generation = Number((await this.#command(this.#redis.hget(this.#names.journal(id), 'gen'))) ?? 0);
    return { erase: { id, region, action, generations: generation + 1 } };
  }

  /** The gates of all regions and actions that were ever used: open, closed by trouble with the account, or paused. */
  async gates(): Promise<GateView[]> {
    await this.#ready();
    return this.#command(readGates(this.#redis, this.#names, Date.now()));
  }

  /** What can be counted of the whole deployment, now. */
  async metrics(): Promise<Metrics> {
    await this.#ready();
    const verify = new Map(REGIONS.map((region) => [region, this.#queue(region)]));
    this.#erase ??= openEraseQueue(this.#redis, this.#names);
    return this.#command(readMetrics(this.#redis, this.#names, verify, this.#erase));
  }

  /**
   * What an operator does to a gate. `close` rests it until a probe is answered; `pause` stops it until `resume`.
   * @param by who does it, and @param why: both are shown to whoever asks later.
   * @returns whether that changed anything.
   */
  async steer(region: Region, action: ActionName, steer: Steer, by: string, why: string): Promise<boolean> {
    await this.#ready();
    return this.#command(steerGate(this.#redis, this.#names, region, action, steer, by, why));
  }

  /** Idempotent. Leaves no socket and no timer. */
  async close(): Promise<void> {
    await this.#changes.close();
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await this.#erase?.close();
    this.#redis.disconnect();
  }

  // ── in two round trips ───────────────────────────────────────────────────────────────────────────────────────────

  async #chunk(requests: readonly VerificationRequest[]): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = new Array(requests.length);
    const accepted: { index: number; id: string; request: Verification }[] = [];
    const checks = await Promise.allSettled(requests.map((request) => this.#accept(request)));
    checks.forEach((check, index) => {
      if (check.status === 'fulfilled') accepted.push({ index, id: this.idOf(check.value.key), request: check.value });
      else results[index] = refused(requests[index], check.reason);
    });

    const calls = accepted.map(({ id, request }) => this.#claim(id, request));
    const replies = calls.length === 0 ? [] : await this.#command(runMany(this.#redis, 'claim', calls));
    const toAdd: typeof accepted = [];
    accepted.forEach((item, position) => {
      const reply = replies[position];
      const { id, index, request } = item;
      if (reply instanceof Error) {
        results[index] = refused(request, redisFailure(reply));
        return;
      }
      const [status, state, starts] = reply as ['new' | 'same' | 'conflict' | 'gone', State, number];
      if (status === 'conflict' || status === 'gone') {
        results[index] = refused(request, status === 'conflict' ? conflict() : gone());
        return;
      }
      results[index] = { id, key: request.key, status, state };
      if (status === 'new' || (starts === 0 && !isTerminal(state))) toAdd.push(item);
    });
    await this.#add(toAdd, results);
    return results;
  }

  /** A job that is there already is not added again; one that could not be added is said to be refused, and is safe to retry. */
  async #add(
    items: readonly { index: number; id: string; request: Verification }[],
    results: EnqueueResult[],
  ): Promise<void> {
    const byRegion = groupByRegion(items);
    await Promise.all(
      [...byRegion].map(async ([region, group]) => {
        const jobs = group.map(({ id, request }) => verifyJob({ ...request, id, mode: this.#mode }));
        try {
          await this.#queue(region).addBulk(jobs);
        } catch (error) {
          for (const { index, request } of group) results[index] = refused(request, redisFailure(error));
        }
      }),
    );
  }

  async #accept(request: VerificationRequest): Promise<Verification> {
    const verification = parseVerification({ lane: 'batch', ...request }, Date.now());
    await checkAtBorder(verification, this.#options);
    return verification;
  }

  #claim(id: string, request: Verification) {
    const deadline = request.deadline === undefined ? 0 : Date.parse(request.deadline);
    const gate = this.#names.gate(request.region, request.action);
    return {
      keys: [this.#names.journal(id), this.#names.live, gate.express],
      args: [
        id,
        fingerprint(request),
        deadline,
        DEFAULT_DEADLINE_MS[request.lane],
        request.lane,
        EXPRESS_HOLD_MS,
        ...claimFields(request, this.#mode),
      ],
    };
  }

  get #mode(): Mode {
    return this.#options.mode ?? 'live';
  }

  #queue(region: Region): Queue<VerifyJob> {
    const known = this.#queues.get(region);
    if (known !== undefined) return known;
    const queue = openVerifyQueue(this.#redis, this.#names, region);
    this.#queues.set(region, queue);
    return queue;
  }

  #ready(): Promise<void> {
    return untilReady(this.#redis, this.#options.connectTimeoutMs ?? 3_000);
  }

  async #command<T>(command: Promise<T>): Promise<T> {
    try {
      return await command;
    } catch (error) {
      throw redisFailure(error);
    }
  }
}

const MOST_LISTED = 1_000;

function heldSince({ history }: VerificationView): number {
  return history.findLast(({ event }) => event === 'held')?.at ?? 0;
}

type Item = { index: number; id: string; request: Verification };

function groupByRegion(items: readonly Item[]): Map<Region, Item[]> {
  const groups = new Map<Region, Item[]>();
  for (const item of items) {
    const group = groups.get(item.request.region);
    if (group === undefined) groups.set(item.request.region, [item]);
    else group.push(item);
  }
  return groups;
}

function refused(request: { key?: unknown } | undefined, reason: unknown): EnqueueResult {
  const key = typeof request?.key === 'string' ? request.key : '';
  if (!(reason instanceof Failure)) throw reason;
  return { key, status: 'refused', error: reason };
}

function conflict(): Failure {
  const message =
    'key was used for another payload: use a new key for a new verification, or send the same payload again';
  return inputFailure(CODES.KEY_CONFLICT, 'key', message);
}

function gone(): Failure {
  return inputFailure(CODES.KEY_GONE, 'key', 'key belongs to a verification that was erased: use a new key');
}
