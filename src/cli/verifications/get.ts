import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { formatVerification } from '../format-verification.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

export function getCommand(env: Env): Command {
  return new Command('get')
    .argument('<id>', 'id of the verification, or your own key with --key')
    .option('--key', 'treat the argument as your own key')
    .option('--json', 'print JSON')
    .action((idOrKey: string, options: { key?: boolean; json?: boolean }) =>
      withClient(env, async (client, config) => {
        const id = options.key ? client.idOf(idOrKey) : idOrKey;
        await writeAudit(config, [{ act: 'timeline.read', on: id }]);
        const view = await client.get(id);
        printResult(view, formatVerification(view), options);
        if (view === null) process.exitCode = EXIT.failed;
      }),
    );
}
