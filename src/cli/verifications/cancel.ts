import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

const TEXTS = {
  cancelled: 'cancelled: nothing was paid\n',
  cancelling: 'cancelling: the worker that runs it will end it, and records a paid answer that still arrives\n',
  ended: 'the verification had already ended\n',
  missing: NOT_FOUND,
} as const;

export function cancelCommand(env: Env): Command {
  return new Command('cancel')
    .argument('<id>', 'id of the verification')
    .option('--json', 'print JSON')
    .action((id: string, options: { json?: boolean }) =>
      withClient(env, async (client, config) => {
        await writeAudit(config, [{ act: 'cancel', on: id }]);
        const result = await client.cancel(id);
        printResult(result, TEXTS[result.status], options);
        if (result.status === 'missing') process.exitCode = EXIT.failed;
      }),
    );
}
