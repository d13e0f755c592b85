import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { describe, type Env, printJson } from './output.ts';

export function waitCommand(env: Env): Command {
  return new Command('wait')
    .argument('<id>', 'its id')
    .option('--ended', 'wait for the end, frame included')
    .option('--timeout <seconds>', 'how long at most', seconds, 60)
    .option('--json', 'JSON on stdout')
    .action(async (id: string, options: { ended?: boolean; timeout: number; json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const until = options.ended ? 'ended' : 'decided';
        const view = await client.wait(id, { until, timeoutMs: options.timeout * 1_000 });
        if (options.json) printJson(view);
        else
          process.stdout.write(view === null ? 'no such verification (or its record has expired)\n' : describe(view));
        if (view === null || view.next === 'wait') process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}

export function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('give a number of seconds');
}
