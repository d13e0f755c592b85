#!/usr/bin/env node
/** The command line: loads the requested command, and turns failures into messages and exit codes. */
import { Command, type CommanderError } from 'commander';
import { endOnClosedOutput } from '../app/closed-output.ts';
import { EXIT } from '../app/exit-codes.ts';
import { Failure } from '../domain/errors/failure.ts';
import { COMMAND_GROUPS, TENANT_COMMANDS } from './commands.ts';
import { formatFailure } from './format-failure.ts';
import { version } from './package-info.ts';
import { takeTenant } from './tenant-option.ts';

endOnClosedOutput();
const program = new Command('bestframe')
  .description(
    'The durable job queue for Tencent Cloud face-liveness verification.\nupload → MD5 → detect → download BestFrame',
  )
  .version(version)
  .showHelpAfterError('(add --help for usage)')
  .commandsGroup('Help:')
  .helpCommand(true)
  .addHelpText(
    'after',
    `
Start here:
  bestframe demo                  run a whole deployment on this machine, and send verifications and sessions through it
  bestframe dev                   run the same deployment to integrate against
  bestframe errors DownLoadError  explain an error code

Settings come from the environment (docs/settings.md). Exit codes: 0 success, 1 not successful, 2 invalid input.`,
  );

const requested = process.argv[2] === 'help' ? process.argv[3] : process.argv[2];
for (const [heading, commands] of Object.entries(COMMAND_GROUPS)) {
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const env = { ...process.env };
    const command = name === requested ? (await load())(env) : new Command(name);
    if (TENANT_COMMANDS.has(name)) takeTenant(command, env);
    program.addCommand(command.description(summary).helpGroup(heading));
  }
}
setUsageExitCode(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(formatFailure(error, { json: process.argv.includes('--json') }));
  process.exitCode = EXIT.badInput;
}

/**
 * Commander exits with 1 on a usage error. Here, 1 means that a command ran without success, so usage errors get a code of their
 * own.
 */
function setUsageExitCode(command: Command): void {
  command.exitOverride(({ exitCode }: CommanderError) => process.exit(exitCode === 0 ? EXIT.ok : EXIT.badInput));
  for (const subcommand of command.commands) setUsageExitCode(subcommand);
}
