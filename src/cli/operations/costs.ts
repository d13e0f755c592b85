import { Command, Option } from 'commander';
import { formatTable } from '../../app/terminal-format.ts';
import { COST_GROUPS, type CostGroup, type CostSum, costsCsv } from '../../domain/operations/costs.ts';
import type { Env } from '../env.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

interface Options {
  by: CostGroup;
  since?: string;
  until?: string;
  csv?: boolean;
  json?: boolean;
}

export function costsCommand(env: Env): Command {
  return new Command('costs')
    .addOption(
      new Option('--by <group>', 'add up by day, tenant, region or action').choices(COST_GROUPS).default('day'),
    )
    .option('--since <day>', 'first day, e.g. 2026-11-01 (default: 30 days before the last)')
    .option('--until <day>', 'last day, included (default: today)')
    .addOption(new Option('--csv', 'print comma-separated values').conflicts('json'))
    .option('--json', 'print a JSON array of {name, paidCalls, possiblyPaidCalls, costs}')
    .addHelpText(
      'after',
      `
Prints the calls that Tencent bills and the calls that it may bill, to compare with Tencent's bill (docs/costs.md). Amounts are
printed if BESTFRAME_PRICES and BESTFRAME_CURRENCY are set.`,
    )
    .action(({ by, since, until, csv, json }: Options) =>
      withClient(env, async (client) => {
        const sums = await client.costs({ by, since, until });
        printResult(sums, csv ? costsCsv(sums, by) : formatCosts(sums, by), json === undefined ? {} : { json });
      }),
    );
}

function formatCosts(sums: readonly CostSum[], by: CostGroup): string {
  if (sums.length === 0) return 'no paid call in these days\n';
  const currencies = [...new Set(sums.flatMap(({ costs }) => costs.map(({ currency }) => currency)))].sort();
  const head = [by, 'paid', 'possibly paid', ...currencies.flatMap((name) => [`${name} paid`, `${name} possibly`])];
  const rows = sums.map(({ name, paidCalls, possiblyPaidCalls, costs }) => [
    name === '' ? '–' : name,
    String(paidCalls),
    String(possiblyPaidCalls),
    ...currencies.flatMap((currency) => {
      const cost = costs.find((each) => each.currency === currency);
      return [String(cost?.paid ?? 0), String(cost?.possiblyPaid ?? 0)];
    }),
  ]);
  return formatTable(head, rows);
}
