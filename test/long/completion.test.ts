/** Tests the completion scripts in the shells themselves: somebody types a part of a word and presses Tab. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';

let dir: string;
let script: (shell: string) => string;

beforeAll(async () => {
  dir = await mkdtemp(join(HOME, 'completion-'));
  script = (shell) => join(dir, `bestframe.${shell}`);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await cli(['completion', shell]);
    expect(code).toBe(0);
    await writeFile(script(shell), stdout);
  }
  await writeFile(join(dir, 'tape.json'), '');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Types into an interactive bash on a terminal. @returns the arguments with which each `bestframe` was called */
async function typeInBash(lines: readonly string[]): Promise<string[]> {
  const setUp = `PS1=; bestframe() { printf 'ran:%s\\n' "$*"; }; source ${script('bash')}; cd ${dir}`;
  const child = spawn('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stdin.end([setUp, ...lines, 'exit', ''].join('\n'));
  await once(child, 'close');
  return [...stdout.matchAll(/^ran:([^\r\n]*)/gm)].map(([, text = '']) => text);
}

describe('bash', () => {
  it.each([
    ['a command', 'bestframe ga\t', 'gate'],
    ['an operation and a value', 'bestframe gate stat\t--reg\tap-s\t', 'gate status --region ap-singapore'],
    ['a subcommand', 'bestframe bu\tin\t--j\t', 'bucket init --json'],
    ['a command after help', 'bestframe help reco\t', 'help reconcile'],
    ['an option with several', 'bestframe list --stat\tcompl\t--ten\tshop', 'list --state completed --tenant shop'],
    ['a file after an option that takes one', 'bestframe doctor --tap\tta\t', 'doctor --tape tape.json'],
    ['a file as an argument', 'bestframe sequence ta\t', 'sequence tape.json'],
    ['nothing that does not exist', 'bestframe zz\t', 'zz'],
  ])('completes %s', async (_what, typed, called) => {
    expect((await typeInBash([typed])).map((text) => text.trimEnd())).toEqual([called]);
  });
});

describe.skipIf(spawnSync('fish', ['--version']).status !== 0)('fish', () => {
  it.each([
    ['bestframe ga', ['gate']],
    ['bestframe gate status --region ap-s', ['ap-singapore']],
    ['bestframe bucket i', ['init']],
    ['bestframe list --sta', ['--state']],
  ])('completes %j', (typed, expected) => {
    const code = `function bestframe; end; source ${script('fish')}; complete -C '${typed}'`;
    const { stdout } = spawnSync('fish', ['--no-config', '-c', code], { encoding: 'utf8' });
    const found = stdout.split('\n').filter((line) => line !== '');
    expect(found.map((line) => line.split('\t')[0])).toEqual(expected);
  });
});

it.skipIf(spawnSync('zsh', ['--version']).status !== 0)('zsh reads its script, and knows the function', () => {
  const code = `autoload -Uz compinit; compinit -u -D; source ${script('zsh')}; print $_comps[bestframe]`;
  expect(spawnSync('zsh', ['-f', '-c', code], { encoding: 'utf8' })).toMatchObject({
    stdout: '_bestframe\n',
    stderr: '',
  });
});

it('an unknown shell is a usage error', async () => {
  expect((await cli(['completion', 'tcsh'])).code).toBe(2);
});
