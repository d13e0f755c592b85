import { Command } from 'commander';
import { openDashboardFor } from '../compose.ts';
import { hashPassword } from '../domain/operators.ts';
import { EXIT, runUntilSignal } from '../process.ts';
import { secretAsked } from './asking.ts';
import type { Env } from './output.ts';

export function dashboardCommand(env: Env): Command {
  return new Command('dashboard')
    .option('--hash', 'reads a password from the terminal or stdin, and prints what BESTFRAME_DASHBOARD_USERS takes')
    .addHelpText(
      'after',
      `
Needs BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD (an operator), or BESTFRAME_DASHBOARD_USERS, where each
has roles of its own: viewer, operator (held ones, gates), frames (pictures). Listens on 127.0.0.1:3000 unless
BESTFRAME_DASHBOARD_HOST and _PORT say otherwise; put TLS in front of any other address.`,
    )
    .action(async ({ hash }: { hash?: boolean }) => {
      if (hash === true) {
        process.stdout.write(`${await hashPassword(await secretAsked('Password: '))}\n`);
        process.exit(EXIT.ok);
      }
      process.exit(await runUntilSignal([openDashboardFor], env));
    });
}
