/** `--tenant` of the commands that work with one tenant. */
import type { Command } from 'commander';

/** The option replaces the setting for this command alone. @param env the environment that the command reads */
export function takeTenant(command: Command, env: Record<string, string | undefined>): void {
  command.option('--tenant <name>', 'tenant to work with (default: BESTFRAME_TENANT)');
  command.hook('preAction', (_program, acting) => {
    const { tenant } = acting.optsWithGlobals<{ tenant?: string }>();
    if (tenant !== undefined) env.BESTFRAME_TENANT = tenant;
  });
}
