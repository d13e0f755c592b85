import { Command, Option } from 'commander';
import type { Config } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { ERROR_CLASSES, type ErrorClass } from '../../domain/errors/index.ts';
import { isStarted, RETRY_STATUSES, type RetryResult, type RetrySelection } from '../../domain/operations/retries.ts';
import { REGIONS, type Region } from '../../domain/verification/regions.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName, requireReason } from '../operator.ts';
import { parseCount, parseSince } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { startProgress } from '../progress-bar.ts';
import { confirm } from '../prompts.ts';
import { withClient } from '../with-client.ts';

interface Options {
  class?: ErrorClass;
  code?: string;
  since?: string;
  region?: Region;
  tenant?: string;
  ids?: string[];
  by?: string;
  why?: string;
  dryRun?: boolean;
  yes?: boolean;
  rate: number;
  json?: boolean;
}

export function retryCommand(env: Env): Command {
  return new Command('retry')
    .addOption(new Option('--class <class>', 'only those that ended for this error class').choices(ERROR_CLASSES))
    .option('--code <code>', 'only those that ended for this code')
    .option('--since <time>', 'only those that ended since: 90m, 2h, 3d ago, or 2026-11-25T09:30:00Z', parseSince)
    .addOption(new Option('--region <region>', 'only this region').choices(REGIONS))
    .option('--tenant <name>', 'only this tenant')
    .option('--ids <ids...>', 'only these verifications, in place of class, code, since and region')
    .option(...BY_OPTION)
    .option('--why <text>', 'reason, recorded in the history; required')
    .option('--dry-run', 'only show what would be done')
    .option('--yes', 'do not ask for confirmation')
    .option('--rate <n>', 'largest number of verifications that start again per second', parseCount(1_000), 10)
    .option('--json', 'print a JSON array of {id, code, status}')
    .addHelpText(
      'after',
      `
Starts failed verifications again from upload, under their own ids, while their sources are still kept (24 h by default). A lost
frame is fetched again while its link lives (two hours), without a call. Calls that were or may have been paid stay counted: no
retry pays beyond BESTFRAME_MAX_PAYMENTS. What cannot be retried is listed with the reason, and stays as it is.
--dry-run shows exactly what the same command would do. Exit code 1 if a selected verification was not started.`,
    )
    .action((options: Options) =>
      withClient(env, async (client, config) => {
        const owner = options.tenant === undefined ? client : client.forTenant(options.tenant);
        process.exitCode = await retry(owner, config, options);
      }),
    );
}

/** @returns the exit code. */
async function retry(client: BestframeClient, config: Config, options: Options): Promise<number> {
  const { class: kind, code, since, region, ids, dryRun = false, yes = false, rate } = options;
  const selection: RetrySelection = { class: kind, code, since, region, ids };
  const by = operatorName(options.by);
  const why = dryRun ? (options.why ?? '') : requireReason(options.why);
  await writeAudit(config, [{ act: 'verifications.list', actor: by, what: 'what a retry would start' }]);
  const plan = await client.retry({ ...selection, by, why, dryRun: true });
  const startable = plan.filter(isStarted);
  if (dryRun || startable.length === 0) return print(plan, options, dryRun);
  if (startable.length > 1 && !yes && !(await confirm(`Retry ${startable.length} verifications?`))) {
    if (options.json !== true) process.stdout.write(formatResults(plan, true));
    return EXIT.failed;
  }
  const tenant = options.tenant ?? config.tenant;
  await writeAudit(
    { ...config, tenant },
    startable.map(({ id, status }) => ({ act: 'retry', actor: by, purpose: why, on: id, what: status })),
  );
  const progress = startProgress(plan.length, 'handled');
  const onProgress = (done: number) => progress.update('handled', done);
  try {
    const results = await client.retry({ ids: plan.map(({ id }) => id), by, why }, { rate, onProgress });
    progress.stop();
    return print(results, options, false);
  } finally {
    progress.stop();
  }
}

/** @returns the exit code. */
function print(results: readonly RetryResult[], { json }: Options, dryRun: boolean): number {
  printResult(results, formatResults(results, dryRun), json === undefined ? {} : { json });
  return results.every(isStarted) ? EXIT.ok : EXIT.failed;
}

function formatResults(results: readonly RetryResult[], dryRun: boolean): string {
  if (results.length === 0) return 'no verification is selected\n';
  const rows = results.map(({ id, code, status }) => [id, code ?? '', status, RETRY_STATUSES[status]]);
  const started = results.filter(isStarted).length;
  const verb = dryRun ? 'would start' : 'started';
  return `${formatTable(['id', 'ended for', 'retry', ''], rows)}${started} ${verb} again, ${results.length - started} untouched\n`;
}
