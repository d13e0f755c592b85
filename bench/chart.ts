/** Draws the values of a report that have a goal: each as a bar relative to its goal. */
import type { ReportedValue } from './report.ts';

const WIDTH = 760;
const ROW = 26;
const LEFT = 300;
/** A bar of this length has reached its goal. Longer bars are better. */
const GOAL = 240;
const LONGEST = WIDTH - LEFT - 70;

export function chartOf(values: readonly (ReportedValue & { readonly figure: string })[]): string {
  const rows = values.flatMap((value) => {
    const share = reached(value);
    return share === null ? [] : [{ value, share }];
  });
  const height = rows.length * ROW + 40;
  const bars = rows.map(({ value, share }, index) => {
    const y = 30 + index * ROW;
    const length = Math.min(LONGEST, GOAL * share);
    const color = share >= 1 ? '#2e7d32' : '#b26a00';
    return [
      `<text x="${LEFT - 8}" y="${y + 13}" text-anchor="end">${escapeXml(`${value.figure}: ${value.name}`)}</text>`,
      `<rect x="${LEFT}" y="${y + 2}" width="${length.toFixed(0)}" height="14" fill="${color}"/>`,
      `<text x="${(LEFT + length + 6).toFixed(0)}" y="${y + 13}">${format(value.median)}</text>`,
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#555">`,
    '<title>How near each measured value is to its goal</title>',
    `<line x1="${LEFT + GOAL}" y1="20" x2="${LEFT + GOAL}" y2="${height - 8}" stroke="#888" stroke-dasharray="4 3"/>`,
    `<text x="${LEFT + GOAL}" y="14" text-anchor="middle">goal</text>`,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

/** @returns 1 at the goal, more beyond it; null without a goal. */
function reached({ goal, median }: ReportedValue): number | null {
  if (goal === undefined || !Number.isFinite(median)) return null;
  if ('atLeast' in goal) return median / goal.atLeast;
  if (goal.atMost === 0) return median === 0 ? 1 : 0;
  return goal.atMost / median;
}

export function format(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 ? String(Math.round(value)) : value.toFixed(2).replace(/\.00$/, '');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
