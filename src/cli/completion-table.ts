/** What a shell may complete, from the commands' own data: at which place which words, and after which option which values. */
import type { Argument, Command, Option } from 'commander';

export interface Word {
  readonly text: string;
  readonly about: string;
}

/** A place on the command line: after these command words, e.g. `held` or `bucket init`. */
export interface Place {
  /** Empty at the start. */
  readonly path: string;
  readonly words: readonly Word[];
  /** Options that take a value. Without choices, the value is completed as the name of a file. */
  readonly values: readonly { readonly option: string; readonly choices: readonly string[] }[];
}

/** The words after which the path of a place becomes longer: names of commands and their subcommands. */
export function pathsOf(places: readonly Place[]): string[] {
  return places.map(({ path }) => path).filter((path) => path !== '');
}

export function completionTable(commands: readonly Command[]): Place[] {
  const names = commands.map(wordOf);
  const start = [...names, { text: 'help', about: 'show the help of a command' }, VERSION, HELP];
  return [
    { path: '', words: start, values: [] },
    { path: 'help', words: names, values: [] },
    ...commands.flatMap((command) => placesOf(command, '')),
  ];
}

const HELP: Word = { text: '--help', about: 'show the help' };
const VERSION: Word = { text: '--version', about: 'show the version' };

function placesOf(command: Command, parent: string): Place[] {
  const path = `${parent} ${command.name()}`.trim();
  const options = command.options.filter(({ hidden }) => !hidden);
  const words = [
    ...command.commands.map(wordOf),
    ...command.registeredArguments.flatMap(choicesOf),
    ...options.map((option) => ({ text: nameOf(option), about: option.description })),
    HELP,
  ];
  const values = options
    .filter(({ required, optional }) => required || optional)
    .map((option) => ({ option: nameOf(option), choices: option.argChoices ?? [] }));
  return [{ path, words, values }, ...command.commands.flatMap((each) => placesOf(each, path))];
}

function wordOf(command: Command): Word {
  return { text: command.name(), about: command.description() };
}

function choicesOf({ argChoices = [], description }: Argument): Word[] {
  return argChoices.map((text) => ({ text, about: description }));
}

function nameOf({ long, short }: Option): string {
  return long ?? short ?? '';
}
