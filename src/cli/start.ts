import { Argument, Command } from 'commander';
import { openErase, openVerify } from '../compose.ts';
import { runUntilSignal } from '../process.ts';
import type { Env } from './output.ts';

const ROLES = { verify: [openVerify], erase: [openErase], all: [openVerify, openErase] } as const;

export function startCommand(env: Env): Command {
  return new Command('start')
    .addArgument(new Argument('[role]', 'which workers').choices(Object.keys(ROLES)).default('all'))
    .addHelpText(
      'after',
      '\nExit codes: 0 drained, 2 bad settings or no Redis, 3 something was still running at BESTFRAME_DRAIN_MS (it comes back by its lease).',
    )
    .action(async (role: keyof typeof ROLES) => {
      process.exit(await runUntilSignal(ROLES[role], env)); // what was not drained must not keep it
    });
}
