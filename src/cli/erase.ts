import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import type { BestframeClient } from '../client/client.ts';
import { type Config, readConfig } from '../config.ts';
import type { Erased, ErasureReceipt } from '../domain/erasure.ts';
import { inputFailure } from '../domain/failure.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { confirmed, duration, operator, reasonGiven } from './asking.ts';
import { writeAudit } from './audited.ts';
import { type Env, printJson } from './output.ts';

interface Options {
  key?: boolean;
  subject?: string;
  olderThan?: number;
  limit: number;
  by?: string;
  why?: string;
  dryRun?: boolean;
  yes?: boolean;
  receipt?: boolean;
  wait: number;
  json?: boolean;
}

export function eraseCommand(env: Env): Command {
  return new Command('erase')
    .argument('[ids...]', 'ids, or with --key keys of yours')
    .option('--key', 'the arguments are your own keys')
    .option('--subject <id>', 'all about this subject')
    .option('--older-than <time>', 'all that ended at least so long ago: 90m, 36h, 30d', duration)
    .option('--limit <n>', 'with --older-than: how many at most', Number, 1_000)
    .option('--by <name>', 'who asks for it (default: the user of this machine)')
    .option('--why <text>', 'why; goes into the receipt, and is asked for')
    .option('--dry-run', 'only say what would be erased')
    .option('--yes', 'do not ask before many are erased')
    .option('--receipt', 'only show the receipts of what was erased before')
    .option('--wait <seconds>', 'how long to wait for what is deleted outside Redis to be confirmed', Number, 30)
    .option('--json', 'JSON on stdout: [{id, status, receipt}]')
    .addHelpText(
      'after',
      `
Takes record, history, job, objects with all their versions, and the frame. What is in Redis is gone at once; the erase
worker deletes the rest, and the receipt says when each was confirmed, by whom, and what nobody here can confirm. The key is
answered as gone from then on, and never paid for again. A verification under a legal hold is refused with its reason.`,
    )
    .action(async (ids: string[], options: Options) => {
      const config = readConfig(env);
      const client = openClient(config);
      try {
        process.exitCode = await erase(client, config, await chosen(client, ids, options), options);
      } finally {
        await client.close();
      }
    });
}

async function chosen(client: BestframeClient, ids: readonly string[], options: Options): Promise<string[]> {
  const { subject, olderThan, limit, key } = options;
  if ([ids.length > 0, subject !== undefined, olderThan !== undefined].filter(Boolean).length !== 1)
    throw inputFailure(
      'INVALID_VERIFICATION',
      'id',
      'say what to erase by ids, --subject or --older-than, one of them',
    );
  if (subject !== undefined) return (await client.bySubject(subject)).map((view) => view.id);
  if (olderThan !== undefined) return (await client.endedBefore(Date.now() - olderThan, limit)).map((view) => view.id);
  return key ? ids.map((each) => client.idOf(each)) : [...ids];
}

async function erase(
  client: BestframeClient,
  config: Config,
  ids: readonly string[],
  options: Options,
): Promise<number> {
  if (options.receipt) return show(await Promise.all(ids.map((id) => receiptOf(client, id))), options);
  if (options.dryRun || (ids.length > 1 && !options.yes && !(await confirmed(`erase ${ids.length} verifications?`)))) {
    process.stdout.write(ids.map((id) => `${id}  would be erased\n`).join(''));
    return options.dryRun ? EXIT.ok : EXIT.failed;
  }
  const request = { by: operator(options.by), why: reasonGiven(options.why) };
  const entry = { act: 'erase', actor: request.by, purpose: request.why } as const;
  await writeAudit(
    config,
    ids.map((id) => ({ ...entry, on: id })),
  );
  const results: Result[] = [];
  for (const id of ids) results.push({ id, ...(await client.erase(id, request)) });
  const until = performance.now() + options.wait * 1_000;
  for (const [index, result] of results.entries()) results[index] = await whole(client, result, until);
  return show(results, options);
}

type Result = { readonly id: string } & Erased;

async function receiptOf(client: BestframeClient, id: string): Promise<Result> {
  const receipt = await client.receipt(id);
  return receipt === null ? { id, status: 'missing' } : { id, status: 'gone', receipt };
}

/** Asks until all that can be confirmed is, or the time is up. */
async function whole(client: BestframeClient, result: Result, until: number): Promise<Result> {
  if (result.status !== 'erased') return result;
  for (;;) {
    const receipt = (await client.receipt(result.id)) ?? result.receipt;
    if (receipt.complete || performance.now() >= until) return { ...result, receipt };
    await wait(200);
  }
}

function show(results: readonly Result[], { json }: Options): number {
  if (json) printJson(results);
  else process.stdout.write(results.map(inWords).join('') || 'nothing is there to be erased\n');
  const done = results.every(({ status }) => status === 'erased' || status === 'gone');
  return done ? EXIT.ok : EXIT.failed;
}

function inWords(result: Result): string {
  switch (result.status) {
    case 'missing':
      return `${result.id}  no such verification (or its record has expired)\n`;
    case 'legal hold':
      return `${result.id}  not erased: legal hold by ${result.hold?.by ?? '?'} since ${result.hold?.since ?? '?'}: ${result.hold?.why ?? ''}\n`;
    default:
      return `${result.id}  erased${result.receipt === null ? '\n' : `\n${receiptInWords(result.receipt)}`}`;
  }
}

function receiptInWords({ requestedAt, by, why, record, job, objects, frame, notConfirmed }: ErasureReceipt): string {
  const said = (what: { confirmedAt: string; by: string } | null) =>
    what === null ? 'not confirmed yet' : `confirmed ${what.confirmedAt} by ${what.by}`;
  const lines = [
    `  asked for ${requestedAt} by ${by}: ${why}`,
    `  record and history: ${said(record)}`,
    `  job: ${said(job)}`,
    `  objects: ${objects === 'not ours' ? "in Tencent's bucket" : `${said(objects)}${objects === null ? '' : `, ${objects.versions} versions`}`}`,
    `  frame: ${frame === 'none' ? 'there was none' : said(frame)}`,
    ...notConfirmed.map((what) => `  not confirmed by anybody: ${what}`),
  ];
  return `${lines.join('\n')}\n`;
}
