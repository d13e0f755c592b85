/**
 * Small charts as SVG, drawn on the server. Each has a legend, and a table with its numbers for people who do not see it. The
 * policy (CSP) forbids inline styles, so shapes get their colours from classes of the style sheet.
 */
import { type Html, html, type Part } from '../html.ts';
import { clockTime, type Reader } from './layout.ts';

const WIDTH = 600;
const HEIGHT = 100;
/** Most rows of the table behind a chart. */
const MAX_ROWS = 12;

export interface ChartSeries {
  readonly name: string;
  /** Number of its colour in the style sheet, 1 to 6. */
  readonly color: number;
  /** One value for each point of time; null: none. */
  readonly values: readonly (number | null)[];
}

export interface Chart {
  readonly title: string;
  /** The most important number now, shown large. */
  readonly now: Part;
  readonly kind: 'stack' | 'lines';
  readonly series: readonly ChartSeries[];
  /** A line over a stack. */
  readonly over?: ChartSeries;
  /** Starts of the points, ms since 1970. */
  readonly times: readonly number[];
  readonly format: (value: number) => string;
  /** How values of several points become one row of the table. */
  readonly join: 'sum' | 'max';
  /** What the page says if there is no value at all. */
  readonly empty: string;
}

export interface ChartWords {
  readonly table: string;
  readonly time: string;
  readonly most: string;
  readonly now: string;
}

export function chartCard(reader: Pick<Reader, 'zone'>, words: ChartWords, chart: Chart): Html {
  const { title, now, series, over, times, empty, format } = chart;
  const all = [...series, ...(over === undefined ? [] : [over])];
  const isLine = (each: ChartSeries) => chart.kind === 'lines' || each === over;
  const shown = all.filter(({ values }) => values.some((value) => value !== null && value !== 0));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const top = highest(chart);
  return html`<section class="card chart"><h3>${title}</h3><div class="now">${now}</div>
${
  shown.length === 0
    ? html`<p class="dim">${empty}</p>`
    : html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${words.most} ${format(top)}">${shapes(chart, top)}</svg>
<div class="axis"><span>${clockTime(reader, new Date(first).toISOString(), last)}</span><span>${words.most} ${format(top)}</span><span>${words.now}</span></div>
<ul class="legend">${shown.map((each) => html`<li>${key(each.color, isLine(each))}${each.name}</li>`)}</ul>
<details><summary>${words.table}<span class="hidden"> ${title}</span></summary>${table(reader, words, chart, shown)}</details>`
}</section>`;
}

function key(color: number, isLine: boolean): Html {
  return isLine
    ? html`<svg viewBox="0 0 10 10" aria-hidden="true"><path class="l${color}" d="M0 5h10"/></svg>`
    : html`<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="f${color}" width="10" height="10"/></svg>`;
}

function highest({ kind, series, over, times }: Chart): number {
  const tops = times.map((_, index) => {
    const values = series.map(({ values: each }) => each[index] ?? 0);
    const top = kind === 'stack' ? values.reduce((sum, each) => sum + each, 0) : Math.max(0, ...values);
    return Math.max(top, over?.values[index] ?? 0);
  });
  return Math.max(0, ...tops);
}

function shapes(chart: Chart, top: number): Part[] {
  const { kind, series, over, times } = chart;
  const scale = top === 0 ? 0 : (HEIGHT - 4) / top;
  const step = WIDTH / Math.max(1, times.length);
  const line = ({ color, values }: ChartSeries) => html`<path class="l${color}" d="${linePath(values, step, scale)}"/>`;
  if (kind === 'lines')
    return series.filter(({ values }) => values.some((value) => value !== null && value !== 0)).map(line);
  const base = times.map(() => 0);
  const bars = series.map(({ color, values }) => {
    const d = values.map((value, index) => {
      const height = (value ?? 0) * scale;
      if (height <= 0) return '';
      const bottom = base[index] ?? 0;
      base[index] = bottom + height;
      return `M${short(index * step)} ${short(HEIGHT - bottom)}v${short(-height)}h${short(step * 0.86)}v${short(height)}z`;
    });
    const path = d.join('');
    return path !== '' && html`<path class="f${color}" d="${path}"/>`;
  });
  return [...bars, over !== undefined && line(over)];
}

function linePath(values: readonly (number | null)[], step: number, scale: number): string {
  let isDrawing = false;
  const parts = values.map((value, index) => {
    if (value === null) {
      isDrawing = false;
      return '';
    }
    const point = `${short((index + 0.43) * step)} ${short(HEIGHT - 2 - value * scale)}`;
    // A point without neighbours gets a short line of its own.
    const isAlone = !isDrawing && (values[index + 1] ?? null) === null;
    const part = `${isDrawing ? 'L' : 'M'}${point}${isAlone ? `h${short(Math.max(2, step * 0.3))}` : ''}`;
    isDrawing = true;
    return part;
  });
  return parts.join('');
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function table(
  reader: Pick<Reader, 'zone'>,
  words: ChartWords,
  { times, format, join }: Chart,
  shown: readonly ChartSeries[],
): Html {
  const size = Math.max(1, Math.ceil(times.length / MAX_ROWS));
  const starts = times.flatMap((_, index) => (index % size === 0 ? [index] : [])).reverse();
  const [last = 0] = times.slice(-1);
  const value = ({ values }: ChartSeries, start: number) => {
    const some = values.slice(start, start + size).flatMap((each) => each ?? []);
    if (some.length === 0) return '–';
    return format(join === 'sum' ? some.reduce((sum, each) => sum + each, 0) : Math.max(...some));
  };
  const rows = starts.map(
    (start) =>
      html`<tr><th scope="row">${clockTime(reader, new Date(times[start] ?? 0).toISOString(), last)}</th>${shown.map((each) => html`<td class="number">${value(each, start)}</td>`)}</tr>`,
  );
  return html`<div class="wide" tabindex="0"><table><thead><tr><th scope="col">${words.time}</th>${shown.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
