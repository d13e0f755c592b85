/** The results of the checks, as data and as text. */
import pc from 'picocolors';
import type { CheckResult, Status } from './run-checks.ts';

export interface Report {
  /** No check failed. */
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
}

const COLORS: Readonly<Record<Status, (text: string) => string>> = {
  ok: pc.green,
  warn: pc.yellow,
  fail: pc.red,
  skipped: pc.dim,
};

export function createReport(checks: readonly CheckResult[]): Report {
  return { ok: checks.every(({ status }) => status !== 'fail'), checks };
}

export function formatReport({ checks }: Report): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, found, advice }) => [
    `${COLORS[status](status.padEnd(7))}  ${name.padEnd(width)}  ${found}`,
    ...(advice === null ? [] : [`${' '.repeat(width + 11)}${pc.dim(`→ ${advice}`)}`]),
  ]);
  return `${[...lines, '', formatCounts(checks)].join('\n')}\n`;
}

function formatCounts(checks: readonly CheckResult[]): string {
  const count = (status: Status) => checks.filter((check) => check.status === status).length;
  const parts = [
    `${count('ok')} ok`,
    `${count('warn')} warned`,
    `${count('fail')} failed`,
    `${count('skipped')} skipped`,
  ];
  return parts.join(', ');
}
