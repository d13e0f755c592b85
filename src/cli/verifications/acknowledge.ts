import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

const TEXTS = {
  ok: 'the frame will be deleted\n',
  not_kept: 'nothing to delete: the frames folder has no frame of this verification\n',
  missing: NOT_FOUND,
} as const;

export function acknowledgeCommand(env: Env): Command {
  return new Command('acknowledge')
    .argument('<id>', 'id of the verification, or your own key with --key')
    .option('--key', 'treat the argument as your own key')
    .option('--json', 'print JSON: {id, status}')
    .addHelpText(
      'after',
      '\nConfirms that you have the frame. It is deleted from the frames folder within seconds, before its time limit.',
    )
    .action((idOrKey: string, options: { key?: boolean; json?: boolean }) =>
      withClient(env, async (client, config) => {
        const id = options.key ? client.idOf(idOrKey) : idOrKey;
        await writeAudit(config, [{ act: 'frame.acknowledge', on: id }]);
        const status = await client.acknowledge(id);
        printResult({ id, status }, TEXTS[status], options);
        if (status === 'missing') process.exitCode = EXIT.failed;
      }),
    );
}
