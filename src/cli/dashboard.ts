import { Command } from 'commander';
import { dashboardLogin } from '../api/dashboard.ts';
import { openDashboardFor } from '../compose.ts';
import { readConfig } from '../config.ts';
import { runUntilSignal } from '../process.ts';
import type { Env } from './output.ts';

export function dashboardCommand(env: Env): Command {
  return new Command('dashboard')
    .addHelpText(
      'after',
      '\nNeeds BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD; listens on 127.0.0.1:3000 unless BESTFRAME_DASHBOARD_HOST and _PORT say otherwise.',
    )
    .action(async () => {
      dashboardLogin(readConfig(env).dashboard);
      process.exit(await runUntilSignal([openDashboardFor], env));
    });
}
