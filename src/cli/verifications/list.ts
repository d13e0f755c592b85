import { Command, Option } from 'commander';
import { colorDecision, formatTable } from '../../app/terminal-format.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { ERROR_CLASSES } from '../../domain/errors/index.ts';
import { describeFilter, type VerificationFilter } from '../../domain/verification/filter.ts';
import { REGIONS } from '../../domain/verification/regions.ts';
import { LANES } from '../../domain/verification/request.ts';
import { DECISIONS, STATES } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { parseCount, parseSince } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

const MAX_LISTED = 1_000;
const PAGE = 200;

interface Options extends VerificationFilter {
  readonly live?: boolean;
  readonly ended?: boolean;
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

export function listCommand(env: Env): Command {
  return new Command('list')
    .option('--live', 'only verifications that have not ended')
    .option('--ended', 'only verifications that have ended')
    .addOption(new Option('--state <state>', 'only this state').choices(STATES))
    .addOption(new Option('--decision <decision>', 'only this decision').choices(DECISIONS))
    .option('--code <code>', 'only those with this code as their reason')
    .addOption(
      new Option('--class <class>', 'only those with this class of error as their reason').choices(ERROR_CLASSES),
    )
    .addOption(new Option('--region <region>', 'only this region').choices(REGIONS))
    .addOption(new Option('--lane <lane>', 'only this lane').choices(LANES))
    .option('--since <time>', 'only those enqueued since: 90m, 2h, 3d ago, or 2026-11-25T09:30:00Z', parseSince)
    .option('--limit <n>', 'largest number of verifications, up to 1,000', parseCount(MAX_LISTED), 50)
    .option('--cursor <cursor>', 'where to go on: the cursor that the command before printed')
    .option('--json', 'print JSON: {verifications, cursor}')
    .addHelpText(
      'after',
      `
Newest first. Of all tenants, first those that have not ended, then those that have; of one tenant (--tenant), by the time at which
they were enqueued. If there are more, the last line names the cursor of the next page.`,
    )
    .action(({ limit, json, live, ended, cursor, ...filter }: Options) =>
      withClient(env, async (client, config) => {
        const only = live === ended ? undefined : ended === true;
        const which = only === undefined ? 'all' : only ? 'ended' : 'live';
        const what = [which, describeFilter(filter)].filter((part) => part !== 'all').join(', ') || 'all';
        await writeAudit(config, [{ act: 'verifications.list', what }]);
        const found = await find(client, { filter: { ...filter, ended: only }, limit, cursor });
        const more = found.cursor === null ? '' : `more: --cursor ${found.cursor}\n`;
        printResult(found, `${formatViews(found.verifications)}${more}`, json === true ? { json } : {});
      }),
    );
}

interface Search {
  readonly filter: VerificationFilter & { readonly ended: boolean | undefined };
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** Reads pages until there are enough verifications, or no more. */
async function find(client: BestframeClient, { filter, limit, cursor }: Search) {
  const verifications: VerificationView[] = [];
  let next = cursor;
  do {
    const page = await client.page({ ...filter, limit: Math.min(PAGE, limit - verifications.length), cursor: next });
    verifications.push(...page.verifications);
    next = page.cursor ?? undefined;
  } while (next !== undefined && verifications.length < limit);
  return { verifications, cursor: next ?? null };
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
