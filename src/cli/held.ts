import { setTimeout as wait } from 'node:timers/promises';
import { Argument, Command, Option } from 'commander';
import type { BestframeClient } from '../client/client.ts';
import { type Config, readConfig } from '../config.ts';
import { REGIONS, type Region } from '../domain/actions.ts';
import { inputFailure } from '../domain/failure.ts';
import { HELD_CHOICES, type HeldChoice } from '../domain/held.ts';
import type { VerificationView } from '../domain/view.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { confirmed, duration, operator, reasonGiven } from './asking.ts';
import { writeAudit } from './audited.ts';
import { type Env, printJson, table } from './output.ts';

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
    .addArgument(new Argument('[what]', 'list, or what to do').choices(['list', ...HELD_CHOICES]).default('list'))
    .argument('[ids...]', 'which; or --all of those that the filters name')
    .option('--reason <code>', 'only those that are held for this code or class')
    .addOption(new Option('--region <region>', 'only those of this region').choices(REGIONS))
    .option('--older <time>', 'only those that are held for at least so long: 90s, 15m, 2h, 3d', duration)
    .option('--limit <n>', 'how many at most', Number, 50)
    .option('--all', 'all that the filters name')
    .addOption(
      new Option('--to <stage>', 'with rewind: the stage that it goes back to').choices(['upload']).default('upload'),
    )
    .option('--by <name>', 'who decides (default: the user of this machine)')
    .option('--why <text>', 'why; goes into the history, and is asked for')
    .option('--pay-again', 'a call that was or may have been paid is behind it, and may be made again')
    .option('--dry-run', 'only say what would be done')
    .option('--yes', 'do not ask before many are changed')
    .option('--rate <n>', 'so many a second at most', Number, 10)
    .option('--json', 'JSON on stdout')
    .addHelpText(
      'after',
      `
retry        on from where it was, with its attempts counted anew
rewind       again from upload, under fresh keys and links
recapture    completed with the decision recapture, decided by you
fail         failed, for the reason that it is held for
accept-late  takes the vendor's answer that came too late to count by itself
No choice makes a match: that is for the vendor and the threshold to say. What nobody decides fails when its holding ends.`,
    )
    .action(async (what: 'list' | HeldChoice, ids: string[], options: Options) => {
      const config = readConfig(env);
      const client = openClient(config);
      try {
        if (what !== 'list' && ids.length === 0 && options.all !== true)
          throw inputFailure(
            'INVALID_VERIFICATION',
            'id',
            'say which by their ids, or --all of those that the filters name',
          );
        const views = await chosen(client, ids, options);
        if (what === 'list') list(views, options);
        else process.exitCode = await decide(client, config, what, views, options);
      } finally {
        await client.close();
      }
    });
}

async function chosen(client: BestframeClient, ids: readonly string[], options: Options): Promise<VerificationView[]> {
  if (ids.length === 0) {
    const { reason, region, older: olderThanMs, limit } = options;
    return client.held({ reason, region, olderThanMs, limit });
  }
  const views = await Promise.all(ids.map((id) => client.get(id)));
  return views.map((view, index) => {
    if (view !== null) return view;
    throw inputFailure('RECORD_MISSING', 'id', `there is no verification ${ids[index]}: correct its id`);
  });
}

function list(views: readonly VerificationView[], { json }: Options): void {
  if (json) {
    printJson(views);
    return;
  }
  const rows = views.map((view) => [
    view.id,
    view.reason?.code ?? '',
    view.region,
    `${view.paidCalls}${view.possiblyPaidCalls > 0 ? ` (+${view.possiblyPaidCalls}?)` : ''}`,
    view.lateAnswer ? 'yes' : '',
    view.heldUntil ?? '',
  ]);
  process.stdout.write(
    rows.length === 0 ? 'none is held\n' : table(['id', 'reason', 'region', 'paid', 'late answer', 'held until'], rows),
  );
}

async function decide(
  client: BestframeClient,
  config: Config,
  choice: HeldChoice,
  views: readonly VerificationView[],
  options: Options,
): Promise<number> {
  const { payAgain = false, rate } = options;
  const [by, why] = [operator(options.by), reasonGiven(options.why)];
  const many = views.length > 1;
  if (options.dryRun || (many && !options.yes && !(await confirmed(`${choice} ${views.length} held verifications?`)))) {
    for (const { id, reason } of views) process.stdout.write(`${id}  ${reason?.code ?? ''}  would be: ${choice}\n`);
    return options.dryRun ? EXIT.ok : EXIT.failed;
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
    if (!options.json)
      process.stdout.write(`${id}  ${WORDS[result.status]}${result.state === null ? '' : ` (${result.state})`}\n`);
    if (many) await wait(1_000 / rate);
  }
  if (options.json) printJson(results);
  return results.every(({ status }) => status === 'ok') ? EXIT.ok : EXIT.failed;
}

const WORDS = {
  ok: 'done',
  missing: 'no such verification',
  'not held': 'it is not held',
  'pay again': 'a call that was or may have been paid is behind it: add --pay-again to let it be made again',
  'nothing late': 'there is no late answer to accept',
} as const;
