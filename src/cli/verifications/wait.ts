import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { formatVerification } from '../format-verification.ts';
import { parseSeconds } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

export function waitCommand(env: Env): Command {
  return new Command('wait')
    .argument('<id>', 'id of the verification')
    .option('--ended', 'wait until the frame is stored too')
    .option('--timeout <seconds>', 'time limit', parseSeconds, 60)
    .option('--json', 'print JSON')
    .action((id: string, options: { ended?: boolean; timeout: number; json?: boolean }) =>
      withClient(env, async (client, config) => {
        await writeAudit(config, [{ act: 'timeline.read', on: id }]);
        const until = options.ended ? 'ended' : 'decided';
        const view = await client.wait(id, { until, timeoutMs: options.timeout * 1_000 });
        printResult(view, formatVerification(view), options);
        if (view === null || view.next === 'wait') process.exitCode = EXIT.failed;
      }),
    );
}
