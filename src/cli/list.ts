import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { decisionInColour, type Env, printJson, table } from './output.ts';

export function listCommand(env: Env): Command {
  return new Command('list')
    .option('--live', 'only those that have not ended')
    .option('--ended', 'only those that have ended')
    .option('--limit <n>', 'how many at most (1 to 1000)', limit, 50)
    .option('--json', 'JSON on stdout: an array')
    .action(async (options: { live?: boolean; ended?: boolean; limit: number; json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const which = options.live === options.ended ? {} : { ended: options.ended === true };
        const views = await client.list({ ...which, limit: options.limit });
        if (options.json) return printJson(views);
        const rows = views.map((view) => [
          view.id,
          view.state,
          view.stage,
          decisionInColour(view.decision, view.state),
          view.next,
          view.createdAt,
          view.reason?.code ?? '',
        ]);
        process.stdout.write(
          rows.length === 0 ? 'none\n' : table(['id', 'state', 'stage', 'decision', 'next', 'created', 'reason'], rows),
        );
      } finally {
        await client.close();
      }
    });
}

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
  throw new InvalidArgumentError('give a whole number from 1 to 1000');
}
