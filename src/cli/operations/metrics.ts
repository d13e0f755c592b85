import { Command } from 'commander';
import type { Env } from '../env.ts';
import { printJson } from '../print.ts';
import { withClient } from '../with-client.ts';

export function metricsCommand(env: Env): Command {
  return new Command('metrics')
    .option(
      '--json',
      'print JSON: {gates, breakers, queues, counters, live, held, oldestMs, oldest, outbox, toErase, toNotify, deadNotifications, costs, redis}',
    )
    .addHelpText(
      'after',
      `
Prints the metrics of the whole deployment in Prometheus format. The dashboard serves the same metrics at /metrics.
docs/metrics.md describes each metric, and which ones to set alerts on.`,
    )
    .action(({ json }: { json?: boolean }) =>
      withClient(env, async (client) => {
        const metrics = await client.metrics();
        if (json) return printJson(metrics);
        const { metricsText } = await import('../../server/api/metrics.ts');
        process.stdout.write(await metricsText(metrics));
      }),
    );
}
