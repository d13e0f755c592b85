import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Config } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import type { Confirmation, EraseResult, ErasureReceipt } from '../../domain/operations/erasure.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { BY_OPTION, operatorName, requireReason } from '../operator.ts';
import { parseDuration } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { confirm } from '../prompts.ts';
import { withClient } from '../with-client.ts';

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
  rewriteAof?: boolean;
  wait: number;
  json?: boolean;
}

type Result = { readonly id: string } & EraseResult;

const POLL_MS = 200;

export function eraseCommand(env: Env): Command {
  return new Command('erase')
    .argument('[ids...]', 'ids of verifications, or your own keys with --key')
    .option('--key', 'treat the arguments as your own keys')
    .option('--subject <id>', 'all verifications of this subject')
    .option('--older-than <time>', 'all verifications that ended at least this long ago: 90m, 36h, 30d', parseDuration)
    .option('--limit <n>', 'with --older-than: largest number of verifications', Number, 1_000)
    .option(...BY_OPTION)
    .option('--why <text>', 'reason, recorded in the receipt; required')
    .option('--dry-run', 'only show what would be erased')
    .option('--yes', 'do not ask for confirmation')
    .option('--receipt', 'only show the receipts of earlier erasures')
    .option('--rewrite-aof', 'ask Redis to rewrite its append-only file afterwards, at most once an hour')
    .option('--wait <seconds>', 'how long to wait until deletions outside Redis are confirmed', Number, 30)
    .option('--json', 'print JSON: [{id, status, receipt}]')
    .addHelpText(
      'after',
      `
Erases the record, the history, the job, the objects with all their versions, and the frame. Data in Redis is deleted at once;
the erase worker deletes the rest, and evidence under lock when its lock has ended. The receipt shows when each deletion was confirmed and by whom, and what cannot be confirmed.
From then on the key is reported as gone and is never paid for again. A verification under a legal hold is not erased; the
output shows the reason.`,
    )
    .action((ids: string[], options: Options) =>
      withClient(env, async (client, config) => {
        const selected = await selectIds(client, config, ids, options);
        process.exitCode = options.receipt
          ? await showReceipts(client, config, selected, options)
          : await erase(client, config, selected, options);
      }),
    );
}

async function selectIds(
  client: BestframeClient,
  config: Config,
  ids: readonly string[],
  options: Options,
): Promise<string[]> {
  const { subject, olderThan, limit, key } = options;
  if ([ids.length > 0, subject !== undefined, olderThan !== undefined].filter(Boolean).length !== 1) {
    const message = 'the selection is not clear: give either ids, or --subject, or --older-than';
    throw inputFailure('INVALID_VERIFICATION', 'id', message);
  }
  if (ids.length === 0) {
    const what = subject === undefined ? 'ended before a time' : 'one subject';
    await writeAudit(config, [{ act: 'verifications.list', actor: operatorName(options.by), what }]);
  }
  if (subject !== undefined) return (await client.bySubject(subject)).map(({ id }) => id);
  if (olderThan !== undefined) return (await client.endedBefore(Date.now() - olderThan, limit)).map(({ id }) => id);
  return key ? ids.map((each) => client.idOf(each)) : [...ids];
}

/** @returns the exit code. */
async function erase(
  client: BestframeClient,
  config: Config,
  ids: readonly string[],
  options: Options,
): Promise<number> {
  const { dryRun = false, yes = false } = options;
  if (dryRun || (ids.length > 1 && !yes && !(await confirm(`Erase ${ids.length} verifications?`)))) {
    process.stdout.write(ids.map((id) => `${id}  would be erased\n`).join(''));
    return dryRun ? EXIT.ok : EXIT.failed;
  }
  const request = { by: operatorName(options.by), why: requireReason(options.why) };
  const entry = { act: 'erase', actor: request.by, purpose: request.why } as const;
  await writeAudit(
    config,
    ids.map((id) => ({ ...entry, on: id })),
  );
  const results: Result[] = [];
  for (const id of ids) results.push({ id, ...(await client.erase(id, request)) });
  const deadline = performance.now() + options.wait * 1_000;
  for (const [index, result] of results.entries()) results[index] = await waitUntilComplete(client, result, deadline);
  if (options.rewriteAof) await rewriteAof(client, results, deadline);
  return printResults(results, options);
}

/** Asks for a rewrite of the append-only file and waits until the receipts confirm it, or the deadline passes. */
async function rewriteAof(client: BestframeClient, results: Result[], deadline: number): Promise<void> {
  const answer = await client.rewriteAof();
  process.stderr.write(`append-only file: ${REWRITE_TEXTS[answer]}\n`);
  for (const [index, result] of results.entries()) {
    if (answer !== 'asked' || result.status !== 'erased') continue;
    let { receipt } = result;
    while (receipt.complete && receipt.aof === 'not_yet' && performance.now() < deadline) {
      await sleep(POLL_MS);
      receipt = (await client.receipt(result.id)) ?? receipt;
    }
    results[index] = { ...result, receipt };
  }
}

const REWRITE_TEXTS = {
  asked: 'Redis rewrites it',
  recently: 'a rewrite was asked for within the last hour; ask again later',
  running: 'a rewrite that began earlier is running; ask again when it is over',
  off: 'Redis has none',
  not_allowed: 'Redis refuses BGREWRITEAOF: allow it to the user of BESTFRAME_REDIS_URL, or run it yourself',
  unknown: 'Redis does not tell whether it is rewritten (before version 7, in a Cluster, or without INFO)',
} as const;

/** @returns the exit code. */
async function showReceipts(
  client: BestframeClient,
  config: Config,
  ids: readonly string[],
  options: Options,
): Promise<number> {
  const actor = operatorName(options.by);
  await writeAudit(
    config,
    ids.map((on) => ({ act: 'receipt.read', actor, on })),
  );
  return printResults(await Promise.all(ids.map((id) => readReceipt(client, id))), options);
}

async function readReceipt(client: BestframeClient, id: string): Promise<Result> {
  const receipt = await client.receipt(id);
  return receipt === null ? { id, status: 'missing' } : { id, status: 'gone', receipt };
}

/** Polls the receipt until everything that can be confirmed is confirmed, or the deadline passes. */
async function waitUntilComplete(client: BestframeClient, result: Result, deadline: number): Promise<Result> {
  if (result.status !== 'erased') return result;
  for (;;) {
    const receipt = (await client.receipt(result.id)) ?? result.receipt;
    if (receipt.complete || performance.now() >= deadline) return { ...result, receipt };
    await sleep(POLL_MS);
  }
}

/** @returns the exit code. */
function printResults(results: readonly Result[], options: Options): number {
  printResult(results, results.map(formatResult).join('') || 'there is nothing to erase\n', options);
  return results.every(({ status }) => status === 'erased' || status === 'gone') ? EXIT.ok : EXIT.failed;
}

function formatResult(result: Result): string {
  const { id } = result;
  if (result.status === 'missing') return `${id}  ${NOT_FOUND}`;
  if (result.status === 'legal_hold') {
    const { by = '?', since = '?', why = '' } = result.hold ?? {};
    return `${id}  not erased: legal hold by ${by} since ${since}: ${why}\n`;
  }
  return `${id}  erased\n${result.receipt === null ? '' : formatReceipt(result.receipt)}`;
}

function formatReceipt(receipt: ErasureReceipt): string {
  const { requestedAt, by, why, record, job, objects, frame, evidence, notConfirmed, aof, data } = receipt;
  const lines = [
    `requested ${requestedAt} by ${by}: ${why}`,
    `record and history: ${formatConfirmation(record)}`,
    `job: ${formatConfirmation(job)}`,
    `objects: ${formatObjects(objects)}`,
    `frame: ${frame === 'none' ? 'there was none' : formatConfirmation(frame)}`,
    `evidence: ${formatEvidence(evidence)}`,
    `append-only file: ${AOF_TEXTS[aof]}`,
    ...data.filter(({ fate }) => fate === 'kept').map(({ data: name, note }) => `kept: ${name}: ${note}`),
    ...notConfirmed.map((item) => `cannot be confirmed: ${item}`),
  ];
  return lines.map((line) => `  ${line}\n`).join('');
}

const AOF_TEXTS = {
  rewritten: 'rewritten since',
  not_yet: 'not rewritten since',
  off: 'there is none',
  unknown: 'Redis does not tell whether it was rewritten since',
} as const;

function formatObjects(objects: ErasureReceipt['objects']): string {
  if (objects === 'not_ours') return "in Tencent's bucket";
  return `${formatConfirmation(objects)}${objects === null ? '' : `, ${objects.versions} versions`}`;
}

function formatEvidence(evidence: ErasureReceipt['evidence']): string {
  if (evidence === 'none') return 'there was none';
  if (evidence?.lockedUntil !== undefined) return `locked until ${evidence.lockedUntil}, then deleted`;
  return formatConfirmation(evidence);
}

function formatConfirmation(confirmation: Confirmation | null): string {
  return confirmation === null ? 'not confirmed yet' : `confirmed ${confirmation.confirmedAt} by ${confirmation.by}`;
}
