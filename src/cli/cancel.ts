import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

const WORDS = {
  cancelled: 'cancelled: nothing was paid',
  cancelling: 'cancelling: a worker holds it and will end it; a paid answer that is under way is recorded',
  ended: 'it had ended already',
  missing: 'no such verification (or its record has expired)',
} as const;

export function cancelCommand(env: Env): Command {
  return new Command('cancel')
    .argument('<id>', 'its id')
    .option('--json', 'JSON on stdout')
    .action(async (id: string, options: { json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const result = await client.cancel(id);
        if (options.json) printJson(result);
        else process.stdout.write(`${WORDS[result.status]}\n`);
        if (result.status === 'missing') process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}
