import { Argument, Command } from 'commander';
import { COMPLETION_SCRIPTS } from '../completion-scripts.ts';
import { completionTable } from '../completion-table.ts';

type Shell = keyof typeof COMPLETION_SCRIPTS;

/** @param loadCommands loads all commands, which takes a moment. */
export function completionCommand(loadCommands: () => Promise<Command[]>): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(COMPLETION_SCRIPTS)))
    .addHelpText(
      'after',
      `
bash: add to ~/.bashrc                  source <(bestframe completion bash)
zsh:  add to ~/.zshrc, after compinit   source <(bestframe completion zsh)
fish: bestframe completion fish > ~/.config/fish/completions/bestframe.fish`,
    )
    .action(async (shell: Shell) => {
      process.stdout.write(COMPLETION_SCRIPTS[shell](completionTable(await loadCommands())));
    });
}
