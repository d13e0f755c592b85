import { Argument, Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { BY_OPTION, operatorName, requireReason } from '../operator.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

interface Options {
  key?: boolean;
  by?: string;
  why?: string;
  json?: boolean;
}

export function legalHoldCommand(env: Env): Command {
  return new Command('legal-hold')
    .addArgument(new Argument('<operation>', 'what to do').choices(['set', 'lift']))
    .argument('<id>', 'id of the verification, or your own key with --key')
    .option('--key', 'treat the argument as your own key')
    .option(...BY_OPTION)
    .option('--why <text>', 'reason, shown when somebody tries to erase the verification; required')
    .option('--json', 'print JSON: {id, status}')
    .addHelpText(
      'after',
      '\nUnder a legal hold nothing of the verification is erased, neither on request nor by age, and its frame stays.',
    )
    .action((operation: 'set' | 'lift', idOrKey: string, options: Options) =>
      withClient(env, async (client, config) => {
        const id = options.key ? client.idOf(idOrKey) : idOrKey;
        const request = { by: operatorName(options.by), why: requireReason(options.why) };
        const { by: actor, why: purpose } = request;
        await writeAudit(config, [{ act: 'legal-hold.change', actor, on: id, what: operation, purpose }]);
        const status =
          operation === 'set' ? await client.legalHold(id, request) : await client.liftLegalHold(id, request);
        const done = `legal hold ${operation === 'set' ? 'set' : 'lifted'}\n`;
        printResult({ id, status }, status === 'ok' ? done : NOT_FOUND, options);
        if (status !== 'ok') process.exitCode = EXIT.failed;
      }),
    );
}
