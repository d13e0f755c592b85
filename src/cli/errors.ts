import { Command } from 'commander';
import pc from 'picocolors';
import { ERROR_TABLE, type ErrorEntry, explain } from '../domain/errors/index.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson, table } from './output.ts';

export function errorsCommand(_env: Env): Command {
  return new Command('errors')
    .argument('[code]', 'a code, or a part of one, e.g. DownLoadError')
    .option('--json', 'JSON on stdout: [{match, channel, class, decision, retry, billed, title, advice}]')
    .action((code: string | undefined, options: { json?: boolean }) => {
      const entries = code === undefined ? ERROR_TABLE : find(code);
      if (options.json) printJson(entries);
      else if (code !== undefined && entries.length === 1) process.stdout.write(entries.map(inWords).join('\n'));
      else if (entries.length > 0)
        process.stdout.write(
          table(
            ['match', 'class', 'billed', 'title'],
            entries.map((e) => [e.match, e.class, e.billed, e.title]),
          ),
        );
      else
        process.stderr.write(
          `${code}: not in the table. An unknown code is tried again a few times, then the verification is held for a person.\n`,
        );
      if (entries.length === 0) process.exitCode = EXIT.failed;
    });
}

function find(code: string): readonly ErrorEntry[] {
  const exact = ERROR_TABLE.filter((entry) => entry.match.toLowerCase() === code.toLowerCase());
  if (exact.length > 0) return exact;
  const parts = ERROR_TABLE.filter((entry) => entry.match.toLowerCase().includes(code.toLowerCase()));
  if (parts.length > 0) return parts;
  const prefix = explain(code);
  return prefix === null ? [] : [prefix];
}

function inWords(entry: ErrorEntry): string {
  const facts = `class ${entry.class}${entry.decision === null ? '' : ` (decision ${entry.decision})`} · retry: ${entry.retry} · billed: ${entry.billed}`;
  return `${pc.bold(entry.match)}  ${entry.title}\n${pc.dim(facts)}\n\n${entry.explanation}\n\n${pc.bold('What to do:')} ${entry.advice}\n`;
}
