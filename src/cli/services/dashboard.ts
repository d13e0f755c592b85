import { Command } from 'commander';
import { openDashboard } from '../../app/dashboard.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { runUntilSignal } from '../../app/run-until-signal.ts';
import { hashPassword } from '../../domain/operations/operators.ts';
import type { Env } from '../env.ts';
import { readPassword } from '../prompts.ts';

export function dashboardCommand(env: Env): Command {
  return new Command('dashboard')
    .option('--hash', 'read a password from the terminal or stdin, and print its hash for BESTFRAME_DASHBOARD_USERS')
    .addHelpText(
      'after',
      `
Needs a login: BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD for one operator, or BESTFRAME_DASHBOARD_USERS for users
with roles: viewer, operator (held verifications, gates), frames (pictures). Listens on 127.0.0.1:3000 unless
BESTFRAME_DASHBOARD_HOST and BESTFRAME_DASHBOARD_PORT are set. Put a proxy with TLS in front of any other address.`,
    )
    .action(async ({ hash }: { hash?: boolean }) => {
      if (hash === true) {
        process.stdout.write(`${await hashPassword(await readPassword('Password: '))}\n`);
        process.exit(EXIT.ok);
      }
      process.exit(await runUntilSignal('dashboard', [openDashboard], env));
    });
}
