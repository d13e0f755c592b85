import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { type Env, printJson } from './output.ts';

export function metricsCommand(env: Env): Command {
  return new Command('metrics')
    .option(
      '--json',
      'JSON on stdout: {gates, queues, counters, live, held, oldestMs, outbox, toErase, toNotify, deadNotifications}',
    )
    .addHelpText(
      'after',
      `
What can be counted of the whole deployment, as Prometheus reads it; the dashboard serves the same at /metrics.
docs/metrics.md says what each one means, and which to be woken for.`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const metrics = await client.metrics();
        if (json) printJson(metrics);
        else {
          const { metricsText } = await import('../api/metrics.ts');
          process.stdout.write(await metricsText(metrics));
        }
      } finally {
        await client.close();
      }
    });
}
