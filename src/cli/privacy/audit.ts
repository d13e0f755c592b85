import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Argument, Command } from 'commander';
import pc from 'picocolors';
import { readConfig } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import type { AuditHead } from '../../domain/operations/audit.ts';
import { type AuditReport, checkAudit, type PlacedLine, parseHeads } from '../../domain/operations/audit-report.ts';
import type { Env } from '../env.ts';
import { printResult } from '../print.ts';

interface Options {
  previous?: string;
  olderGone?: boolean;
  stopped?: boolean;
  json?: boolean;
}

export function auditCommand(env: Env): Command {
  return new Command('audit')
    .addArgument(new Argument('<operation>', 'what to do').choices(['verify']))
    .argument('[files...]', 'files of the audit log, oldest first (default: BESTFRAME_AUDIT)')
    .option('--previous <report>', 'output of an earlier check with --json; finds what was changed or cut since')
    .option('--older-gone', 'older files were deleted on purpose, so beginnings may be missing')
    .option('--stopped', 'all processes have stopped, so every chain must have its closing line')
    .option(
      '--json',
      'print JSON: {intact, lines, otherLines, chains, open, problems: [{kind, chain, at, text}], heads}',
    )
    .addHelpText(
      'after',
      `
Checks that no line of the audit log was removed, changed, repeated or moved. Each process writes a chain of its own: every line
names the line before it by its hash. Keep the output of --json where those who can write the log cannot write, and pass it to
the next check. Only this comparison finds a log that was cut at its end or computed anew.
Exit codes: 0 the log is intact, 1 it has problems, 2 a file cannot be read.`,
    )
    .action(async (_operation: string, named: string[], options: Options) => {
      const files = named.length > 0 ? named : [defaultFile(env)];
      const { olderGone = false, stopped = false, previous } = options;
      const heads = previous === undefined ? [] : await readHeads(previous);
      const report = await checkAudit({ read: () => readLines(files), previous: heads, olderGone, stopped });
      if (report.lines === 0 && heads.length === 0)
        throw inputFailure('INVALID_VERIFICATION', 'files', `${files.join(', ')} has no line of an audit log`);
      printResult(report, formatReport(report), options);
      if (!report.intact) process.exitCode = EXIT.failed;
    });
}

function defaultFile(env: Env): string {
  const { audit } = readConfig(env);
  if (audit !== 'stdout' && audit !== 'stderr') return audit;
  const message = `BESTFRAME_AUDIT is ${audit}, which cannot be read: name the files in which your platform keeps the lines`;
  throw inputFailure('INVALID_VERIFICATION', 'files', message);
}

async function* readLines(files: readonly string[]): AsyncGenerator<PlacedLine> {
  for (const file of files) {
    let number = 0;
    try {
      for await (const text of createInterface({
        input: createReadStream(file),
        crlfDelay: Number.POSITIVE_INFINITY,
      })) {
        number += 1;
        yield { at: `${file}:${number}`, text };
      }
    } catch {
      throw unreadable(file);
    }
  }
}

async function readHeads(file: string): Promise<readonly AuditHead[]> {
  const heads = parseHeads(await readFile(file, 'utf8').catch(() => Promise.reject(unreadable(file))));
  if (heads !== null) return heads;
  throw inputFailure('INVALID_VERIFICATION', 'previous', `${file} is no output of bestframe audit verify --json`);
}

function unreadable(file: string) {
  return inputFailure('INVALID_VERIFICATION', 'files', `${file} cannot be read: correct the path or its permissions`);
}

function formatReport({ intact, lines, chains, open, otherLines, problems }: AuditReport): string {
  const found = problems.map(
    ({ kind, chain, at, text }) => `${pc.red(kind)}  ${at ?? 'no line'}  chain ${chain}: ${text}\n`,
  );
  const others = otherLines === 0 ? '' : `, ${otherLines} other lines ignored`;
  const verdict = intact
    ? pc.green('the audit log is intact')
    : pc.red(`the audit log has ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`);
  return `${found.join('')}${verdict}: ${lines} lines in ${chains} chains, ${open.length} of them open${others}\n`;
}
