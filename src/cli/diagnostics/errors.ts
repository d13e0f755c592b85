import { Command } from 'commander';
import pc from 'picocolors';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import { AUDIENCES, ERROR_TABLE, type ErrorEntry, explain } from '../../domain/errors/index.ts';
import type { Env } from '../env.ts';
import { printJson } from '../print.ts';

export function errorsCommand(_env: Env): Command {
  return new Command('errors')
    .argument('[code]', 'a code or a part of one, e.g. DownLoadError')
    .option(
      '--json',
      'print JSON: [{match, channel, class, decision, retry, billed, retake, title, advice: {person, caller, operator}}]',
    )
    .action((code: string | undefined, { json }: { json?: boolean }) => {
      const entries = code === undefined ? ERROR_TABLE : findEntries(code);
      if (entries.length === 0) process.exitCode = EXIT.failed;
      if (json) printJson(entries);
      else if (entries.length === 0) process.stderr.write(unknownCode(code));
      else process.stdout.write(formatEntries(entries, code));
    });
}

function findEntries(code: string): readonly ErrorEntry[] {
  const wanted = code.toLowerCase();
  const exact = ERROR_TABLE.filter(({ match }) => match.toLowerCase() === wanted);
  if (exact.length > 0) return exact;
  const partial = ERROR_TABLE.filter(({ match }) => match.toLowerCase().includes(wanted));
  if (partial.length > 0) return partial;
  const byPrefix = explain(code);
  return byPrefix === null ? [] : [byPrefix];
}

/** Formats one entry in full if a code was given, otherwise all entries as a table. */
function formatEntries(entries: readonly ErrorEntry[], code: string | undefined): string {
  const [first] = entries;
  if (code !== undefined && entries.length === 1 && first !== undefined) return formatEntry(first);
  const rows = entries.map((entry) => [entry.match, entry.class, entry.billed, entry.title]);
  return formatTable(['match', 'class', 'billed', 'title'], rows);
}

function formatEntry(entry: ErrorEntry): string {
  const decision = entry.decision === null ? '' : ` (decision ${entry.decision})`;
  const facts = `class ${entry.class}${decision} · retry: ${entry.retry} · billed: ${entry.billed}`;
  const advice = AUDIENCES.filter((reader) => entry.advice[reader] !== '').map(
    (reader) => `${pc.bold(`What to do (${reader}):`)} ${entry.advice[reader]}\n`,
  );
  if (advice.length === 0) advice.push(`${pc.bold('What to do:')} ${NOTHING}\n`);
  return [`${pc.bold(entry.match)}  ${entry.title}\n${pc.dim(facts)}\n`, `${entry.explanation}\n`, ...advice].join(
    '\n',
  );
}

/** The advice for a code that has none of its own. */
const NOTHING = 'Nothing while Bestframe tries again by itself. After the end, enqueue again under a new key.';

function unknownCode(code: string | undefined): string {
  return `${code} is not in the table. Bestframe retries an unknown code a few times, then holds the verification for review.\n`;
}
