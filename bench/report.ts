/** The results of a run of the benchmarks, and the tables that it prints. */
import { formatTable } from '../src/app/terminal-format.ts';
import { format } from './chart.ts';
import type { Spread, Value } from './figure.ts';

/** With less of a core, differences between two builds are noise. */
const QUIET = 0.9;

export interface ReportedValue extends Value, Spread {
  /** With `--against`: the same value of the older build. */
  readonly before?: Spread;
}

export interface ReportedFigure {
  readonly name: string;
  readonly about: string;
  /** The smallest share of a core that a program got during the samples. Below 0.9, other programs disturbed them. */
  readonly quiet: number;
  readonly values: readonly ReportedValue[];
}

export function tableOf({ name, about, quiet, values }: ReportedFigure): string {
  const compares = values.some(({ before }) => before !== undefined);
  const head = ['', 'median', 'from', 'to', 'n', 'goal', ...(compares ? ['before', 'from', 'to'] : [])];
  const rows = values.map((value) => {
    const { median, min, max, n, goal, unit, before } = value;
    const wanted = goal === undefined ? '' : 'atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
    const old = before === undefined ? ['', '', ''] : [before.median, before.min, before.max].map(format);
    const shown = [median, min, max].map(format);
    return [`${value.name}${unit === '' ? '' : ` (${unit})`}`, ...shown, String(n), wanted, ...(compares ? old : [])];
  });
  const note =
    quiet < QUIET
      ? `Other programs used the machine (a program got ${Math.round(100 * quiet)} % of a core): differences may be noise.\n`
      : '';
  return `\n${name}: ${about}\n${formatTable(head, rows)}${note}`;
}
