/**
 * Acts on many verifications. A plan holds the ids and what the act would do with each. Once its operator has confirmed it with a
 * reason, it runs at a rate that the operator chose, one verification after the other, and each is audited before it changes.
 *
 * What must hold:
 * 1. Only the operator who made a plan can start it, and it runs once.
 * 2. Exactly the ids of the plan are touched, whatever matches the filter by then.
 *
 * Plans live in the memory of this process. If it stops, the run stops too, and what is done stays done.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { Act } from '../../domain/operations/audit.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';

export const BULK_ACTS = ['retry', 'rewind', 'resume', 'recapture', 'fail', 'cancel', 'erase'] as const;
export type BulkAct = (typeof BULK_ACTS)[number];

export const MAX_BULK = 10_000;
const MAX_PLANS = 50;
const MAX_FAILURES = 20;

const AUDITED: Readonly<Record<BulkAct, Act>> = {
  ...{ retry: 'retry', cancel: 'cancel', erase: 'erase' },
  ...{ rewind: 'held.resolve', resume: 'held.resolve', recapture: 'held.resolve', fail: 'held.resolve' },
};

export interface BulkPlan {
  readonly id: string;
  readonly act: BulkAct;
  readonly operator: string;
  /** The filter in words. */
  readonly filter: string;
  /** Whether more verifications match than a plan may contain. */
  readonly cut: boolean;
  /** Ids on which the act will be carried out. */
  readonly ids: readonly string[];
  /** How many were selected, by what the act would do with them. */
  readonly outlook: Readonly<Record<string, number>>;
  /** How many of `ids` may lead to another paid call although an earlier call was, or may have been, paid. */
  readonly paidBefore: number;
  /** Whether the act leads to paid calls. */
  readonly pays: boolean;
  /** Price of all calls, as text; null without prices. */
  readonly cost: string | null;
  run: BulkRun | null;
}

export interface BulkRun {
  readonly why: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly perSecond: number;
  state: 'running' | 'done' | 'stopped';
  done: number;
  /** How many had each result. */
  readonly results: Record<string, number>;
  /** The first verifications on which nothing was done, with the result. */
  readonly refused: { readonly id: string; readonly status: string }[];
}

export interface StartOptions {
  readonly why: string;
  readonly perSecond: number;
  readonly payAgain: boolean;
  /** Writes the audit line of one verification. */
  readonly audit: (entry: { act: Act; on: string; what: string; purpose: string }) => Promise<void>;
}

export class BulkRuns {
  readonly #client: BestframeClient;
  readonly #plans = new Map<string, BulkPlan>();
  #closed = false;

  constructor(client: BestframeClient) {
    this.#client = client;
  }

  /** Plans that the site knows, newest first. */
  list(): BulkPlan[] {
    return [...this.#plans.values()].reverse();
  }

  find(id: string): BulkPlan | null {
    return this.#plans.get(id) ?? null;
  }

  /** Makes a dry run. Nothing changes. @param priceOf the price of all calls together. */
  async plan(
    {
      act,
      views,
      operator,
      filter,
      cut,
    }: { act: BulkAct; views: readonly VerificationView[]; operator: string; filter: string; cut: boolean },
    priceOf: (views: readonly VerificationView[]) => string | null,
  ): Promise<BulkPlan> {
    const statuses = await this.#statuses(act, views);
    const outlook: Record<string, number> = {};
    for (const status of statuses) outlook[status] = (outlook[status] ?? 0) + 1;
    const chosen = views.filter((_, index) => isDoable(statuses[index] ?? ''));
    const pays = act === 'retry' || act === 'rewind' || act === 'resume';
    const plan: BulkPlan = {
      ...{ id: randomBytes(9).toString('base64url'), act, operator, filter, cut, outlook, pays },
      ids: chosen.map(({ id }) => id),
      paidBefore: pays
        ? chosen.filter(({ paidCalls, possiblyPaidCalls }) => paidCalls + possiblyPaidCalls > 0).length
        : 0,
      cost: pays ? priceOf(chosen.filter((_, index) => statuses[index] !== 'frame')) : null,
      run: null,
    };
    this.#plans.set(plan.id, plan);
    for (const [id, { run }] of this.#plans)
      if (this.#plans.size > MAX_PLANS && run?.state !== 'running') this.#plans.delete(id);
    return plan;
  }

  /** Starts a plan. @returns false if it has been started before */
  start(plan: BulkPlan, options: StartOptions): boolean {
    if (plan.run !== null) return false;
    const { why, perSecond } = options;
    plan.run = {
      why,
      perSecond,
      startedAt: new Date().toISOString(),
      state: 'running',
      done: 0,
      results: {},
      refused: [],
    };
    void this.#run(plan, plan.run, options);
    return true;
  }

  stop(plan: BulkPlan): void {
    if (plan.run?.state === 'running') plan.run.state = 'stopped';
  }

  close(): void {
    this.#closed = true;
  }

  async #run(
    { act, ids, operator }: BulkPlan,
    run: BulkRun,
    { why, perSecond, payAgain, audit }: StartOptions,
  ): Promise<void> {
    const isRunning = () => run.state === 'running' && !this.#closed;
    const startedAt = performance.now();
    for (const id of ids) {
      if (!isRunning()) return;
      let status: string;
      try {
        await audit({ act: AUDITED[act], on: id, what: `bulk ${act}`, purpose: why });
        status = await this.#act(act, id, { by: operator, why, payAgain });
      } catch {
        status = 'unavailable'; // Redis or the audit log: whatever was not done can be selected again
      }
      run.done += 1;
      run.results[status] = (run.results[status] ?? 0) + 1;
      if (!isDoable(status) && run.refused.length < MAX_FAILURES) run.refused.push({ id, status });
      const ahead = (run.done * 1_000) / perSecond - (performance.now() - startedAt);
      if (ahead > 5 && run.done < ids.length) await sleep(ahead);
    }
    if (run.state === 'running') run.state = 'done';
  }

  async #statuses(act: BulkAct, views: readonly VerificationView[]): Promise<string[]> {
    if (act === 'retry') {
      const results = await this.#client.retry({ ids: views.map(({ id }) => id), by: '', why: '', dryRun: true });
      const found = new Map(results.map(({ id, status }) => [id, status]));
      return views.map(({ id }) => found.get(id) ?? 'missing');
    }
    if (act === 'cancel') return views.map(({ state }) => (isTerminal(state) ? 'ended' : 'ok'));
    if (act === 'erase') return views.map(({ legalHold }) => (legalHold === null ? 'ok' : 'legal_hold'));
    return views.map(({ state }) => (state === 'held' ? 'ok' : 'not_held'));
  }

  async #act(act: BulkAct, id: string, by: { by: string; why: string; payAgain: boolean }): Promise<string> {
    const client = this.#client;
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
}

/** Whether a status says that the act is, or would be, carried out. */
export function isDoable(status: string): boolean {
  return status === 'ok' || status === 'run' || status === 'frame';
}
