/** How commands speak: a table or one verification in words for people, JSON for machines. */
import pc from 'picocolors';
import { explain } from '../domain/errors/index.ts';
import type { Failure } from '../domain/failure.ts';
import type { Decision, State } from '../domain/states.ts';
import type { VerificationView } from '../domain/view.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function failureInWords(failure: Failure, json: boolean): string {
  const { code, message, field } = failure;
  const entry = explain(code);
  if (json)
    return `${JSON.stringify({ error: { code, field: field ?? null, message, advice: entry?.advice ?? null } })}\n`;
  const advice = entry === null ? '' : `\n  ${entry.advice}`;
  return `${pc.red(code)}: ${message}${advice}\n`;
}

export function decisionInColour(decision: Decision | null, state: State): string {
  if (decision === 'match') return pc.green(decision);
  if (decision === 'recapture') return pc.yellow(decision);
  if (decision !== null) return pc.magenta(decision);
  return state === 'failed' ? pc.red('–') : '–';
}

/** One verification for a person. */
export function describe(view: VerificationView): string {
  const lines: [string, string][] = [
    ['id', view.id],
    ['key', view.key],
    ['state', view.state],
    ['next', pc.bold(view.next)],
    [
      'decision',
      `${decisionInColour(view.decision, view.state)}${view.similarity === null ? '' : ` (similarity ${view.similarity}, threshold ${view.similarityThreshold})`}`,
    ],
    [
      'frame',
      view.bestFrame === null
        ? view.frame
        : `${view.frame}: ${view.bestFrame.path} (${view.bestFrame.bytes} bytes, MD5 ${view.bestFrame.md5})`,
    ],
    ['upload', `${view.upload}, ${view.region}, ${view.action}, ${view.lane}, ${view.mode}`],
    ['paid calls', `${view.paidCalls}${view.possiblyPaidCalls > 0 ? ` (and ${view.possiblyPaidCalls} possibly)` : ''}`],
    ['RequestIds', view.requestIds.join(', ') || '–'],
    ['created', `${view.createdAt}, deadline ${view.deadline}`],
    ['decided', view.decidedAt ?? '–'],
    ['ended', view.endedAt ?? '–'],
  ];
  if (view.reason !== null)
    lines.push(
      ['reason', `${view.reason.code} (${view.reason.class}): ${view.reason.title}`],
      ['', view.reason.advice],
    );
  const stages = view.stages.map(({ name, attempts, ms }) => `  ${name.padEnd(9)} ${attempts} × ${Math.round(ms)} ms`);
  return `${lines.map(([name, text]) => `${pc.dim(name.padEnd(11))} ${text}`).join('\n')}\n${stages.join('\n')}\n`;
}

/** Columns as wide as they need to be; cells may hold colour. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(width(cell), ...rows.map((row) => width(row[column] ?? ''))));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join('  ')
      .trimEnd();
  return `${[pc.dim(line(head)), ...rows.map(line)].join('\n')}\n`;
}

/** Without the escape sequences of colour. */
function width(cell: string): number {
  let length = 0;
  let inEscape = false;
  for (const char of cell) {
    if (char === '\u001b') inEscape = true;
    else if (inEscape) inEscape = char !== 'm';
    else length += 1;
  }
  return length;
}
