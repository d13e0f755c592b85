/** Reads the ledger of paid calls. The scripts declare-intent and record-outcome write it. */

import type { CostEntry } from '../domain/operations/costs.ts';
import type { BudgetStatus, CostMetrics } from '../domain/operations/metrics.ts';
import type { ActionName } from '../domain/verification/actions.ts';
import { MICROS } from '../domain/verification/cost.ts';
import type { Region } from '../domain/verification/regions.ts';
import { openPipeline } from './connection.ts';
import type { Deployment } from './deployment.ts';

type Hash = Readonly<Record<string, string>>;
const SUM = 'all';

/** The ledger entries of the given days, in order. @param tenant if given, only this tenant's entries are read. */
export async function readCosts(
  { redis, names }: Deployment,
  days: readonly string[],
  tenant: string | undefined,
): Promise<CostEntry[]> {
  const pipeline = openPipeline(redis);
  for (const day of days) pipeline.hgetall(names.costs(day));
  const replies = (await pipeline.exec()) ?? [];
  return days.flatMap((day, index) => {
    const [error, hash] = replies[index] ?? [null, {}];
    if (error !== null) throw error;
    return entriesOf(day, hash as Hash, tenant);
  });
}

/** The fields of a place are `region|action|tenant|paid` and `…|maybe`, and the same with `|currency` behind them. */
const FIELD = /^([^|]+\|[^|]+\|([^|]*))\|((?:paid|maybe).*)$/;

/** Reads each field once: a day has fields for each region, action and tenant. */
function entriesOf(day: string, hash: Hash, wanted: string | undefined): CostEntry[] {
  const places = new Map<string, Record<string, string>>();
  for (const [field, value] of Object.entries(hash)) {
    const [, place = '', tenant, amount = ''] = FIELD.exec(field) ?? [];
    if (tenant === undefined || (wanted !== undefined && tenant !== wanted)) continue;
    const amounts = places.get(place) ?? {};
    amounts[amount] = value;
    places.set(place, amounts);
  }
  const sorted = [...places].sort(([one], [other]) => (one < other ? -1 : 1));
  return sorted.map(([place, amounts]) => {
    const [region, action, tenant = ''] = place.split('|');
    return {
      day,
      region: region as Region,
      action: action as ActionName,
      tenant: tenant === '' ? null : tenant,
      ...amountsOf(amounts),
    };
  });
}

/** @param prefix of the fields that belong to one place. */
function amountsOf(hash: Hash, prefix = ''): Pick<CostEntry, 'paidCalls' | 'possiblyPaidCalls' | 'costs'> {
  const number = (field: string) => Number(hash[`${prefix}${field}`] ?? 0);
  const start = `${prefix}maybe|`; // every call is first booked as `maybe`, so this finds all currencies
  const currencies = Object.keys(hash).flatMap((field) => (field.startsWith(start) ? [field.slice(start.length)] : []));
  const costs = currencies.map((currency) => ({
    currency,
    paid: number(`paid|${currency}`) / MICROS,
    possiblyPaid: number(`maybe|${currency}`) / MICROS,
  }));
  return { paidCalls: number('paid'), possiblyPaidCalls: number('maybe'), costs };
}

/** The day of the latest call; null before the first call. */
export async function readLedgerDay({ redis, names }: Deployment): Promise<string | null> {
  return redis.hget(names.budget, 'day');
}

/** Sums of today, and the budgets. Nothing is spent in the current day (or month) if the latest call was in an earlier one. */
export async function readCostMetrics({ redis, names }: Deployment, now: number): Promise<CostMetrics> {
  const shown: Hash = await redis.hgetall(names.budget);
  const day = Number(shown.dayEnds ?? 0) > now ? await redis.hgetall(names.costs(shown.day ?? '')) : {};
  const month = Number(shown.monthEnds ?? 0) > now ? await redis.hgetall(names.costs(shown.month ?? '')) : {};
  const budget = (period: BudgetStatus['period'], hash: Hash): BudgetStatus[] => {
    const [limit, unit = ''] = (shown[`${period}Limit`] ?? '').split(' ');
    if (limit === undefined || limit === '') return [];
    const suffix = unit === 'calls' ? '' : `|${unit}`;
    const spent = Number(hash[`${SUM}|paid${suffix}`] ?? 0) + Number(hash[`${SUM}|maybe${suffix}`] ?? 0);
    const scale = unit === 'calls' ? 1 : MICROS;
    return [{ period, unit, limit: Number(limit) / scale, spent: spent / scale }];
  };
  return { today: amountsOf(day, `${SUM}|`), budgets: [...budget('day', day), ...budget('month', month)] };
}
