import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { checkFiles } from '../../app/check-files.ts';
import { readConfig } from '../../app/config.ts';
import { diagnose } from '../../app/doctor/diagnose.ts';
import { LIVE_WARNING } from '../../app/doctor/live-checks.ts';
import { formatReport } from '../../app/doctor/report.ts';
import type { Tape, TapeCall } from '../../app/doctor/tape.ts';
import { openDoctorTools } from '../../app/doctor-tools.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { inputFailure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Env } from '../env.ts';
import { printResult } from '../print.ts';

const EXIT_AFTER_MS = 1_000;

export function doctorCommand(env: Env): Command {
  return new Command('doctor')
    .option(
      '--live',
      'also call each action once in a way that Tencent should refuse without charge, and compare with the emulator',
    )
    .option(
      '--tape <file>',
      'with --live: write the calls and the shapes of their answers to this file, without values',
    )
    .option('--json', 'print JSON: {ok, checks: [{name, status, found, advice}]}')
    .addHelpText(
      'after',
      `
${LIVE_WARNING}
Exit codes: 0 no check failed, 1 a check failed, 2 invalid settings. See docs/doctor.md.`,
    )
    .action(async (options: { live?: boolean; tape?: string; json?: boolean }) => {
      const { tape } = options;
      if (tape !== undefined && options.live !== true)
        throw inputFailure(CODES.INVALID_SETTINGS, '--tape', '--tape records the calls of --live: give both');
      const config = readConfig(env);
      await checkFiles(config);
      if (options.live) process.stderr.write(`${LIVE_WARNING}\n`);
      const tools = openDoctorTools(config);
      try {
        const calls: TapeCall[] = [];
        const record = (call: TapeCall) => calls.push(call);
        const report = await diagnose(config, tools, { live: options.live === true, record });
        if (tape !== undefined)
          await writeTape(tape, { format: 1, region: config.regions[0] ?? 'ap-singapore', calls });
        printResult(report, formatReport(report), options);
        if (!report.ok) process.exitCode = EXIT.failed;
      } finally {
        await tools.close();
        // A check that timed out may still be waiting for an unreachable network drive, and must not keep the process alive.
        setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
      }
    });
}

async function writeTape(file: string, tape: Tape): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(tape, null, 2)}\n`, { mode: 0o600 });
  } catch (cause) {
    const message = 'the tape cannot be written: give a path in a folder that exists and can be written';
    throw localFailure(CODES.INVALID_SETTINGS, message, { field: '--tape', cause });
  }
}
