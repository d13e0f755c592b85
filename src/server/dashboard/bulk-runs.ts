/**
 * Acts on many verifications. Once its operator has confirmed a plan with a reason, it runs at a rate that the operator chose, one
 * verification after the other, and each is audited before it changes.
 *
 * What must hold:
 * 1. Only the operator who made a plan can start, stop or continue it, and one process at a time runs it.
 * 2. Exactly the ids of the plan are touched, whatever matches the filter by then.
 * 3. A run that was interrupted goes on where it was. The act that was under way is not carried out twice: a run that is stopped keeps
 *    its claim until the act has ended.
 *
 * Plan and progress are in Redis, so each process of the site shows them, and another one can continue a run.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { Act } from '../../domain/operations/audit.ts';
import {
  AUDITED_AS,
  addResult,
  type BulkAct,
  type BulkOrder,
  type BulkPlan,
  type BulkProgress,
  isDoable,
  isInHistory,
  NO_PROGRESS,
} from '../../domain/operations/bulk.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import {
  claimPlan,
  endClaim,
  noteRun,
  type PlannedRun,
  readPlan,
  renewClaim,
  writePlan,
} from '../../redis/bulk-plans.ts';
import type { Deployment } from '../../redis/deployment.ts';
import { clientOf } from './lookup.ts';

/** Writes the audit line of one verification. */
type Audit = (entry: { act: Act; on: string; what: string; purpose: string }) => Promise<void>;

type Selection = Pick<BulkPlan, 'act' | 'operator' | 'tenant' | 'filter' | 'cut'> & {
  readonly views: readonly VerificationView[];
};

const PLAN_ID = /^[\w-]{12}$/;
/** How long `continue` waits for a run that was stopped, and how often it looks. The slowest run acts once a second. */
const ENDING_STEP_MS = 100;
const ENDING_TRIES = 100;

export class BulkRuns {
  readonly #deployment: Deployment;
  readonly #client: BestframeClient;
  readonly #running = new Set<Promise<void>>();
  readonly #closed = new AbortController();

  constructor(deployment: Deployment, client: BestframeClient) {
    this.#deployment = deployment;
    this.#client = client;
  }

  async find(id: string): Promise<PlannedRun | null> {
    return PLAN_ID.test(id) ? readPlan(this.#deployment, id) : null;
  }

  /** Makes a dry run. Nothing changes. @param priceOf the price of all calls together. @returns the id of the plan. */
  async plan(
    { views, ...selection }: Selection,
    priceOf: (views: readonly VerificationView[]) => string | null,
  ): Promise<string> {
    const { act, tenant } = selection;
    const statuses = await statusesOf(this.#clientOf(tenant), act, views);
    const outlook: Record<string, number> = {};
    for (const status of statuses) outlook[status] = (outlook[status] ?? 0) + 1;
    const chosen = views.filter((_, index) => isDoable(statuses[index] ?? ''));
    const pays = act === 'retry' || act === 'rewind' || act === 'resume';
    const plan: BulkPlan = {
      id: randomBytes(9).toString('base64url'),
      ...selection,
      ids: chosen.map(({ id }) => id),
      outlook,
      pays,
      paidBefore: pays
        ? chosen.filter(({ paidCalls, possiblyPaidCalls }) => paidCalls + possiblyPaidCalls > 0).length
        : 0,
      cost: pays ? priceOf(views.filter((_, index) => statuses[index] === 'run' || statuses[index] === 'ok')) : null,
    };
    await writePlan(this.#deployment, plan);
    return plan.id;
  }

  /** @returns false if the plan has been started before. */
  async start(plan: BulkPlan, order: Omit<BulkOrder, 'startedAt'>, audit: Audit): Promise<boolean> {
    const runner = await this.#claim(plan.id, (run) => run === null);
    if (runner === null) return false;
    const started = { ...order, startedAt: new Date().toISOString() };
    await noteRun(this.#deployment, plan.id, { order: started, state: 'running', progress: NO_PROGRESS });
    this.#keep(this.#run(plan, { runner, order: started, from: null, audit }));
    return true;
  }

  /** Continues a run that was stopped or interrupted. @returns false if it cannot be continued. */
  async continue(plan: BulkPlan, audit: Audit): Promise<boolean> {
    const runner = await this.#claimStopped(plan.id);
    const run = runner === null ? null : (await this.find(plan.id))?.run;
    if (runner === null || run == null) return false;
    await noteRun(this.#deployment, plan.id, { state: 'running' });
    this.#keep(this.#run(plan, { runner, order: run, from: run, audit }));
    return true;
  }

  /** Stops a run before its next act. Its process then ends the claim. */
  async stop({ id }: BulkPlan): Promise<void> {
    const found = await this.find(id);
    if (found?.run?.state === 'running') await noteRun(this.#deployment, id, { state: 'stopped' });
  }

  /** Interrupts the runs of this process, each before its next act. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#running);
  }

  #clientOf(tenant: string | null): BestframeClient {
    return clientOf({ client: this.#client }, tenant);
  }

  /** @returns the name under which this process holds the claim; null if another run holds it, or `may` refuses. */
  async #claim(id: string, may: (run: PlannedRun['run']) => boolean): Promise<string | null> {
    const runner = randomBytes(9).toString('base64url');
    if (!(await claimPlan(this.#deployment, id, runner))) return null;
    const found = await this.find(id);
    if (found !== null && may(found.run)) return runner;
    await endClaim(this.#deployment, id);
    return null;
  }

  /** Claims a run that was stopped or interrupted. The process of a run that was just stopped ends its act first. */
  async #claimStopped(id: string): Promise<string | null> {
    for (let tries = 0; tries < ENDING_TRIES; tries += 1) {
      const runner = await this.#claim(id, (run) => run !== null && run.state !== 'done');
      if (runner !== null || (await this.find(id))?.run?.state !== 'stopped') return runner;
      await sleep(ENDING_STEP_MS);
    }
    return null;
  }

  #keep(running: Promise<void>): void {
    // If Redis does not answer, the claim expires, and the page offers to continue.
    const kept = running.catch(() => undefined).finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async #run(
    plan: BulkPlan,
    { runner, order, from, audit }: { runner: string; order: BulkOrder; from: BulkProgress | null; audit: Audit },
  ): Promise<void> {
    const { id: planId, ids } = plan;
    const renew = () => renewClaim(this.#deployment, planId, runner);
    const startedAt = performance.now();
    const { done: before, results, refused } = from ?? NO_PROGRESS;
    let progress: BulkProgress = { done: before, results, refused };
    for (const id of ids.slice(before)) {
      if (this.#closed.signal.aborted) break;
      const standing = await renew();
      if (standing === 'lost') return;
      if (standing === 'stopped') break;
      const mayBeDone = from !== null && progress.done === before;
      const status = await this.#actOn(plan, id, { order, audit, mayBeDone });
      progress = addResult(progress, id, status);
      if ((await renew()) === 'lost') return;
      await noteRun(this.#deployment, planId, { progress });
      const ahead = ((progress.done - before) * 1_000) / order.perSecond - (performance.now() - startedAt);
      if (ahead > 5 && progress.done < ids.length)
        await sleep(ahead, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
    if ((await renew()) === 'lost') return;
    if (progress.done === ids.length) await noteRun(this.#deployment, planId, { state: 'done' });
    await endClaim(this.#deployment, planId);
  }

  async #actOn(
    { act, operator, tenant }: BulkPlan,
    id: string,
    { order, audit, mayBeDone }: { order: BulkOrder; audit: Audit; mayBeDone: boolean },
  ): Promise<string> {
    const client = this.#clientOf(tenant);
    try {
      if (mayBeDone && isInHistory((await client.get(id))?.history ?? [], operator, order)) return 'ok';
      await audit({ act: AUDITED_AS[act], on: id, what: `bulk ${act}`, purpose: order.why });
      return await carryOut(client, act, id, { by: operator, why: order.why, payAgain: order.payAgain });
    } catch {
      return 'unavailable'; // Redis or the audit log: whatever was not done can be selected again
    }
  }
}

/** What the act would do with each verification. */
async function statusesOf(
  client: BestframeClient,
  act: BulkAct,
  views: readonly VerificationView[],
): Promise<string[]> {
  if (act === 'retry') {
    const results = await client.retry({ ids: views.map(({ id }) => id), by: '', why: '', dryRun: true });
    const found = new Map(results.map(({ id, status }) => [id, status]));
    return views.map(({ id }) => found.get(id) ?? 'missing');
  }
  if (act === 'cancel') return views.map(({ state }) => (isTerminal(state) ? 'ended' : 'ok'));
  if (act === 'erase') return views.map(({ legalHold }) => (legalHold === null ? 'ok' : 'legal_hold'));
  return views.map(({ state }) => (state === 'held' ? 'ok' : 'not_held'));
}

async function carryOut(
  client: BestframeClient,
  act: BulkAct,
  id: string,
  by: { by: string; why: string; payAgain: boolean },
): Promise<string> {
  switch (act) {
    case 'retry':
      return (await client.retry({ ids: [id], by: by.by, why: by.why }))[0]?.status ?? 'missing';
    case 'cancel': {
      const { status } = await client.cancel(id);
      return status === 'cancelled' || status === 'cancelling' ? 'ok' : status;
    }
    case 'erase': {
      const { status } = await client.erase(id, by);
      return status === 'erased' ? 'ok' : status;
    }
    default:
      return (await client.resolve(id, act === 'resume' ? 'retry' : act, by)).status;
  }
}
