/**
 * What other backends use. Loads no vendor SDK; needs Redis and, for `file` sources, to see the files.
 *
 * What must hold:
 * 1. `enqueue` answers after both the claim and the job are in Redis; when it fails, trying again with the same key is safe.
 * 2. Bad input is refused before anything is stored.
 * 3. It fails fast when Redis is away.
 */
import { type GatedAction, REGIONS, type Region } from '../domain/actions.ts';
import type { Erased, EraseRequest, ErasureReceipt } from '../domain/erasure.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { GateView, Steer } from '../domain/gates.ts';
import type { Decide, Decided, HeldChoice, HeldFilter } from '../domain/held.ts';
import { fingerprint, namespaceOf, subjectHash, TENANT, verificationId } from '../domain/identity.ts';
import type { Metrics } from '../domain/metrics.ts';
import { isTerminal, type State } from '../domain/states.ts';
import { type SupportBundle, supportBundle } from '../domain/support.ts';
import {
  DEFAULT_DEADLINE_MS,
  type Demand,
  type Lane,
  MAX_DEADLINE_MS,
  type Mode,
  parseVerification,
  type Verification,
  type VerificationRequest,
} from '../domain/verification.ts';
import type { VerificationView } from '../domain/view.ts';
import { redisFailure } from '../queue/connection.ts';
import { readGates, steerGate } from '../queue/gates.ts';
import { readMetrics } from '../queue/metrics.ts';
import { DEFAULT_PREFIX } from '../queue/names.ts';
import { expiryOf, RECORD_TTL_MS } from '../queue/options.ts';
import { claimFields, writeEntry } from '../queue/record.ts';
import { type RedisSettings, redisSettings } from '../queue/redis-url.ts';
import { run, runMany } from '../queue/scripts.ts';
import { type KeyRing, parseKeyRing, Sealer } from '../queue/seal.ts';
import { countAhead, verifyJob } from '../queue/verify-queue.ts';
import {
  type Bestframe,
  type Cancelled,
  DEFAULT_WAIT_MS,
  isEnough,
  type VerifyOptions,
  type WaitOptions,
} from './bestframe.ts';
import { checkAtBorder } from './border.ts';
import { Changes } from './changes.ts';
import { acknowledge, eraseOne, readReceipt, setLegalHold, viewsEndedBefore, viewsOfSubject } from './erasure.ts';
import { followUpsAfter, heldViews, resolveHeld } from './held.ts';
import { type Page, type PageFilter, pageOf, type Standing, standingOf } from './pages.ts';
import { Store } from './store.ts';
import { unknownWebhook, Webhooks } from './webhooks.ts';

export interface ClientOptions {
  /** As BESTFRAME_REDIS_URL (docs/redis.md): one server, Sentinel or Cluster. */
  readonly redis: string | RedisSettings;
  /** Whom to trust by TLS instead of the system's CAs, PEM. */
  readonly tls?: { readonly ca?: string };
  /** Default `{bestframe}`; the same as the workers'. */
  readonly prefix?: string;
  /** Keeps equal keys of different applications apart; default `bestframe`. */
  readonly namespace?: string;
  /**
   * Where several share a deployment: keys and subjects mean what they mean to this one, and what belongs to others is not
   * there. Left out: keys and subjects of the deployment's own, and all verifications by their id.
   */
  readonly tenant?: string;
  /** Default `live`. Part of every record. */
  readonly mode?: Mode;
  /**
   * Folders in which `file` sources may lie. Files are looked at before anything is stored; leave out where this process
   * does not see the workers' files.
   */
  readonly fileRoots?: readonly string[];
  /** Looks up the host of `https` sources and refuses private addresses here already. Default true. */
  readonly checkHosts?: boolean;
  /** As BESTFRAME_KEY_RING, `name:key,…`, each key 32 bytes in base64, or read already; the same as the workers'. */
  readonly keyRing?: string | KeyRing;
  /** What every verification must say; others are refused here. */
  readonly demands?: readonly Demand[];
  /** The endpoint that is told of verifications that name none; it must be registered. */
  readonly webhook?: string | undefined;
  /** As BESTFRAME_WEBHOOK_ALLOW, where endpoints are registered. */
  readonly webhookAllow?: string;
  /** How long a record is kept after its end, ms; default 30 days. The same as the workers'. */
  readonly recordTtlMs?: number;
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
/** How long a watch waits for a change in one go. */
const WATCH_MS = 60_000;

export class BestframeClient implements Bestframe {
  /** Endpoints that are told of verifications, and what could not be delivered to them. */
  readonly webhooks: Webhooks;
  readonly #options: ClientOptions;
  readonly #store: Store;
  readonly #changes: Changes;
  readonly #beside: BestframeClient | undefined;

  /** @param beside of another tenant: its connection is used, and stays its own to close. */
  constructor(options: ClientOptions, beside?: BestframeClient) {
    const tenant = tenantOf(options);
    this.#options = options;
    this.#beside = beside;
    if (beside !== undefined) {
      this.#changes = beside.#changes;
      this.#store = beside.#store.forTenant(tenant);
      this.webhooks = new Webhooks(this.#store, options.webhookAllow ?? '');
      return;
    }
    this.#store = new Store({
      tenant,
      redis: settingsOf(options),
      prefix: options.prefix ?? DEFAULT_PREFIX,
      sealer: new Sealer(readKeyRing(options.keyRing)),
      expiryMs: expiryOf(options.recordTtlMs ?? RECORD_TTL_MS),
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
    });
    this.webhooks = new Webhooks(this.#store, options.webhookAllow ?? '');
    this.#changes = new Changes(this.#store.redis, this.#store.names.channel);
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
    await this.#store.ready();
    const size = options.chunk ?? CHUNK;
    const results: EnqueueResult[] = [];
    for (let start = 0; start < requests.length; start += size) {
      results.push(...(await this.#chunk(requests.slice(start, start + size))));
      options.onProgress?.(results.length);
    }
    return results;
  }

  /**
   * Takes one and waits for its decision.
   * @throws Failure as `enqueue`; KEY_GONE where it is erased meanwhile
   */
  async verify(request: VerificationRequest, options: VerifyOptions = {}): Promise<VerificationView> {
    const { id } = await this.enqueue(request);
    const view = await this.wait(id, options);
    if (view === null) throw gone();
    return view;
  }

  /** The same for another tenant, over the same connection; lives as long as this one. */
  forTenant(tenant: string): BestframeClient {
    return new BestframeClient({ ...this.#options, tenant }, this);
  }

  /** @returns null where there is no such verification (or its record has expired). */
  get(id: string): Promise<VerificationView | null> {
    return this.#store.view(id);
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
    return verificationId(this.#namespace, key);
  }

  /**
   * Waits for the decision, or with `until: 'ended'` for the end (frame included), or until it is held for a person.
   * @param timeoutMs default 30,000; the verification goes on all the same.
   * @returns what is known then; `next` is `wait` where the time ran out. Null where there is no such verification.
   */
  async wait(
    id: string,
    { until = 'decided', timeoutMs = DEFAULT_WAIT_MS, signal }: WaitOptions = {},
  ): Promise<VerificationView | null> {
    await this.#store.ready();
    return this.#changes.until(id, timeoutMs, signal, async () => {
      const view = await this.get(id);
      return { done: view === null || isEnough(view, until), value: view };
    });
  }

  /**
   * Asks for an end. `cancelled`: nothing was paid and nothing will be. `cancelling`: somebody is at work; before a paid call
   * nothing will be paid, after it the answer is recorded and the state is `cancelled`. `ended`: too late.
   */
  async cancel(id: string): Promise<Cancelled> {
    const view = await this.get(id);
    if (view === null) return { status: 'missing', state: null };
    const { region, action } = view;
    const names = this.#store.names;
    const gate = names.gate(region, action);
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
    const entry = writeEntry(this.#store.sealer, id, { at: Date.now(), event: 'cancel' });
    const reason = JSON.stringify({ code: CODES.CANCELLED, class: 'caller' });
    const followUps = await followUpsAfter(this.#store, id);
    const args = [id, names.channel, followUps, this.#store.expiryMs, entry, reason];
    const reply = await this.#store.command(run(this.#store.redis, 'cancel', keys, args));
    const [status, state] = reply as ['cancelled' | 'cancelling' | 'ended' | 'missing', State | ''];
    // Where it ended here its job has nothing left to do; a job that is being looked at right now stays, and ends by itself.
    if (status === 'cancelled') await this.#store.command(this.#store.queue(region).remove(id));
    return { status, state: state === '' ? null : state };
  }

  /** Newest first. @param limit default 50, at most 1,000 */
  async list(options: { ended?: boolean; limit?: number } = {}): Promise<VerificationView[]> {
    await this.#store.ready();
    const limit = Math.min(options.limit ?? 50, MOST_LISTED);
    const indexes =
      options.ended === undefined
        ? [this.#store.names.live, this.#store.names.ended]
        : [options.ended ? this.#store.names.ended : this.#store.names.live];
    const ids = await this.#store.command(
      Promise.all(indexes.map((index) => this.#store.redis.zrevrange(index, 0, limit - 1))),
    );
    const views = await this.#store.views(ids.flat());
    return views
      .flatMap((view) => view ?? [])
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
      .slice(0, limit);
  }

  /** Newest first, a page at a time, of a tenant. @throws Failure INVALID_VERIFICATION for a cursor that is none */
  page(filter: PageFilter = {}): Promise<Page> {
    return pageOf(this.#store, filter);
  }

  /**
   * As it stands now, and again whenever that has changed, until it has ended or is erased, or the signal aborts. Ends at once
   * where there is no such verification.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<VerificationView> {
    await this.#store.ready();
    let seen = '';
    for (;;) {
      const view = await this.#changes.until(id, WATCH_MS, signal, async () => {
        const now = await this.get(id);
        return { done: now === null || JSON.stringify(now) !== seen, value: now };
      });
      if (view === null) return;
      const text = JSON.stringify(view);
      if (text === seen) continue;
      seen = text;
      yield view;
      if (isTerminal(view.state)) return;
    }
  }

  /** Of each id, in order, whether anybody still needs its sources: `erased` ones are known for a year. */
  async standing(ids: readonly string[]): Promise<Standing[]> {
    await this.#store.ready();
    return standingOf(this.#store, ids);
  }

  /** Verifications that were set aside for a person. */
  held(filter: HeldFilter = {}): Promise<VerificationView[]> {
    return heldViews(this.#store, filter);
  }

  /** What a person decides about a held one. @param decide `by` and `why` go into its history. */
  resolve(id: string, choice: HeldChoice, decide: Decide): Promise<Decided> {
    return resolveHeld(this.#store, id, choice, decide);
  }

  /**
   * Takes a verification out of Redis at once, whatever it is doing, and has its objects (all versions) and its frame deleted.
   * Its key is answered as gone from then on, and is never paid for again. @param request `by` and `why` go into the receipt.
   */
  erase(id: string, request: EraseRequest): Promise<Erased> {
    return eraseOne(this.#store, id, request);
  }

  /** What was erased, and what of it is confirmed by now. @returns null where nothing was erased under this id. */
  receipt(id: string): Promise<ErasureReceipt | null> {
    return readReceipt(this.#store, id);
  }

  /** Nothing of it is erased, by nobody and by no age, until the hold is lifted. */
  legalHold(id: string, request: EraseRequest): Promise<'ok' | 'missing'> {
    return setLegalHold(this.#store, id, { ...request, since: new Date().toISOString() }, request);
  }

  liftLegalHold(id: string, request: EraseRequest): Promise<'ok' | 'missing'> {
    return setLegalHold(this.#store, id, null, request);
  }

  /** The caller has its frame: it is deleted in seconds, not when its time is up. `not kept`: there is none, or it is yours. */
  acknowledge(id: string): Promise<'ok' | 'not kept' | 'missing'> {
    return acknowledge(this.#store, id);
  }

  /** What Redis knows of keys, in order: after it was lost or set back, `missing` ones are to be enqueued again. */
  async known(keys: readonly string[]): Promise<('known' | 'gone' | 'missing')[]> {
    await this.#store.ready();
    const { redis, names } = this.#store;
    const pipeline = redis.pipeline();
    for (const key of keys) pipeline.hmget(names.journal(this.idOf(key)), 'state', 'erased');
    const replies = (await this.#store.command(pipeline.exec())) ?? [];
    return replies.map(([error, fields]) => {
      if (error !== null) throw redisFailure(error);
      const [state, erased] = fields as [string | null, string | null];
      return erased !== null ? 'gone' : state !== null ? 'known' : 'missing';
    });
  }

  /** All about one subject that are still there, oldest first. @param subject as it was given, in clear. */
  bySubject(subject: string): Promise<VerificationView[]> {
    return viewsOfSubject(this.#store, subjectHash(this.#namespace, subject));
  }

  /** Ended before a moment (ms since 1970), oldest first. @param limit default 1,000 */
  endedBefore(before: number, limit: number = MOST_LISTED): Promise<VerificationView[]> {
    return viewsEndedBefore(this.#store, before, limit);
  }

  /** The gates of all regions and actions that were ever used: open, closed by trouble with the account, or paused. */
  async gates(): Promise<GateView[]> {
    await this.#store.ready();
    return this.#store.command(readGates(this.#store.redis, this.#store.names, Date.now()));
  }

  /** How many wait in the queue of a region that come before a new one of this lane. */
  async ahead(region: Region, lane: Lane): Promise<number> {
    await this.#store.ready();
    return this.#store.command(countAhead(this.#store.queue(region), lane));
  }

  /** What can be counted of the whole deployment, now. */
  async metrics(): Promise<Metrics> {
    await this.#store.ready();
    const verify = new Map(REGIONS.map((region) => [region, this.#store.queue(region)]));
    const { redis, names } = this.#store;
    return this.#store.command(readMetrics(redis, names, verify, this.#store.eraseQueue(), this.#store.notifyQueue()));
  }

  /**
   * What an operator does to a gate. `close` rests it until a probe is answered; `pause` stops it until `resume`.
   * @param by who does it, and @param why: both are shown to whoever asks later.
   * @returns whether that changed anything.
   */
  async steer(region: Region, action: GatedAction, steer: Steer, by: string, why: string): Promise<boolean> {
    await this.#store.ready();
    return this.#store.command(steerGate(this.#store.redis, this.#store.names, region, action, steer, by, why));
  }

  /** Idempotent. Leaves no socket and no timer. */
  async close(): Promise<void> {
    if (this.#beside !== undefined) return;
    await this.#changes.close();
    await this.#store.close();
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

    const unknown = await this.webhooks.unknown(accepted.flatMap(({ request }) => this.#webhookOf(request) ?? []));
    const taken = accepted.filter(({ index, request }) => {
      const webhook = this.#webhookOf(request);
      if (webhook === undefined || !unknown.includes(webhook)) return true;
      results[index] = refused(request, unknownWebhook(webhook));
      return false;
    });

    const calls = taken.map(({ id, request }) => this.#claim(id, request));
    const replies = calls.length === 0 ? [] : await this.#store.command(runMany(this.#store.redis, 'claim', calls));
    const toAdd: typeof accepted = [];
    taken.forEach((item, position) => {
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
          await this.#store.queue(region).addBulk(jobs);
        } catch (error) {
          for (const { index, request } of group) results[index] = refused(request, redisFailure(error));
        }
      }),
    );
  }

  async #accept(request: VerificationRequest): Promise<Verification> {
    const verification = parseVerification({ lane: 'batch', ...request }, Date.now(), this.#options.demands);
    await checkAtBorder(verification, this.#options);
    return verification;
  }

  #claim(id: string, request: Verification) {
    const deadline = request.deadline === undefined ? 0 : Date.parse(request.deadline);
    const { names, sealer, expiryMs } = this.#store;
    const { express } = names.gate(request.region, request.action);
    const subject = request.subject === undefined ? '' : subjectHash(this.#namespace, request.subject);
    const journal = names.journal(id);
    const { tenant } = this.#store;
    return {
      keys: [
        journal,
        names.live,
        express,
        subject === '' ? journal : names.subject(subject),
        tenant === null ? journal : names.tenant(tenant),
      ],
      args: [
        id,
        fingerprint(request),
        deadline,
        DEFAULT_DEADLINE_MS[request.lane],
        request.lane,
        EXPRESS_HOLD_MS,
        MAX_DEADLINE_MS + expiryMs,
        ...claimFields(
          id,
          { ...request, webhook: this.#webhookOf(request) },
          { mode: this.#mode, tenant, subject },
          sealer,
        ),
      ],
    };
  }

  /** The default is no part of the payload: another one makes no other verification of it. */
  #webhookOf({ webhook = this.#options.webhook }: Verification): string | undefined {
    return webhook;
  }

  get #namespace(): string {
    return namespaceOf(this.#options.namespace ?? 'bestframe', this.#store.tenant);
  }

  get #mode(): Mode {
    return this.#options.mode ?? 'live';
  }
}

/** @throws Failure INVALID_SETTINGS */
function settingsOf({ redis, tls }: ClientOptions): RedisSettings {
  return typeof redis === 'string' ? { ...redisSettings(redis, 'redis'), ...tls } : redis;
}

/** @throws Failure INVALID_SETTINGS */
function tenantOf({ tenant }: ClientOptions): string | null {
  if (tenant === undefined || TENANT.test(tenant)) return tenant ?? null;
  const message = 'tenant is not a word: write small letters, digits and "-", up to 40, a letter or digit at both ends';
  throw inputFailure(CODES.INVALID_SETTINGS, 'tenant', message);
}

const MOST_LISTED = 1_000;

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

function readKeyRing(given: string | KeyRing = new Map()): KeyRing {
  try {
    return typeof given === 'string' ? parseKeyRing(given) : given;
  } catch (error) {
    throw inputFailure(
      CODES.INVALID_SETTINGS,
      'keyRing',
      `keyRing ${error instanceof Error ? error.message : 'is wrong'}`,
    );
  }
}

function conflict(): Failure {
  const message =
    'key was used for another payload: use a new key for a new verification, or send the same payload again';
  return inputFailure(CODES.KEY_CONFLICT, 'key', message);
}

function gone(): Failure {
  return inputFailure(CODES.KEY_GONE, 'key', 'key belongs to a verification that was erased: use a new key');
}
