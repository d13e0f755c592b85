import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

export function acknowledgeCommand(env: Env): Command {
  return new Command('acknowledge')
    .argument('<id>', 'its id, or with --key the key you gave it')
    .option('--key', 'the argument is your own key')
    .option('--json', 'JSON on stdout: {id, status}')
    .addHelpText(
      'after',
      '\nSays that you have the frame: it is deleted from the frames folder in seconds, not when its time is up.',
    )
    .action(async (given: string, options: { key?: boolean; json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const id = options.key ? client.idOf(given) : given;
        const status = await client.acknowledge(id);
        if (options.json) printJson({ id, status });
        else process.stdout.write(`${WORDS[status]}\n`);
        if (status === 'missing') process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}

const WORDS = {
  ok: 'its frame will be deleted',
  'not kept': 'nothing to delete: there is no frame in the frames folder',
  missing: 'no such verification (or its record has expired)',
} as const;
