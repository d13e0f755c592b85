/** The charts of the overview. */
import type { Metrics } from '../../../domain/operations/metrics.ts';
import { ENDS, type SeriesPoint } from '../../../domain/operations/series.ts';
import { REGIONS } from '../../../domain/verification/regions.ts';
import { LANES } from '../../../domain/verification/request.ts';
import { type Html, html } from '../html.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { type Chart, chartCard } from './charts.ts';
import type { Reader } from './layout.ts';

/** Ends share a colour if they ask the caller for the same. */
const END_COLORS = {
  match: 1,
  live: 1,
  no_match: 2,
  not_live: 3,
  retry_limit: 3,
  recapture: 4,
  not_started: 4,
  abandoned: 4,
  expired: 4,
  failed: 5,
  cancelled: 6,
} as const;

/** @param size minutes of a point. */
export function overviewCharts(reader: Reader, points: readonly SeriesPoint[], size: number, metrics: Metrics): Html {
  const words = WORDS[reader.language];
  const times = points.map(({ at }) => at);
  const shared = { times, empty: words.charts.empty };
  const charts = [
    endsChart(reader, points, size),
    waitsChart(reader, points),
    agesChart(reader, points, metrics),
    errorsChart(reader, points),
    costChart(reader, points),
  ];
  return html`<div class="tiles charts">${charts.map((chart) => chartCard(reader, words.charts, { ...shared, ...chart }))}</div>`;
}

type Drawn = Omit<Chart, 'times' | 'empty'> & Partial<Pick<Chart, 'empty'>>;

const whole = (value: number) => String(Math.round(value * 10) / 10);

function sumOf(points: readonly SeriesPoint[], of: (point: SeriesPoint) => number): number {
  return points.reduce((sum, point) => sum + of(point), 0);
}

function endsChart({ language }: Reader, points: readonly SeriesPoint[], size: number): Drawn {
  const words = WORDS[language];
  const ended = sumOf(points, ({ ends }) => ENDS.reduce((sum, end) => sum + ends[end], 0));
  return {
    title: words.charts.ends(size),
    now: html`${ended} <small>${words.charts.accepted(sumOf(points, ({ accepted }) => accepted))}</small>`,
    kind: 'stack',
    series: ENDS.map((end) => ({
      name: words.ends[end],
      color: END_COLORS[end],
      values: points.map(({ ends }) => ends[end]),
    })),
    over: { name: words.charts.acceptedLine, color: 5, values: points.map(({ accepted }) => accepted) },
    format: whole,
    join: 'sum',
  };
}

function waitsChart({ language }: Reader, points: readonly SeriesPoint[]): Drawn {
  const words = WORDS[language];
  const last = points.findLast(({ waits }) => LANES.some((lane) => waits[lane].count > 0));
  const shown = LANES.flatMap((lane) => {
    const p95 = last?.waits[lane].p95 ?? null;
    return p95 === null ? [] : [`${words.lanesOf[lane]} ${formatDuration(p95, words)}`];
  });
  return {
    title: words.charts.waits,
    now: shown.length === 0 ? '–' : html`${shown.join(' · ')} <small>p95</small>`,
    kind: 'lines',
    series: LANES.flatMap((lane, index) => [
      {
        name: `${words.lanesOf[lane]} p50`,
        color: index === 0 ? 1 : 4,
        values: points.map(({ waits }) => waits[lane].p50),
      },
      {
        name: `${words.lanesOf[lane]} p95`,
        color: index === 0 ? 2 : 6,
        values: points.map(({ waits }) => waits[lane].p95),
      },
    ]),
    format: (ms) => formatDuration(ms, words),
    join: 'max',
  };
}

/** The last point also has what waits now. */
function agesChart({ language }: Reader, points: readonly SeriesPoint[], metrics: Metrics): Drawn {
  const words = WORDS[language];
  const now = (region: string) =>
    Math.max(0, ...metrics.oldest.filter((each) => each.region === region).map(({ ageMs }) => ageMs));
  return {
    title: words.charts.ages,
    now: metrics.oldestMs === null ? '–' : formatDuration(metrics.oldestMs, words),
    kind: 'lines',
    series: REGIONS.map((region, index) => ({
      name: region,
      color: [1, 3, 4, 6, 2, 5][index % 6] ?? 1,
      values: points.map(({ ages }, at) =>
        at === points.length - 1 ? Math.max(now(region), ages[region] ?? 0) : (ages[region] ?? 0),
      ),
    })),
    format: (ms) => formatDuration(ms, words),
    join: 'max',
    empty: words.charts.noneWaits,
  };
}

function errorsChart({ language }: Reader, points: readonly SeriesPoint[]): Drawn {
  const words = WORDS[language];
  const classes = [...new Set(points.flatMap(({ errors }) => Object.keys(errors)))].sort();
  const calls = sumOf(points, (point) => point.calls);
  const failed = sumOf(points, ({ errors }) => Object.values(errors).reduce((sum, each) => sum + each, 0));
  return {
    title: words.charts.errors,
    now: html`${failed} <small>${words.charts.ofCalls(calls)}</small>`,
    kind: 'stack',
    series: classes.map((name, index) => ({
      name,
      color: [3, 2, 5, 4, 6, 1][index % 6] ?? 3,
      values: points.map(({ errors }) => errors[name] ?? 0),
    })),
    format: whole,
    join: 'sum',
    empty: calls === 0 ? words.charts.noCalls : words.charts.noErrors,
  };
}

/** In the first currency, or in calls without prices. */
function costChart({ language }: Reader, points: readonly SeriesPoint[]): Drawn {
  const words = WORDS[language];
  const [currency] = points.flatMap(({ costs }) => Object.keys(costs));
  const value = ({ costs, paidCalls }: SeriesPoint) => (currency === undefined ? paidCalls : (costs[currency] ?? 0));
  const total = Math.round(sumOf(points, value) * 100) / 100;
  const format = (amount: number) => `${Math.round(amount * 100) / 100} ${currency ?? words.callsUnit}`;
  return {
    title: words.charts.cost,
    now: html`${total} ${currency ?? words.callsUnit} <small>${currency !== undefined && words.charts.paid(sumOf(points, ({ paidCalls }) => paidCalls))}</small>`,
    kind: 'stack',
    series: [{ name: currency ?? words.callsUnit, color: 4, values: points.map(value) }],
    format,
    join: 'sum',
    empty: words.charts.nothingPaid,
  };
}
