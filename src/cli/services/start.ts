import { Argument, Command } from 'commander';
import { type OpenService, runUntilSignal } from '../../app/run-until-signal.ts';
import type { Env } from '../env.ts';

/** Loaded on demand: the HTTP API must not load the modules that only workers need. */
const loadWorkers = () => import('../../app/workers.ts');
const ROLES = {
  verify: async () => [(await loadWorkers()).openVerify],
  erase: async () => [(await loadWorkers()).openErase],
  notify: async () => [(await loadWorkers()).openNotify],
  api: async () => [(await import('../../app/api.ts')).openApi],
  all: async () => {
    const { openVerify, openErase, openNotify } = await loadWorkers();
    return [openVerify, openErase, openNotify];
  },
} as const satisfies Record<string, () => Promise<OpenService[]>>;

export function startCommand(env: Env): Command {
  return new Command('start')
    .addArgument(
      new Argument('[role]', 'a kind of worker, all workers, or the HTTP API')
        .choices(Object.keys(ROLES))
        .default('all'),
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 drained, 2 invalid settings or no Redis, 3 work was still running after BESTFRAME_DRAIN_MS (another worker
resumes it when its lease expires), 4 the worker was wedged: it took no job although work waited (BESTFRAME_WEDGED_SECONDS).`,
    )
    .action(async (role: keyof typeof ROLES) => {
      process.exit(await runUntilSignal(role, await ROLES[role](), env)); // Work that did not drain must not keep the process alive.
    });
}
