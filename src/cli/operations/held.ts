import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, Command, Option } from 'commander';
import type { Config } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { HELD_CHOICES, type HeldChoice } from '../../domain/operations/held.ts';
import { REGIONS, type Region } from '../../domain/verification/regions.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName, requireReason } from '../operator.ts';
import { parseDuration } from '../parse-options.ts';
import { printJson, printResult } from '../print.ts';
import { confirm } from '../prompts.ts';
import { withClient } from '../with-client.ts';

interface Options {
  reason?: string;
  region?: Region;
  older?: number;
  limit: number;
  all?: boolean;
  by?: string;
  why?: string;
  payAgain?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  rate: number;
  json?: boolean;
}

export function heldCommand(env: Env): Command {
  return new Command('held')
    .addArgument(new Argument('[operation]', 'what to do').choices(['list', ...HELD_CHOICES]).default('list'))
    .argument('[ids...]', 'ids of the verifications; or use --all with the filters')
    .option('--reason <code>', 'only verifications held for this code or error class')
    .addOption(new Option('--region <region>', 'only this region').choices(REGIONS))
    .option('--older <time>', 'only verifications held for at least this long, e.g. 90s, 15m, 2h, 3d', parseDuration)
    .option('--limit <n>', 'largest number of verifications', Number, 50)
    .option('--all', 'all verifications that match the filters')
    .addOption(new Option('--to <stage>', 'with rewind: the stage to return to').choices(['upload']).default('upload'))
    .option(...BY_OPTION)
    .option('--why <text>', 'reason, recorded in the history; required')
    .option('--pay-again', 'allow another paid call although one was or may have been paid already')
    .option('--dry-run', 'only show what would be done')
    .option('--yes', 'do not ask for confirmation')
    .option('--rate <n>', 'largest number of decisions per second', Number, 10)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
list         shows held verifications
retry        continues with the stage that it stopped at, with new attempts
rewind       starts again from upload, with new object keys and links
recapture    completes with the decision recapture, on your authority
fail         fails for the reason that it is held for
accept-late  accepts an answer of Tencent that came too late to count
No operation makes a match: only Tencent's answer and the threshold do. A verification that nobody decides about fails when its
hold ends.`,
    )
    .action((operation: 'list' | HeldChoice, ids: string[], options: Options) =>
      withClient(env, async (client, config) => {
        if (operation !== 'list' && ids.length === 0 && options.all !== true)
          throw inputFailure(
            'INVALID_VERIFICATION',
            'id',
            'no verification is selected: give ids, or --all with filters',
          );
        const actor = operatorName(options.by);
        await writeAudit(config, [{ act: 'verifications.list', actor, what: 'held' }]);
        const views = await selectVerifications(client, ids, options);
        if (operation === 'list') printResult(views, formatHeld(views), options);
        else process.exitCode = await decide({ client, config, choice: operation, views, options });
      }),
    );
}

async function selectVerifications(
  client: BestframeClient,
  ids: readonly string[],
  { reason, region, older: olderThanMs, limit }: Options,
): Promise<VerificationView[]> {
  if (ids.length === 0) return client.held({ reason, region, olderThanMs, limit });
  const views = await Promise.all(ids.map((id) => client.get(id)));
  return views.map((view, index) => {
    if (view !== null) return view;
    throw inputFailure('RECORD_MISSING', 'id', `there is no verification ${ids[index]}: correct the id`);
  });
}

function formatHeld(views: readonly VerificationView[]): string {
  if (views.length === 0) return 'no verification is held\n';
  const rows = views.map((view) => [
    view.id,
    view.reason?.code ?? '',
    view.region,
    `${view.paidCalls}${view.possiblyPaidCalls > 0 ? ` (+${view.possiblyPaidCalls}?)` : ''}`,
    view.lateAnswer ? 'yes' : '',
    view.heldUntil ?? '',
  ]);
  return formatTable(['id', 'reason', 'region', 'paid', 'late answer', 'held until'], rows);
}

interface Decision {
  readonly client: BestframeClient;
  readonly config: Config;
  readonly choice: HeldChoice;
  readonly views: readonly VerificationView[];
  readonly options: Options;
}

/** @returns the exit code. */
async function decide({ client, config, choice, views, options }: Decision): Promise<number> {
  const { payAgain = false, rate, dryRun = false, yes = false, json = false } = options;
  const [by, why] = [operatorName(options.by), requireReason(options.why)];
  const isBulk = views.length > 1;
  if (dryRun || (isBulk && !yes && !(await confirm(`${choice} ${views.length} held verifications?`)))) {
    for (const { id, reason } of views) process.stdout.write(`${id}  ${reason?.code ?? ''}  would be: ${choice}\n`);
    return dryRun ? EXIT.ok : EXIT.failed;
  }
  const entry = { act: 'held.resolve', actor: by, what: choice, purpose: why } as const;
  await writeAudit(
    config,
    views.map(({ id }) => ({ ...entry, on: id })),
  );
  const results = [];
  for (const { id } of views) {
    const result = { id, ...(await client.resolve(id, choice, { by, why, payAgain })) };
    results.push(result);
    const state = result.state === null ? '' : ` (${result.state})`;
    if (!json) process.stdout.write(`${id}  ${RESULT_TEXTS[result.status]}${state}\n`);
    if (isBulk) await sleep(1_000 / rate);
  }
  if (json) printJson(results);
  return results.every(({ status }) => status === 'ok') ? EXIT.ok : EXIT.failed;
}

const RESULT_TEXTS = {
  ok: 'done',
  missing: 'no such verification',
  not_held: 'it is not held',
  pay_again: 'a call was or may have been paid already: add --pay-again to allow another one',
  nothing_late: 'there is no late answer to accept',
} as const;
