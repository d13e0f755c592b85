/** What the checks found, for a person and for a machine. Pure: it looks at nothing. */
import pc from 'picocolors';
import type { CheckResult, Status } from './check.ts';

export interface Report {
  /** Nothing fails. */
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
}

const COLOURS: Readonly<Record<Status, (text: string) => string>> = {
  ok: pc.green,
  warn: pc.yellow,
  fail: pc.red,
  skipped: pc.dim,
};

export function reportOf(checks: readonly CheckResult[]): Report {
  return { ok: checks.every(({ status }) => status !== 'fail'), checks };
}

export function asText({ checks }: Report): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, found, advice }) => [
    `${COLOURS[status](status.padEnd(7))}  ${name.padEnd(width)}  ${found}`,
    ...(advice === null ? [] : [`${' '.repeat(width + 11)}${pc.dim(`→ ${advice}`)}`]),
  ]);
  return `${[...lines, '', counted(checks)].join('\n')}\n`;
}

function counted(checks: readonly CheckResult[]): string {
  const count = (status: Status) => checks.filter((check) => check.status === status).length;
  const parts = [
    `${count('ok')} ok`,
    `${count('warn')} to look at`,
    `${count('fail')} failed`,
    `${count('skipped')} skipped`,
  ];
  return parts.join(', ');
}
