/** Parses each command line that a page shows with the commands themselves: its options, arguments and choices must exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, expect, it } from 'vitest';
import { loadCommands } from '../../../src/cli/commands.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && name !== 'commands.md') // its table shows the forms of the commands
    .map((name) => `docs/${name.replaceAll('\\', '/')}`),
];

/** Names of spans, which look like commands. */
const SPANS = ['attempt', 'notify'];

/** What stands for a value that a page leaves open, after an option that does not take any value. */
const CHOICES: Readonly<Record<string, string>> = {
  '--region': 'ap-singapore',
  '--action': 'VideoLivenessCompare',
  '--scopes': 'submit',
};

/** Returns the command lines in the code of a page, without the program and what the shell does with them. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block.replaceAll('\\\n', ' '));
  const prose = text.replace(/^```.*?^```$/gms, '');
  const inline = [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll(/\s+/g, ' '));
  return [...blocks.flatMap((block) => block.split('\n')), ...inline].flatMap((line) => {
    const [, found] = /^(?:[A-Z_]+=\S* )*(?:npm run |npx )?bestframe (?:-- )?([a-z].*)$/.exec(line.trim()) ?? [];
    return found === undefined || SPANS.includes(found) ? [] : [found.replace(/ (?:[|>&#;]|2>).*$/, '')];
  });
}

function wordsOf(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  return words.map((word, index) => {
    const text = word.replace(/^(["'])(.*)\1$/, '$2');
    return /^(?:<.*>|…)$/.test(text) ? (CHOICES[words[index - 1] ?? ''] ?? 'x') : text;
  });
}

/** Lets a command only parse. */
function silence(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  if (command.commands.length === 0) command.action(() => undefined);
  for (const each of command.commands) silence(each);
}

/** A page may name a command without its arguments, or an option without its value. */
const INCOMPLETE = [
  ...['commander.missingArgument', 'commander.optionMissingArgument'],
  ...['commander.help', 'commander.helpDisplayed'],
];

async function problemOf(line: string): Promise<string | null> {
  const [name, ...words] = wordsOf(line);
  const command = (await loadCommands()).find((each) => each.name() === name);
  if (command === undefined) return `there is no command ${name}`;
  silence(command);
  try {
    await command.parseAsync(words, { from: 'user' });
    return null;
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string };
    return INCOMPLETE.includes(code) ? null : message;
  }
}

/** The modules of all commands take long to load on a busy machine. */
beforeAll(() => loadCommands(), 180_000);

it.each(PAGES)('%s shows only command lines that exist', async (page) => {
  const lines = commandLines(readFileSync(join(ROOT, page), 'utf8'));
  const problems = await Promise.all(lines.map(async (line) => ({ line, problem: await problemOf(line) })));
  expect(problems.filter(({ problem }) => problem !== null)).toEqual([]);
});

it('the runbook has many of them', () => {
  const pages = PAGES.filter((page) => page.startsWith('docs/operations/'));
  const lines = pages.flatMap((page) => commandLines(readFileSync(join(ROOT, page), 'utf8')));
  expect(lines.length).toBeGreaterThan(50);
});

it.each(['held retry x --why fixed --unknown', 'gate pause --region nowhere', 'no-such-command', 'webhooks redelivr'])(
  'finds a command line that does not exist: %s',
  async (line) => {
    expect(await problemOf(line)).not.toBeNull();
  },
);
