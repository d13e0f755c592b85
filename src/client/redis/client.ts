import type { BreakerView } from '../../domain/operations/breakers.ts';
import type { CostSum } from '../../domain/operations/costs.ts';
import type { EraseRequest, EraseResult, ErasureReceipt } from '../../domain/operations/erasure.ts';
import type { GateCommand, GateView } from '../../domain/operations/gates.ts';
import type { HeldChoice, HeldDecision, HeldDecisionResult, HeldFilter } from '../../domain/operations/held.ts';
import type { Metrics } from '../../domain/operations/metrics.ts';
import type { RetryRequest, RetryResult } from '../../domain/operations/retries.ts';
import { shareOf, type TenantWall } from '../../domain/operations/tenants.ts';
import type { WorkerView } from '../../domain/operations/workers.ts';
import type { GatedAction } from '../../domain/verification/actions.ts';
import { describeFilter } from '../../domain/verification/filter.ts';
import { fingerprint, subjectHash, tenantNamespace, verificationId } from '../../domain/verification/identity.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Lane, Verification, VerificationRequest } from '../../domain/verification/request.ts';
import type { SessionRequest } from '../../domain/verification/session-request.ts';
import { type SupportBundle, supportBundle } from '../../domain/verification/support.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { askForRewrite, type RewriteAnswer } from '../../redis/append-only-file.ts';
import { readBreakers } from '../../redis/breakers.ts';
import type { Deployment } from '../../redis/deployment.ts';
import { readGates } from '../../redis/gates.ts';
import { readMetrics } from '../../redis/read-metrics.ts';
import { type Presence, readPresence, readSourceFiles } from '../../redis/read-records.ts';
import { steerGate } from '../../redis/scripts/steer-gate.ts';
import { readWorkers } from '../../redis/workers.ts';
import {
  type Acknowledged,
  type Attribution,
  type Bestframe,
  type Cancelled,
  type CostFilter,
  DEFAULT_WAIT_MS,
  type Enqueued,
  type EnqueueManyOptions,
  type EnqueueResult,
  type FinishStatus,
  type ListOptions,
  MAX_LISTED,
  type PageOf,
  type RetryOptions,
  type StartedSession,
  type StartOptions,
  satisfiesWait,
  type TraceOptions,
  type VerifyOptions,
  type WaitOptions,
} from '../contract.ts';
import { type RetryPage, type RetryPageRequest, retryInPages } from '../retry-pages.ts';
import { type ClientAct, ClientAudit, retryActs } from './audit.ts';
import { cancelOne } from './cancel.ts';
import { Changes } from './changes.ts';
import { checkRequest, defaultsOf, parseRequest, parseSessionRequest, withLane } from './check-request.ts';
import { costSums } from './costs.ts';
import { aheadOf, enqueueParsed, keyGone, onlyResult, type ParsedOptions, type ParsedOrRefused } from './enqueue.ts';
import { acknowledge, changeLegalHold, eraseOne, receiptOf, viewsEndedBefore, viewsOfSubject } from './erasure.ts';
import { heldViews, resolve } from './held.ts';
import { newestViews, pageOf, type StoredPageFilter } from './list.ts';
import { type ClientOptions, rootNamespace, storeOptions } from './options.ts';
import { retryPage } from './retry.ts';
import { finishOne, readToken } from './sessions.ts';
import { Store } from './store.ts';
import { Tenants } from './tenants.ts';
import { Webhooks } from './webhooks.ts';

const CHUNK = 500;

export class BestframeClient implements Bestframe {
  /** Webhook endpoints and dead letters. */
  readonly webhooks: Webhooks;
  /** Policies of tenants. */
  readonly tenants: Tenants;
  readonly #options: ClientOptions;
  readonly #store: Store;
  readonly #changes: Changes;
  readonly #owner: BestframeClient | undefined;
  readonly #audit: ClientAudit;

  /**
   * @param owner (internal) the client whose connection this client uses for another tenant. Only the owner closes it.
   * @throws Failure INVALID_SETTINGS, naming the option
   */
  constructor(options: ClientOptions, owner?: BestframeClient) {
    const settings = storeOptions(options);
    this.#options = options;
    this.#owner = owner;
    this.#store = owner === undefined ? new Store(settings) : owner.#store.forTenant(settings.tenant);
    this.#changes = owner === undefined ? new Changes(this.#store.deployment) : owner.#changes;
    this.#audit = owner === undefined ? new ClientAudit(options.audit, options.actor) : owner.#audit;
    this.webhooks = new Webhooks(this.#store, options.webhookAllow ?? '', this.#audit);
    const { objectFolder = 'bestframe', buckets = null } = options;
    this.tenants = new Tenants(this.#store, { objectFolder, buckets }, owner?.tenants);
  }

  /**
   * Enqueues one verification, in lane `interactive` unless the request names another lane. Resolves when the verification is
   * stored in Redis.
   * @throws Failure INVALID_VERIFICATION and the source codes (with `field`), KEY_CONFLICT, KEY_GONE, REDIS_UNAVAILABLE
   */
  async enqueue(request: VerificationRequest, { traceparent }: TraceOptions = {}): Promise<Enqueued> {
    return onlyResult(await this.enqueueMany([withLane(request, 'interactive')], { traceparent }));
  }

  /**
   * Enqueues many verifications, in lane `batch` unless a request names another lane. Each request has its own result, in order.
   * An invalid request gets the result `refused` and does not throw.
   * @throws Failure REDIS_UNAVAILABLE if Redis is unreachable from the start
   */
  async enqueueMany(
    requests: readonly VerificationRequest[],
    { chunk = CHUNK, onProgress, ...options }: EnqueueManyOptions & Pick<ParsedOptions, 'callsPerSecond'> = {},
  ): Promise<EnqueueResult[]> {
    await this.#requireNamespace();
    const results: EnqueueResult[] = [];
    for (let start = 0; start < requests.length; start += chunk) {
      const wall = await this.tenants.wall();
      const chunked = requests.slice(start, start + chunk);
      const parsed = await Promise.all(chunked.map((request) => parseRequest(this.#options, request, wall)));
      results.push(...(await this.#enqueue(wall, parsed, options)));
      onProgress?.(results.length);
    }
    return results;
  }

  /**
   * Enqueues a verification that `parseVerification` returned, so that a server parses each request only once. Everything else is
   * checked here, except the sources that `staged` names.
   * @throws Failure as `enqueue`
   */
  async enqueueParsed(verification: Verification, options: ParsedOptions = {}): Promise<Enqueued> {
    const { staged } = options;
    await this.#requireNamespace();
    const wall = await this.tenants.wall();
    const checked = await checkRequest(this.#options, verification, wall, staged?.names);
    return onlyResult(await this.#enqueue(wall, [{ ...checked, fingerprint: staged?.fingerprint }], options));
  }

  /**
   * Enqueues a verification and waits for its decision.
   * @throws Failure as `enqueue`; KEY_GONE if the verification is erased meanwhile
   */
  async verify(request: VerificationRequest, options: VerifyOptions & TraceOptions = {}): Promise<VerificationView> {
    const { id } = await this.enqueue(request, options);
    const view = await this.wait(id, options);
    if (view === null) throw keyGone();
    return view;
  }

  /**
   * Starts a session, and waits until Tencent has issued its token. The same request returns the same token, as long as the session
   * has not ended. Null instead of a token: `timeoutMs` is over, or the session has ended or is held; `get` says why.
   * @throws Failure as `enqueue`
   */
  async startSession(
    request: SessionRequest,
    { timeoutMs = DEFAULT_WAIT_MS, signal, traceparent }: StartOptions = {},
  ): Promise<StartedSession> {
    await this.#requireNamespace();
    const wall = await this.tenants.wall();
    const session = await parseSessionRequest(this.#options, request, wall);
    const enqueued = onlyResult(await this.#enqueue(wall, [session], { traceparent }));
    return this.#changes.until(enqueued.id, timeoutMs, signal, () => readToken(this.#store, enqueued));
  }

  /** Reports that the person of a session has finished, so that its result is asked for at once. Idempotent. */
  async finishSession(id: string): Promise<FinishStatus> {
    await this.#store.ready();
    return finishOne(this.#store, id);
  }

  /**
   * Checks that this client has the namespace of the deployment, as every call does that computes an id.
   * @throws Failure NAMESPACE_MISMATCH, INVALID_SETTINGS, REDIS_UNAVAILABLE
   */
  checkNamespace(): Promise<void> {
    return this.#requireNamespace();
  }

  /**
   * A client for another tenant over the same connection. Closing the returned client does nothing; it works until this client is
   * closed.
   */
  forTenant(tenant: string): BestframeClient {
    return new BestframeClient({ ...this.#options, tenant }, this.#owner ?? this);
  }

  /** @returns null if there is no such verification, or its record has expired. */
  async get(id: string): Promise<VerificationView | null> {
    await this.#audited({ act: 'timeline.read', on: id });
    return this.#store.view(id);
  }

  /** The facts that the vendor's support asks for. @returns null if there is no such verification. */
  async support(id: string): Promise<SupportBundle | null> {
    const view = await this.get(id);
    return view === null ? null : supportBundle(view);
  }

  /** Like `get`, by the caller's own key. */
  async getByKey(key: string): Promise<VerificationView | null> {
    await this.#requireNamespace();
    return this.get(this.idOf(key));
  }

  /**
   * The id of the verification with the caller's key. Computed without Redis.
   * @throws Failure INVALID_SETTINGS without a namespace
   */
  idOf(key: string): string {
    return verificationId(this.#namespace, key);
  }

  /** The hash by which a repeated request is recognised. Computed without Redis. */
  fingerprintOf(verification: Verification): string {
    return fingerprint(this.#namespace, verification);
  }

  /**
   * Waits for the decision (with `until: 'ended'`, for the end), or until an operator must decide.
   * @returns the verification at the end of the wait; `next` is `wait` if the time ran out. Null if there is no such
   * verification.
   */
  async wait(
    id: string,
    { until = 'decided', timeoutMs = DEFAULT_WAIT_MS, signal }: WaitOptions = {},
  ): Promise<VerificationView | null> {
    await this.#audited({ act: 'timeline.read', on: id });
    await this.#store.ready();
    return this.#changes.until(id, timeoutMs, signal, async () => {
      const view = await this.#store.view(id);
      return { done: view === null || satisfiesWait(view, until), value: view };
    });
  }

  /**
   * Yields the verification now and after each change. Finishes when the verification ends or is erased, or if it does not
   * exist.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<VerificationView> {
    await this.#audited({ act: 'timeline.read', on: id });
    await this.#store.ready();
    yield* this.#changes.watch(id, signal, () => this.#store.view(id));
  }

  async cancel(id: string): Promise<Cancelled> {
    await this.#audited({ act: 'cancel', on: id });
    return cancelOne(this.#store, id);
  }

  /** Verifications, newest first. */
  async list({ ended, limit = 50 }: ListOptions = {}): Promise<VerificationView[]> {
    const most = Math.min(limit, MAX_LISTED);
    const which = ended === undefined ? 'all' : ended ? 'ended' : 'live';
    await this.#audited({ act: 'verifications.list', what: which });
    return newestViews(this.#store, ended, most);
  }

  /**
   * Verifications, newest first, a page at a time; without a tenant, first the live and then the ended ones.
   * @throws Failure INVALID_VERIFICATION for a foreign cursor
   */
  async page(filter: StoredPageFilter = {}): Promise<PageOf<VerificationView>> {
    const { limit: _limit, cursor: _cursor, ended: _ended, ...selection } = filter;
    await this.#audited({ act: 'verifications.list', what: describeFilter(selection) });
    return pageOf(this.#store, filter);
  }

  /** Whether verifications exist, have ended or were erased, in the order of the ids, for all tenants. */
  presence(ids: readonly string[]): Promise<Presence[]> {
    return this.#ask((deployment) => readPresence(deployment, ids));
  }

  /** Paths of the files and objects that live records name, in the order of the ids, for all tenants. See `readSourceFiles`. */
  sourceFiles(ids: readonly string[]): Promise<(readonly string[] | null)[]> {
    return this.#ask((deployment) => readSourceFiles(deployment, ids));
  }

  /**
   * Calls that Tencent bills, and calls that it may bill.
   * @throws Failure MALFORMED_REQUEST if a day is not a date, `since` is after `until`, or the range exceeds 400 days
   */
  costs(filter: CostFilter = {}): Promise<CostSum[]> {
    return costSums(this.#store, filter);
  }

  /** Verifications that wait for an operator. */
  async held(filter: HeldFilter = {}): Promise<VerificationView[]> {
    await this.#audited({ act: 'verifications.list', what: 'held' });
    return heldViews(this.#store, filter);
  }

  /** Carries out an operator's decision about a held verification. @param decide its `by` and `why` are stored in the history. */
  async resolve(id: string, choice: HeldChoice, decide: HeldDecision): Promise<HeldDecisionResult> {
    await this.#audited({ act: 'held.resolve', on: id, what: choice, by: decide.by, purpose: decide.why });
    return resolve(this.#store, id, choice, decide);
  }

  /** @throws Failure MALFORMED_REQUEST, naming the field */
  retry(request: RetryRequest, options: RetryOptions = {}): Promise<RetryResult[]> {
    return retryInPages(request, options, (page) => this.#retryPage(page));
  }

  /** One page of a retry, without a pause. */
  retryPage(page: RetryPageRequest): Promise<RetryPage> {
    return retryPage(this.#store, page, this.#options.fileRoots);
  }

  /**
   * Removes a verification from Redis at once, in any state, and schedules the deletion of its objects (all versions) and frame.
   * Later requests with its key are refused with KEY_GONE, so no call is paid for again. @param request goes into the receipt.
   */
  async erase(id: string, request: EraseRequest): Promise<EraseResult> {
    await this.#audited({ act: 'erase', on: id, by: request.by, purpose: request.why });
    return eraseOne(this.#store, id, request);
  }

  /** What was erased, and which deletions are confirmed by now. @returns null if no verification with this id was erased. */
  async receipt(id: string): Promise<ErasureReceipt | null> {
    await this.#audited({ act: 'receipt.read', on: id });
    return receiptOf(this.#store, id);
  }

  /**
   * Asks Redis to rewrite its append-only file, which contains erased data until then. At most one rewrite an hour is asked for.
   * `receipt` says whether the file was rewritten since an erasure.
   */
  rewriteAof(): Promise<RewriteAnswer> {
    return this.#ask(askForRewrite);
  }

  /** Sets a legal hold: no part of the verification is erased, on demand or by age, until the hold is lifted. */
  async legalHold(id: string, request: EraseRequest): Promise<'ok' | 'missing'> {
    await this.#audited({ act: 'legal-hold.change', on: id, what: 'set', by: request.by, purpose: request.why });
    return changeLegalHold(this.#store, id, { ...request, since: new Date().toISOString() }, request);
  }

  async liftLegalHold(id: string, request: EraseRequest): Promise<'ok' | 'missing'> {
    await this.#audited({ act: 'legal-hold.change', on: id, what: 'lift', by: request.by, purpose: request.why });
    return changeLegalHold(this.#store, id, null, request);
  }

  /**
   * Tells Bestframe that the caller has its copy of the frame. Bestframe then deletes the frame within seconds, not at the end
   * of its retention.
   */
  async acknowledge(id: string): Promise<Acknowledged> {
    await this.#audited({ act: 'frame.acknowledge', on: id });
    return acknowledge(this.#store, id);
  }

  /** Every record about one subject, oldest first. @param subject as the caller gave it. */
  async bySubject(subject: string): Promise<VerificationView[]> {
    await this.#audited({ act: 'verifications.list', what: 'one subject' });
    await this.#requireNamespace();
    return viewsOfSubject(this.#store, subjectHash(this.#namespace, subject));
  }

  /** Verifications that ended before a time (ms since 1970), oldest first. @param limit default 1,000 */
  async endedBefore(before: number, limit: number = MAX_LISTED): Promise<VerificationView[]> {
    await this.#audited({ act: 'verifications.list', what: 'ended before a time' });
    return viewsEndedBefore(this.#store, before, limit);
  }

  /** All gates that were ever used, one for each region and action: open, closed by trouble with the account, or paused. */
  gates(): Promise<GateView[]> {
    return this.#ask((deployment) => readGates(deployment, Date.now()));
  }

  /** The verify workers that run, and the faults of their machines. */
  workers(): Promise<WorkerView[]> {
    return this.#ask(readWorkers);
  }

  /**
   * The services that verifications depend on, and whether each one works: FaceID's calls, COS, and source hosts that had
   * trouble.
   */
  breakers(): Promise<BreakerView[]> {
    return this.#ask(readBreakers);
  }

  /**
   * Carries out an operator's command on a gate. `close` stops calls until a probe is answered; `pause` stops them until
   * `resume`.
   * @returns whether the command changed anything.
   */
  async steerGate(
    gate: { region: Region; action: GatedAction },
    act: GateCommand,
    { by, why }: Attribution,
  ): Promise<boolean> {
    await this.#audited({ act: 'gate.steer', on: `${gate.region} ${gate.action}`, what: act, by, purpose: why });
    return this.#ask((deployment) => steerGate(deployment, gate, { act, by, why }));
  }

  /** Counts a region's waiting verifications that are served before a new one of this lane. */
  async ahead(region: Region, lane: Lane): Promise<number> {
    await this.#store.ready();
    return aheadOf(this.#store, { region, lane, share: shareOf(await this.tenants.wall()) });
  }

  /** The metrics of the whole deployment, now. */
  metrics(): Promise<Metrics> {
    return this.#ask((deployment) => readMetrics(deployment, this.#store.queues(), this.#options.metricsTenants));
  }

  /** Idempotent. Leaves no socket and no timer. */
  async close(): Promise<void> {
    if (this.#owner !== undefined) return;
    await this.#changes.close();
    await this.#store.close();
    await this.#audit.close();
  }

  async #retryPage(page: RetryPageRequest): Promise<RetryPage> {
    if (this.#options.audit !== undefined && page.dryRun !== true)
      await this.#audited(...retryActs(page, (await this.retryPage({ ...page, dryRun: true })).results));
    return this.retryPage(page);
  }

  /** Waits for Redis, then asks it. */
  async #ask<Answer>(question: (deployment: Deployment) => Promise<Answer>): Promise<Answer> {
    await this.#store.ready();
    return this.#store.command(question(this.#store.deployment));
  }

  /** Writes to the audit log of this client, if it has one. */
  #audited(...acts: readonly ClientAct[]): Promise<void> {
    return this.#audit.write(this.#store.tenant, acts);
  }

  /** Adds verifications to the queue. A key that is known already gives its state away, which is audited. */
  async #enqueue(wall: TenantWall | null, parsed: readonly ParsedOrRefused[], options: ParsedOptions) {
    const defaults = defaultsOf(this.#options, this.#store.tenant, wall);
    const own = { store: this.#store, webhooks: this.webhooks, namespace: this.#namespace, mode: this.#options.mode };
    const context = { traceparent: undefined, ...options, ...own, defaults, share: shareOf(wall) };
    const results = await enqueueParsed(context, parsed, (key) => this.idOf(key));
    const known = results.flatMap((result) => (result.status === 'same' ? result.id : []));
    await this.#audited(...known.map((on) => ({ act: 'verification.resubmit' as const, on })));
    return results;
  }

  get #namespace(): string {
    return tenantNamespace(rootNamespace(this.#options), this.#store.tenant);
  }

  /** Waits for Redis. @throws Failure REDIS_UNAVAILABLE; NAMESPACE_MISMATCH or INVALID_SETTINGS before any id is used */
  async #requireNamespace(): Promise<void> {
    const namespace = rootNamespace(this.#options);
    await this.#store.ready();
    await this.#store.requireNamespace(namespace, this.#options.mode);
  }
}
