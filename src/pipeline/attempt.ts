import type { Code } from '../domain/errors/codes.ts';
import { Failure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { dependenciesOf } from '../domain/operations/breakers.ts';
import type { AnsweredFrame } from '../domain/ports.ts';
import { isUploaded, planOf, stagesOf } from '../domain/verification/actions.ts';
import type { CallBody } from '../domain/verification/call-body.ts';
import { FLOWS, isFlow } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { type DetectOutcome, uploadedBytes } from '../domain/verification/outcomes.ts';
import { maxPaymentsWithoutReview, stageLimitMs } from '../domain/verification/policy.ts';
import type { Order } from '../domain/verification/request.ts';
import type { FlowResult } from '../domain/verification/session-result.ts';
import type { StageName } from '../domain/verification/states.ts';
import { type NotifyJob, notification } from '../redis/notify-queue.ts';
import { currentStage } from '../redis/progress.ts';
import type { JournalRecord } from '../redis/record.ts';
import type { AttemptStart } from '../redis/scripts/begin-attempt.ts';
import { adoptReceipt, proofOf } from './adopt-receipt.ts';
import { AfterFailure, StageFailure } from './after-failure.ts';
import { type AttemptEnd, AttemptEnds } from './attempt-ends.ts';
import { deadlinePassed, stageTimeout } from './attempt-failures.ts';
import { downloadUntilDeadline, owesOpinion } from './attempt-opinion.ts';
import { opinionPaymentOf, paymentOf } from './attempt-payment.ts';
import { AttemptSources } from './attempt-sources.ts';
import type { AttemptTools } from './attempt-tools.ts';
import { checkRecord } from './check-record.ts';
import { collectResult } from './collect-result.ts';
import { commitDownload, commitUpload } from './commit-outcomes.ts';
import type { Lease } from './lease.ts';
import { resolveOpenIntent } from './open-intent.ts';
import { CallWithheld, pay, payOpinion, payStart } from './payment.ts';
import { sleep } from './sleep.ts';
import { hasFrameToFetch, openResources, type StageContext, type StageInput, stages } from './stages/index.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

export class Attempt {
  readonly #tools: AttemptTools;
  readonly #lease: Lease;
  readonly #record: JournalRecord;
  readonly #start: AttemptStart;
  readonly #ends: AttemptEnds;
  readonly #sources: AttemptSources;
  /**
   * Stops the work before the decision: at the verification's deadline, at a stage's time limit, and when the lease ends. The
   * download after a decision goes on.
   */
  readonly #untilDecision: AbortController;
  /** The gate's epoch when this attempt was admitted. */
  #epoch: string;
  /** The preflight's history entry. It waits here until the intent is written: writing both together saves a script call. */
  #preflightEntry: HistoryEntry | null = null;
  /** The body of a call that carries its files. */
  #body: CallBody | null = null;
  #heldFrame: AnsweredFrame | null = null;
  /** Whether this attempt has started the session. */
  #hasStarted = false;
  /** The result of a session that this attempt got. */
  #result: FlowResult | null = null;
  /** The download's history entry. It waits here until the end is written: writing both together saves a script call. */
  #downloadEntry: HistoryEntry | null = null;

  constructor(tools: AttemptTools, lease: Lease, start: AttemptStart, record: JournalRecord) {
    this.#tools = tools;
    this.#lease = lease;
    this.#start = start;
    this.#epoch = start.epoch;
    this.#record = record;
    this.#untilDecision = lease.link();
    this.#ends = new AttemptEnds(tools, lease, start, record);
    this.#sources = new AttemptSources(tools, lease, record, (stage) =>
      this.#within(stage, (context) => openResources(this.#input, context)),
    );
  }

  async run(): Promise<AttemptEnd> {
    const { verdict, waitMs } = this.#start;
    switch (verdict) {
      case 'terminal':
        return this.#ends.repeatFollowUps();
      case 'held':
        return { kind: 'held', leftMs: waitMs };
      case 'wait':
        return { kind: 'later', delayMs: waitMs };
      case 'poison':
        return this.#endUnlessDecided(CODES.POISON);
      case 'expired':
        return this.#endUnlessDecided(CODES.DEADLINE_EXCEEDED);
      case 'hold_expired':
        return this.#afterHold();
      case 'lost':
      case 'missing':
        return { kind: verdict };
      case 'sealed':
        throw new Error('a sealed record cannot be attempted');
      case 'go':
        return this.#runStages();
    }
  }

  async #runStages(): Promise<AttemptEnd> {
    const leftMs = this.#record.deadline - this.#start.now;
    // A session with a token is asked for at its deadline, and then decided.
    const hasToken = this.#record.outcomes.start !== undefined;
    const timer = hasToken
      ? undefined
      : setTimeout(() => this.#untilDecision.abort(deadlinePassed()), Math.min(leftMs, MAX_TIMER_MS));
    try {
      if (!(await this.#adoptReceipt())) {
        const waiting = await resolveOpenIntent(this.#tools, this.#lease, this.#record, this.#ends);
        if (waiting !== null) return waiting;
        if (this.#record.cancelled) return await this.#ends.endWith(CODES.CANCELLED);
        checkRecord(this.#record, this.#tools);
      }
      await this.#passBreakers();
      if (this.#record.outcomes.detect === undefined) await this.#waitForAdmission(this.#start.waitMs);
      const plan = planOf(this.#record);
      const [first = 'upload'] = plan;
      if (this.#mustRun(first) || this.#readsAgain) await this.#spoolAhead(currentStage(this.#record));
      for (const stage of plan) {
        if (!this.#mustRun(stage)) continue;
        if (stage === 'await') return await this.#ends.park(this.#tools.policy.askMs.first, null);
        await this.#runStage(stage);
      }
      return await this.#ends.complete(this.#downloadEntry);
    } catch (error) {
      return await new AfterFailure(this.#tools, this.#lease, this.#record, this.#ends).handle(error, this.#epoch);
    } finally {
      clearTimeout(timer);
      this.#tools.edges.faceId.forgetCall(this.#untilDecision.signal);
      await this.#tools.breakers.end();
      await this.#sources.close();
    }
  }

  /** Called if no operator resolved a hold in time: the verification fails for the reason that caused the hold. */
  #afterHold(): Promise<AttemptEnd> {
    const { reason, cancelled } = this.#record;
    if (cancelled || reason === null) return this.#ends.endWith(cancelled ? CODES.CANCELLED : CODES.INTERNAL);
    return this.#ends.failFor(reason);
  }

  // ── before the stages ────────────────────────────────────────────────────────────────────────────────────────────

  /** @returns whether a receipt was found and adopted. See adopt-receipt.ts. */
  async #adoptReceipt(): Promise<boolean> {
    const [notify, { signal }] = [this.#decisionNotice, this.#untilDecision];
    const decided = await adoptReceipt(this.#record, this.#tools, { lease: this.#lease, notify, signal });
    if (decided !== null) this.#record.outcomes.detect = decided;
    return decided !== null;
  }

  /**
   * Ends a verification that is overdue or has crashed its workers too often, unless a receipt shows that it was decided. If the
   * bucket that may hold the receipt does not answer, the verification ends too. A call that is still open is waited for.
   */
  async #endUnlessDecided(code: Code): Promise<AttemptEnd> {
    try {
      if (await this.#adoptReceipt()) return this.#runStages();
    } catch (error) {
      if (this.#lease.lost || error instanceof CallWithheld) {
        return new AfterFailure(this.#tools, this.#lease, this.#record, this.#ends).handle(error, this.#epoch);
      }
      if (!(error instanceof Failure)) throw error;
    }
    const waiting = await resolveOpenIntent(this.#tools, this.#lease, this.#record, this.#ends);
    return waiting ?? this.#ends.endWith(code);
  }

  /**
   * Stops the attempt before its first stage if a dependency of any remaining stage is down, so that nothing is uploaded in vain.
   */
  async #passBreakers(): Promise<void> {
    const { order } = this.#record;
    if (order === null) return;
    const left = planOf(this.#record).filter((stage) => this.#mustRun(stage));
    const needed = left.flatMap((stage) => this.#dependencies(order, stage));
    await this.#lease.guard(this.#tools.breakers.ask(needed, this.#mayProbe));
  }

  #dependencies(order: Order, stage: StageName): string[] {
    const inOwnBucket = stage === 'upload' && order.upload === 'own-bucket';
    return dependenciesOf(order, stage, inOwnBucket ? this.#tools.edges.bucket(order.region) : undefined);
  }

  /**
   * Whether this attempt may probe a FaceID call behind an open breaker. The outcome of a probe may stay unknown, and the probe
   * then counts as possibly paid. If the probe would be this verification's last allowed call, another verification must probe.
   */
  get #mayProbe(): boolean {
    const { lane, opinionCalls } = this.#record;
    const { paid, possiblyPaid } = owesOpinion(this.#record) ? opinionCalls : this.#record;
    return paid + possiblyPaid + 1 < maxPaymentsWithoutReview(this.#tools.policy, lane);
  }

  async #spoolAhead(stage: StageName): Promise<void> {
    const answer = await this.#sources.spoolAhead(stage);
    if (answer === null) return;
    this.#epoch = answer.epoch;
    await this.#waitForAdmission(answer.waitMs);
  }

  async #waitForAdmission(firstWaitMs: number): Promise<void> {
    const { region, action, lane } = this.#record;
    const admission = this.#tools.gate.admission(region, action);
    let waitMs = firstWaitMs;
    while (waitMs > 0) {
      await sleep(waitMs, this.#untilDecision.signal);
      const answer = await this.#lease.guard(this.#tools.journal.askAdmission(lane, admission));
      waitMs = answer.waitMs;
      this.#epoch = answer.epoch;
    }
  }

  // ── the stages ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether a stage must run, because it has no outcome yet. After a decision, only the download and the second opinion can be left. */
  #mustRun(stage: StageName): boolean {
    const { outcomes } = this.#record;
    if (stage === 'download') return outcomes.download === undefined;
    if (stage === 'opinion') return owesOpinion(this.#record);
    if (outcomes.detect !== undefined) return false;
    if (stage === 'await') return this.#hasStarted;
    if (stage === 'read') return outcomes.upload === undefined;
    return stage === 'collect' || outcomes[stage] === undefined;
  }

  /** Whether this attempt must read sources that an earlier attempt has read, because the call carries them. */
  get #readsAgain(): boolean {
    const { action, outcomes } = this.#record;
    return stagesOf(action).includes('read') && outcomes.upload !== undefined && outcomes.detect === undefined;
  }

  async #runStage(stage: StageName): Promise<void> {
    const input = this.#input;
    const startedAt = performance.now();
    const tookMs = () => performance.now() - startedAt;
    this.#tools.log.stage(stage, 'start', {});
    try {
      await this.#tools.tracer.run(stage, { facts: { stage } }, () => this.#work(stage, input, tookMs));
    } catch (error) {
      throw new StageFailure(stage, tookMs(), error);
    }
    this.#tools.log.stage(stage, 'done', {
      ms: tookMs() + (stage === 'upload' || stage === 'read' ? this.#sources.ms : 0),
    });
  }

  async #work(stage: StageName, input: StageInput, tookMs: () => number): Promise<void> {
    const { outcomes } = this.#record;
    const { breakers, edges } = this.#tools;
    const { faceId } = edges;
    switch (stage) {
      case 'upload':
        faceId.prepareCall(this.#untilDecision.signal);
        outcomes.upload = await this.#within(stage, (context) => stages.upload(input, context, this.#sources.spooled));
        breakers.pass(this.#dependencies(input.order, stage));
        await commitUpload(this.#tools, this.#lease, this.#record, { stage, ms: this.#sources.ms + tookMs() });
        this.#tools.log.moved('uploaded', uploadedBytes(outcomes.upload));
        break;
      case 'read':
        faceId.prepareCall(this.#untilDecision.signal);
        outcomes.upload = stages.read(await this.#sources.open(stage));
        breakers.pass(this.#dependencies(input.order, stage));
        await commitUpload(this.#tools, this.#lease, this.#record, { stage, ms: this.#sources.ms + tookMs() });
        break;
      case 'md5':
        faceId.prepareCall(this.#untilDecision.signal); // again, in case the upload took long
        if (isUploaded(input.order.action))
          outcomes.md5 = await this.#within(stage, (context) => stages.md5(input, context));
        else {
          await this.#writeBody(stage);
          outcomes.md5 = { checkedAt: Date.now() };
        }
        breakers.pass(this.#dependencies(input.order, stage));
        this.#preflightEntry = { at: Date.now(), event: 'done', stage, ms: tookMs() };
        break;
      case 'detect':
        await this.#announce(await this.#detect(input));
        break;
      case 'start':
        outcomes.start = await stages.start(
          input,
          this.#context(this.#untilDecision.signal),
          await this.#sources.open(stage),
        );
        this.#hasStarted = true;
        break;
      case 'await':
        break; // see #runStages
      case 'collect':
        await this.#announce(await this.#collect(input, tookMs));
        break;
      case 'download':
        outcomes.download = await this.#untilOpinion(() =>
          this.#within(stage, (context) => stages.download(input, context)),
        );
        if (hasFrameToFetch(input)) {
          this.#noteDownload(outcomes.download.stored?.bytes ?? 0, tookMs());
          breakers.pass(this.#dependencies(input.order, stage));
        }
        if (owesOpinion(this.#record)) {
          await commitDownload(this.#tools, this.#lease, this.#record, this.#downloadEntry);
          this.#downloadEntry = null;
        }
        break;
      case 'opinion':
        outcomes.opinion = await stages.opinion(input, this.#context(this.#untilDecision.signal));
        this.#tools.log.opinion(outcomes.opinion);
        break;
    }
  }

  async #announce(decided: DetectOutcome): Promise<void> {
    this.#record.outcomes.detect = decided;
    this.#tools.log.decided(decided);
    await this.#lease.guard(this.#tools.outbox.deliverNotification(this.#decisionNotice));
  }

  /** Runs the download. See `downloadUntilDeadline`. */
  #untilOpinion<T>(download: () => Promise<T>): Promise<T> {
    const waiting = { record: this.#record, signal: this.#untilDecision.signal };
    return downloadUntilDeadline(this.#tools, this.#lease, waiting, download);
  }

  async #detect(input: StageInput): Promise<DetectOutcome> {
    const context = this.#context(this.#untilDecision.signal);
    if (isUploaded(input.order.action)) return stages.detect(input, context);
    const body = this.#body ?? (await this.#writeBody('detect'));
    const { decided, heldFrame, ms } = await stages.detectFiles(input, context, body);
    this.#heldFrame = heldFrame;
    if (decided.stored !== undefined) this.#noteDownload(decided.stored.bytes, ms);
    return decided;
  }

  async #writeBody(stage: StageName): Promise<CallBody> {
    const opened = await this.#sources.open(stage);
    this.#body = await this.#within(stage, () => stages.md5OfFiles(this.#input, opened));
    return this.#body;
  }

  #noteDownload(bytes: number, ms: number): void {
    this.#tools.log.moved('downloaded', bytes);
    this.#downloadEntry = { at: Date.now(), event: 'done', stage: 'download', ms };
  }

  async #collect(input: StageInput, tookMs: () => number): Promise<DetectOutcome> {
    const asking = { ask: () => this.#askResult(input), notify: this.#decisionNotice, tookMs };
    const { decided, result } = await collectResult(this.#tools, this.#lease, this.#record, asking);
    this.#result = result;
    return decided;
  }

  async #askResult(input: StageInput): Promise<FlowResult> {
    return this.#within('collect', (context) => stages.collect(input, context));
  }

  /**
   * Runs a stage. The stage is aborted at its time limit, when the lease is lost, and at the deadline if there is no decision
   * yet.
   */
  async #within<T>(stage: StageName, run: (context: StageContext) => Promise<T>): Promise<T> {
    const limit = stage === 'download' ? this.#lease.link() : this.#untilDecision;
    const timer = setTimeout(() => limit.abort(stageTimeout(stage)), stageLimitMs(this.#tools.policy, stage));
    try {
      return await run(this.#context(limit.signal));
    } finally {
      clearTimeout(timer);
    }
  }

  #context(signal: AbortSignal): StageContext {
    const { edges, objectFolder, wall, gate, reuse } = this.#tools;
    const { region, action } = this.#record;
    const payment = (from = paymentOf) =>
      from(this.#tools, this.#lease, this.#record, {
        mayProbe: this.#mayProbe,
        notify: this.#decisionNotice,
        preflightEntry: this.#preflightEntry,
        signal,
      });
    return {
      edges,
      signal,
      objectFolder,
      wall,
      now: () => Date.now(),
      receiptOwner: this.#tools.receiptOwner,
      proofOf: (order, decided) => proofOf(this.#record, order, decided, reuse.namespace),
      uploadUrlTurns: (count) => gate.uploadUrlTurns(region, count, signal),
      pay: (prepare, call, keep) => pay(payment(), prepare, call, keep),
      payStart: (prepare, call) => payStart(payment(), prepare, call),
      payOpinion: (prepare, call) => payOpinion(payment(opinionPaymentOf), prepare, call),
      resultTurn: () => gate.turn(region, isFlow(action) ? FLOWS[action].resultCall : action, signal),
      heldFrame: this.#heldFrame,
      freshMedia: async () => (this.#result ?? (await this.#askResult(this.#input))).media,
      mayLeaveMedia: this.#record.attempts.download >= LEFT_AFTER,
    };
  }

  get #input(): StageInput {
    const { id, tenant, generation, order, outcomes } = this.#record;
    if (order === null) throw new Error('a live verification has no order');
    return { id, tenant, generation, order, outcomes };
  }

  get #decisionNotice(): NotifyJob | undefined {
    return notification(this.#record, 'decided').notify;
  }
}

/** After this many failed downloads, media other than the frame may be left. */
const LEFT_AFTER = 8;
