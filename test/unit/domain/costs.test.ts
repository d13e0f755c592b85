import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addCosts,
  type CostEntry,
  chargeOf,
  costsCsv,
  dayAt,
  daysOf,
  NO_PRICES,
  parseAmount,
  parseBudgets,
  parsePrices,
  sumCosts,
} from '../../../src/domain/operations/costs.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const HOUR_MS = 3_600_000;

describe('a charge', () => {
  it('belongs to the day and month of the offset, and knows when they end', () => {
    const settings = { prices: null, budgets: [], offsetMs: 8 * HOUR_MS };
    const charge = chargeOf(settings, DETECT, Date.UTC(2026, 11, 31, 17));
    expect(charge).toMatchObject({ day: '2027-01-01', month: '2027-01', currency: '', micros: 0 });
    expect(charge.dayEnds).toBe(Date.UTC(2027, 0, 1, 16));
    expect(charge.monthEnds).toBe(Date.UTC(2027, 0, 31, 16));
  });

  it('has the price of its action, and the budgets of the deployment', () => {
    const prices = { currency: 'USD', perCall: { [DETECT]: 150_000 } };
    const budgets = [{ period: 'day', limit: 5, unit: 'calls' }] as const;
    const settings = { prices, budgets, offsetMs: 0 };
    expect(chargeOf(settings, DETECT, 0)).toEqual({
      currency: 'USD',
      micros: 150_000,
      day: '1970-01-01',
      month: '1970-01',
      dayEnds: 24 * HOUR_MS,
      monthEnds: 31 * 24 * HOUR_MS,
      budgets,
    });
    expect(chargeOf(settings, 'VideoLivenessCompare', 0)).toMatchObject({ currency: 'USD', micros: 0 });
    expect(chargeOf(NO_PRICES, DETECT, 0)).toMatchObject({ currency: '', micros: 0, budgets: [], day: '1970-01-01' });
  });

  it('is now in its periods, whatever the time and the offset', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: -12, max: 14 }), (now, hours) => {
        const charge = chargeOf({ prices: null, budgets: [], offsetMs: hours * HOUR_MS }, DETECT, now);
        expect(charge.dayEnds - now).toBeGreaterThan(0);
        expect(charge.dayEnds - now).toBeLessThanOrEqual(24 * HOUR_MS);
        expect(charge.monthEnds).toBeGreaterThanOrEqual(charge.dayEnds);
        expect(charge.day.startsWith(charge.month)).toBe(true);
      }),
    );
  });
});

describe('settings', () => {
  it('prices are millionths', () => {
    expect(parsePrices(`${DETECT}=0.15, VideoLivenessCompare=0.2`)).toEqual({
      [DETECT]: 150_000,
      VideoLivenessCompare: 200_000,
    });
  });

  it.each(['', DETECT, `${DETECT}=`, `${DETECT}=free`, `${DETECT}=0`, `${DETECT}=-1`, 'Other=1', `${DETECT}=1001`])(
    '"%s" is no price',
    (text) => {
      expect(parsePrices(text)).toMatch(/^is not action=price: write /);
    },
  );

  it('a price is at most 1000', () => {
    expect(parsePrices(`${DETECT}=1000`)).toEqual({ [DETECT]: 1_000_000_000 });
    expect(parsePrices('Other=1')).toBe(
      'is not action=price: write DetectReflectLivenessAndCompare=0.15,VideoLivenessCompare=0.15,CompareFaceLiveness=0.15,DetectAIFakeFaces=0.15, each up to 1000',
    );
  });

  it.each([
    ['0', 0],
    ['999999999', 999_999_999_000_000],
    ['0.000001', 1],
    ['1.5', 1_500_000],
    ['0.3', 300_000],
    ['1234567890', null],
    ['0.1234567', null],
    ['1.', null],
    ['.5', null],
    ['-1', null],
    ['1e3', null],
    ['x1', null],
    ['1x', null],
    ['', null],
  ])('the amount %j is %s millionths', (text, micros) => {
    expect(parseAmount(text)).toBe(micros);
  });

  it('a price is named once', () => {
    expect(parsePrices(`${DETECT}=1,${DETECT}=2`)).toBe(`names ${DETECT} twice: leave one`);
  });

  it('budgets are calls or millionths', () => {
    expect(parseBudgets('day=500calls,month=2500.5USD')).toEqual([
      { period: 'day', limit: 500, unit: 'calls' },
      { period: 'month', limit: 2_500_500_000, unit: 'USD' },
    ]);
  });

  it.each(['', '500', 'day=500', 'week=5calls', 'day=0calls', 'day=1.5calls', 'day=5usd', 'day=1calls,day=2calls'])(
    '"%s" is no budget',
    (text) => {
      expect(parseBudgets(text)).toMatch(/^is not period=amount and unit: write |^names day twice: leave one$/);
    },
  );

  it.each(['xday=5calls', 'day=5callsx', 'day=5US', 'day=5USDX', 'day=5.callsx', 'day=5 calls', 'day=0USD'])(
    '"%s" is no budget either',
    (text) => {
      expect(parseBudgets(text)).toMatch(/^is not period=amount and unit/);
    },
  );

  it('the smallest budget is one call or one millionth', () => {
    expect(parseBudgets(' day=1calls , month=0.000001USD')).toEqual([
      { period: 'day', limit: 1, unit: 'calls' },
      { period: 'month', limit: 1, unit: 'USD' },
    ]);
    expect(parseBudgets('month=12.25USD')).toEqual([{ period: 'month', limit: 12_250_000, unit: 'USD' }]);
  });
});

describe('days', () => {
  it('are the 30 days before and today, unless others are named', () => {
    expect(daysOf({}, '2026-03-02')).toHaveLength(31);
    expect(daysOf({}, '2026-03-02')?.at(-1)).toBe('2026-03-02');
    expect(daysOf({ since: '2026-02-28', until: '2026-03-01' }, '2027-01-01')).toEqual(['2026-02-28', '2026-03-01']);
  });

  it('are at most 400', () => {
    expect(daysOf({ since: '2025-01-27' }, '2026-03-02')).toHaveLength(400);
    expect(daysOf({ since: '2025-01-26' }, '2026-03-02')).toBeNull();
    expect(daysOf({ since: '2026-03-02' }, '2026-03-02')).toEqual(['2026-03-02']);
    expect(daysOf({}, '2026-03-02')?.[0]).toBe('2026-01-31');
    expect(dayAt(Date.UTC(2026, 1, 3, 23, 59))).toBe('2026-02-03');
  });

  it.each([
    { until: '2026-02-30' },
    { since: '2026-03-01', until: 'today' },
    { since: 'x2026-03-01' },
    { since: '2026-03-01x' },
    { since: '2026-13-01' },
    { since: '2026-3-1' },
    { since: '2026' },
    { since: '2026-03-01T00:00:00Z' },
    { since: '+010000-01-01', until: '+010000-01-02' },
    { since: '2026-02-30' },
    { since: 'yesterday' },
    { since: '2026-03-02', until: '2026-03-01' },
    { since: '2020-01-01', until: '2026-03-01' },
  ])('%o are none', (range) => {
    expect(daysOf(range, '2026-03-02')).toBeNull();
  });
});

describe('sums', () => {
  const entry = (more: Partial<CostEntry>): CostEntry => ({
    day: '2026-11-28',
    region: 'ap-singapore',
    action: DETECT,
    tenant: null,
    paidCalls: 1,
    possiblyPaidCalls: 0,
    costs: [{ currency: 'USD', paid: 0.1, possiblyPaid: 0 }],
    ...more,
  });

  it('add up without rounding errors, and keep currencies apart', () => {
    const entries = [...Array.from({ length: 3 }, () => entry({})), entry({ costs: [] })];
    expect(sumCosts(entries, 'day')).toEqual([
      {
        name: '2026-11-28',
        paidCalls: 4,
        possiblyPaidCalls: 0,
        costs: [{ currency: 'USD', paid: 0.3, possiblyPaid: 0 }],
      },
    ]);
    const euros = { currency: 'EUR', paid: 0, possiblyPaid: 1 };
    expect(addCosts([...entry({}).costs, euros])).toEqual([...entry({}).costs, euros]);
  });

  it('are sorted by name, and the deployment itself has none', () => {
    const entries = ['shop', null, 'acme', 'shop'].map((tenant) => entry({ tenant, possiblyPaidCalls: 2 }));
    expect(sumCosts(entries, 'tenant')).toEqual([
      expect.objectContaining({ name: '', paidCalls: 1, possiblyPaidCalls: 2 }),
      expect.objectContaining({ name: 'acme' }),
      expect.objectContaining({ name: 'shop', paidCalls: 2, possiblyPaidCalls: 4 }),
    ]);
    expect(addCosts([])).toEqual([]);
  });

  it('as CSV: a row for each group and currency', () => {
    const costs = [{ currency: 'USD', paid: 0.1, possiblyPaid: 0.2 }];
    const sums = sumCosts([entry({ costs }), entry({ tenant: 'acme', costs: [] })], 'tenant');
    expect(costsCsv(sums, 'tenant')).toBe(
      'tenant,paid_calls,possibly_paid_calls,currency,paid,possibly_paid\n,1,0,USD,0.1,0.2\nacme,1,0,,,\n',
    );
  });
});
