import { Command } from 'commander';
import { openInstruments } from '../compose.ts';
import { checkFiles, readConfig } from '../config.ts';
import { diagnose } from '../doctor/diagnose.ts';
import { LIVE_WARNING } from '../doctor/live-checks.ts';
import { asText } from '../doctor/report.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

const LAST_MS = 1_000;

export function doctorCommand(env: Env): Command {
  return new Command('doctor')
    .option('--live', 'also make one Detect that Tencent should refuse unbilled, and compare with the emulator')
    .option('--json', 'JSON on stdout: {ok, checks: [{name, status, found, advice}]}')
    .addHelpText(
      'after',
      `
${LIVE_WARNING}
Exit codes: 0 all well or something to look at, 1 something fails, 2 bad settings. More in docs/doctor.md.`,
    )
    .action(async (options: { live?: boolean; json?: boolean }) => {
      const config = readConfig(env);
      await checkFiles(config);
      if (options.live) process.stderr.write(`${LIVE_WARNING}\n`);
      const tools = openInstruments(config);
      try {
        const report = await diagnose(config, tools, { live: options.live === true });
        if (options.json) printJson(report);
        else process.stdout.write(asText(report));
        if (!report.ok) process.exitCode = EXIT.failed;
      } finally {
        await tools.close();
        // A check that was given up may wait for a dead network drive for ever: it must not keep the process.
        setTimeout(() => process.exit(), LAST_MS).unref();
      }
    });
}
