/** Tests what `--help` prints for each command. test/long/cli.test.ts runs it. */
import { expect, it } from 'vitest';
import { loadCommands } from '../../../src/cli/commands.ts';

it('the help of each command has a usage, and describes each argument and option', async () => {
  const commands = await loadCommands();
  expect(commands.length).toBeGreaterThan(30);
  for (const command of commands) {
    const help = command.helpInformation();
    expect(help).toMatch(new RegExp(`^Usage: ${command.name()}`));
    expect(help.split('\n').length, command.name()).toBeGreaterThan(5);
    for (const { flags, description } of command.options)
      expect([command.name(), flags, description]).not.toContain('');
    for (const { description } of command.registeredArguments) expect([command.name(), description]).not.toContain('');
  }
});
