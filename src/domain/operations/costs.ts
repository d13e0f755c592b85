/**
 * What paid calls cost: prices, budgets, and the ledger by day. Without prices, costs are counted in calls.
 */
import { CHECK_NAMES, OPINION_CALL, PAID_CALLS, type PaidCall } from '../verification/actions.ts';
import { type Cost, MICROS } from '../verification/cost.ts';
import type { Region } from '../verification/regions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Price of one call, in millionths of `currency`. An action without a price counts as free. */
export interface Prices {
  /** ISO 4217. @example 'USD' */
  readonly currency: string;
  readonly perCall: Readonly<Partial<Record<PaidCall, number>>>;
}

/** The most that may be spent in a period. When this amount is spent, the gate closes. */
export interface Budget {
  readonly period: 'day' | 'month';
  /** Calls, or millionths of the currency. */
  readonly limit: number;
  /** `calls`, or a currency. */
  readonly unit: string;
}

export interface CostSettings {
  readonly prices: Prices | null;
  readonly budgets: readonly Budget[];
  /** Offset of local time from UTC, ms. Days and months start at local midnight. */
  readonly offsetMs: number;
}

export const NO_PRICES: CostSettings = { prices: null, budgets: [], offsetMs: 0 };

/** The price of one call, and the day and month in which the call is booked. */
export interface Charge {
  readonly currency: string;
  /** Millionths of the currency; 0 without a price. */
  readonly micros: number;
  /** @example '2026-11-28' */
  readonly day: string;
  /** @example '2026-11' */
  readonly month: string;
  /** ms since 1970. */
  readonly dayEnds: number;
  readonly monthEnds: number;
  readonly budgets: readonly Budget[];
}

/** @param now ms since 1970. */
export function chargeOf({ prices, budgets, offsetMs }: CostSettings, action: PaidCall, now: number): Charge {
  const local = new Date(now + offsetMs);
  const day = local.toISOString().slice(0, 10);
  const nextMonth = Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + 1, 1);
  return {
    currency: prices?.currency ?? '',
    micros: prices?.perCall[action] ?? 0,
    day,
    month: day.slice(0, 7),
    dayEnds: Date.parse(day) + DAY_MS - offsetMs,
    monthEnds: nextMonth - offsetMs,
    budgets,
  };
}

/** Calls of one day, region, action and tenant. */
export interface CostEntry {
  /** @example '2026-11-28' */
  readonly day: string;
  readonly region: Region;
  readonly action: PaidCall;
  /** Null: the deployment's own verifications. */
  readonly tenant: string | null;
  readonly paidCalls: number;
  /** Includes calls under way. */
  readonly possiblyPaidCalls: number;
  /** One cost for each currency in which the calls had a price; empty without prices. */
  readonly costs: readonly Cost[];
}

export const COST_GROUPS = ['day', 'tenant', 'region', 'action'] as const;
export type CostGroup = (typeof COST_GROUPS)[number];

/** The sum of a group. */
export interface CostSum extends Pick<CostEntry, 'paidCalls' | 'possiblyPaidCalls' | 'costs'> {
  /** The day, tenant, region or action. An empty tenant stands for the deployment itself. */
  readonly name: string;
}

/** Days, both inclusive. */
export interface CostRange {
  /** @default 30 days before `until` */
  readonly since?: string | undefined;
  /** @default today */
  readonly until?: string | undefined;
}

/** Sums by group, sorted by name. */
export function sumCosts(entries: readonly CostEntry[], by: CostGroup): CostSum[] {
  const sums = new Map<string, CostSum>();
  for (const entry of entries) {
    const name = entry[by] ?? '';
    const sum = sums.get(name) ?? { name, paidCalls: 0, possiblyPaidCalls: 0, costs: [] };
    sums.set(name, {
      name,
      paidCalls: sum.paidCalls + entry.paidCalls,
      possiblyPaidCalls: sum.possiblyPaidCalls + entry.possiblyPaidCalls,
      costs: addCosts([...sum.costs, ...entry.costs]),
    });
  }
  return [...sums.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @returns one sum for each currency. */
export function addCosts(costs: readonly Cost[]): Cost[] {
  const currencies = [...new Set(costs.map(({ currency }) => currency))];
  return currencies.map((currency) => {
    const same = costs.filter((cost) => cost.currency === currency);
    const total = (kind: 'paid' | 'possiblyPaid') => same.reduce((sum, cost) => sum + toMicros(cost[kind]), 0) / MICROS;
    return { currency, paid: total('paid'), possiblyPaid: total('possiblyPaid') };
  });
}

/** The sums as CSV: a header line, then a line for each sum and currency. */
export function costsCsv(sums: readonly CostSum[], by: CostGroup): string {
  const rows = sums.flatMap(({ name, paidCalls, possiblyPaidCalls, costs }) =>
    (costs.length === 0 ? [null] : costs).map((cost) =>
      [name, paidCalls, possiblyPaidCalls, cost?.currency ?? '', cost?.paid ?? '', cost?.possiblyPaid ?? ''].join(','),
    ),
  );
  return `${[`${by},paid_calls,possibly_paid_calls,currency,paid,possibly_paid`, ...rows].join('\n')}\n`;
}

/**
 * Every day from `since` to `until`. @returns null if a date is invalid, `since` is after `until`, or the range is longer than
 * 400 days.
 */
export function daysOf({ since, until }: CostRange, today: string): string[] | null {
  const last = until ?? today;
  const first = since ?? dayBefore(last, 30);
  if (first === null || !isDay(first) || !isDay(last)) return null;
  const count = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  if (count < 1 || count > 400) return null;
  return Array.from({ length: count }, (_, index) => dayAt(Date.parse(first) + index * DAY_MS));
}

export function dayAt(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function dayBefore(day: string, count: number): string | null {
  return isDay(day) ? dayAt(Date.parse(day) - count * DAY_MS) : null;
}

function isDay(text: string): boolean {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && dayAt(ms) === text;
}

/** @returns millionths. Null unless the text is a number with 1 to 9 digits before the decimal point and at most 6 after it. */
export function parseAmount(text: string): number | null {
  return /^\d{1,9}(?:\.\d{1,6})?$/.test(text) ? toMicros(Number(text)) : null;
}

function toMicros(amount: number): number {
  return Math.round(amount * MICROS);
}

/** Parses `Action=0.15,…`. @returns what is wrong, or the price of each action in millionths. */
export function parsePrices(text: string): Prices['perCall'] | string {
  const prices: Partial<Record<PaidCall, number>> = {};
  for (const entry of text.split(',')) {
    const [name = '', written = ''] = entry.trim().split('=');
    const action = PAID_CALLS.find((each) => each === name);
    const micros = parseAmount(written);
    if (action === undefined || micros === null || micros === 0 || micros > 1_000 * MICROS) {
      return `is not action=price: write ${[...CHECK_NAMES, OPINION_CALL].map((each) => `${each}=0.15`).join(',')}, each up to 1000`;
    }
    if (prices[action] !== undefined) return `names ${action} twice: leave one`;
    prices[action] = micros;
  }
  return prices;
}

/** Parses `day=500calls,month=2500USD`. @returns what is wrong, or the budgets. */
export function parseBudgets(text: string): readonly Budget[] | string {
  const budgets: Budget[] = [];
  for (const entry of text.split(',')) {
    const [, period, written = '', unit = ''] =
      /^(day|month)=(\d+(?:\.\d+)?)(calls|[A-Z]{3})$/.exec(entry.trim()) ?? [];
    const amount = parseAmount(written);
    const limit = unit === 'calls' && amount !== null ? amount / MICROS : amount;
    if ((period !== 'day' && period !== 'month') || limit === null || limit <= 0 || !Number.isInteger(limit)) {
      return 'is not period=amount and unit: write day=500calls, month=2500USD, or both';
    }
    if (budgets.some((budget) => budget.period === period)) return `names ${period} twice: leave one`;
    budgets.push({ period, limit, unit });
  }
  return budgets;
}
