import { Command } from 'commander';
import { colorDecision, formatTable } from '../../app/terminal-format.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { parseCount } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

export function listCommand(env: Env): Command {
  return new Command('list')
    .option('--live', 'only verifications that have not ended')
    .option('--ended', 'only verifications that have ended')
    .option('--limit <n>', 'largest number of verifications, up to 1,000', parseCount(1_000), 50)
    .option('--json', 'print a JSON array')
    .action((options: { live?: boolean; ended?: boolean; limit: number; json?: boolean }) =>
      withClient(env, async (client, config) => {
        const filter = options.live === options.ended ? {} : { ended: options.ended === true };
        const what = filter.ended === undefined ? 'all' : filter.ended ? 'ended' : 'live';
        await writeAudit(config, [{ act: 'verifications.list', what }]);
        const views = await client.list({ ...filter, limit: options.limit });
        printResult(views, formatViews(views), options);
      }),
    );
}

function formatViews(views: readonly VerificationView[]): string {
  if (views.length === 0) return 'no verifications\n';
  const rows = views.map((view) => [
    view.id,
    view.state,
    view.stage,
    colorDecision(view.decision, view.state),
    view.next,
    view.createdAt,
    view.reason?.code ?? '',
  ]);
  return formatTable(['id', 'state', 'stage', 'decision', 'next', 'created', 'reason'], rows);
}
