#!/usr/bin/env node
/** The command line. One file a command; this one only gathers them and turns failures into words and exit codes. */
import { Command } from 'commander';
import { Failure } from '../domain/failure.ts';
import { EXIT } from '../process.ts';
import { cancelCommand } from './cancel.ts';
import { dashboardCommand } from './dashboard.ts';
import { demoCommand } from './demo.ts';
import { devCommand } from './dev.ts';
import { emulatorCommand } from './emulator.ts';
import { enqueueCommand } from './enqueue.ts';
import { errorsCommand } from './errors.ts';
import { getCommand } from './get.ts';
import { listCommand } from './list.ts';
import { failureInWords } from './output.ts';
import { startCommand } from './start.ts';
import { version } from './version.ts';
import { waitCommand } from './wait.ts';

const program = new Command('bestframe')
  .description(
    'The durable job queue for Tencent Cloud face-liveness verification.\nupload → MD5 → detect → download BestFrame',
  )
  .version(version)
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText(
    'after',
    `
Start here:
  bestframe demo                 a whole world on this machine, and 24 verifications through it
  bestframe dev                  the same world, to integrate against
  bestframe errors DownLoadError what a code means and what to do

Settings come from the environment (docs/settings.md). Exit codes: 0 done, 1 not as wished, 2 bad input.`,
  );

const env = process.env;
for (const make of [
  demoCommand,
  devCommand,
  startCommand,
  dashboardCommand,
  emulatorCommand,
  enqueueCommand,
  getCommand,
  waitCommand,
  listCommand,
  cancelCommand,
  errorsCommand,
]) {
  program.addCommand(make(env));
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(failureInWords(error, process.argv.includes('--json')));
  process.exitCode = EXIT.badInput;
}
