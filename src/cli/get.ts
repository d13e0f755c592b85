import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { describe, type Env, printJson } from './output.ts';

export function getCommand(env: Env): Command {
  return new Command('get')
    .argument('<id>', 'its id, or with --key the key you gave it')
    .option('--key', 'the argument is your own key')
    .option('--json', 'JSON on stdout')
    .action(async (id: string, options: { key?: boolean; json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const view = options.key ? await client.getByKey(id) : await client.get(id);
        if (options.json) printJson(view);
        else
          process.stdout.write(view === null ? 'no such verification (or its record has expired)\n' : describe(view));
        if (view === null) process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}
