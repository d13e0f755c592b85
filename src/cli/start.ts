import { Argument, Command } from 'commander';
import { type Open, runUntilSignal } from '../process.ts';
import type { Env } from './output.ts';

/** Loaded when it is asked for: the HTTP API must not load what workers need. */
const workers = () => import('../compose.ts');
const ROLES = {
  verify: async () => [(await workers()).openVerify],
  erase: async () => [(await workers()).openErase],
  notify: async () => [(await workers()).openNotify],
  api: async () => [(await import('../compose-api.ts')).openApi],
  all: async () => [(await workers()).openVerify, (await workers()).openErase, (await workers()).openNotify],
} as const satisfies Record<string, () => Promise<Open[]>>;

export function startCommand(env: Env): Command {
  return new Command('start')
    .addArgument(
      new Argument('[role]', 'which workers, or the HTTP API; all: every worker')
        .choices(Object.keys(ROLES))
        .default('all'),
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 drained, 2 bad settings or no Redis, 3 something was still running at BESTFRAME_DRAIN_MS (it comes back by its lease).',
    )
    .action(async (role: keyof typeof ROLES) => {
      process.exit(await runUntilSignal(await ROLES[role](), env)); // what was not drained must not keep it
    });
}
