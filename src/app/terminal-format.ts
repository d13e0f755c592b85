/** Formats tables and decisions for a terminal. */
import pc from 'picocolors';
import type { Decision, State } from '../domain/verification/states.ts';

/** Aligns the columns. Cells may contain color codes. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(visibleLength(cell), ...rows.map((row) => visibleLength(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell))))
      .join('  ')
      .trimEnd();
  return `${[pc.dim(line(head)), ...rows.map(line)].join('\n')}\n`;
}

export function colorDecision(decision: Decision | null, state: State): string {
  if (decision === 'match') return pc.green(decision);
  if (decision === 'recapture') return pc.yellow(decision);
  if (decision !== null) return pc.magenta(decision);
  return state === 'failed' ? pc.red('–') : '–';
}

/** Length without the escape sequences of colors. */
function visibleLength(cell: string): number {
  let length = 0;
  let inEscape = false;
  for (const char of cell) {
    if (char === '\u001b') inEscape = true;
    else if (inEscape) inEscape = char !== 'm';
    else length += 1;
  }
  return length;
}
