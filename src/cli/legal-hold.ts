import { Argument, Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { operator, reasonGiven } from './asking.ts';
import { writeAudit } from './audited.ts';
import { type Env, printJson } from './output.ts';

interface Options {
  key?: boolean;
  by?: string;
  why?: string;
  json?: boolean;
}

export function legalHoldCommand(env: Env): Command {
  return new Command('legal-hold')
    .addArgument(new Argument('<what>', 'set or lift').choices(['set', 'lift']))
    .argument('<id>', 'its id, or with --key the key you gave it')
    .option('--key', 'the argument is your own key')
    .option('--by <name>', 'who does it (default: the user of this machine)')
    .option('--why <text>', 'why; said to whoever asks for its erasure, and is asked for')
    .option('--json', 'JSON on stdout: {id, status}')
    .addHelpText(
      'after',
      '\nWhile it is set, nothing of the verification is erased: not on demand, not by age, and its frame stays.',
    )
    .action(async (what: 'set' | 'lift', given: string, options: Options) => {
      const config = readConfig(env);
      const client = openClient(config);
      try {
        const id = options.key ? client.idOf(given) : given;
        const request = { by: operator(options.by), why: reasonGiven(options.why) };
        await writeAudit(config, [{ act: 'legal-hold.change', actor: request.by, on: id, what, purpose: request.why }]);
        const status = what === 'set' ? await client.legalHold(id, request) : await client.liftLegalHold(id, request);
        if (options.json) printJson({ id, status });
        else
          process.stdout.write(
            status === 'ok' ? `legal hold ${what === 'set' ? 'set' : 'lifted'}\n` : 'no such verification\n',
          );
        if (status !== 'ok') process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}
