/**
 * Runs `npm test` on clones of HEAD under conditions that tests often do not survive. `npm run test:hard -- --help` explains the
 * options.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, runTool } from '../../scripts/child-process.mjs';
import { CONDITIONS, conditionNamed, findObstacle, makeHome } from './conditions.mjs';

const NAMES = Object.keys(CONDITIONS);
const HELP = `Usage: npm run test:hard -- [options] [-- arguments of npm test]

Runs all tests, or those that the arguments select, on a clone of HEAD under each condition. Uncommitted changes are not tested.
A condition takes as long as npm test, or up to four times that under load.

Conditions:
${NAMES.map((name) => `  ${name.padEnd(15)} ${CONDITIONS[name].title}`).join('\n')}

Options:
  --only <name,...>  runs only these conditions. Names joined by + are one run under all of them: user+space,shuffle
  --times <n>        runs each condition n times. Default: 1
  --json             prints one line of JSON for each run
  --help

Logs and failed clones are in .bestframe/hard/. Exit code: 1 if a run failed, 2 for wrong options, 0 otherwise. A condition that
this machine cannot produce is reported as skipped, with the reason.
`;

const { values, positionals } = readOptions();
const chosen = values.only?.split(',') ?? NAMES;
const times = Number(values.times ?? 1);
const unknown = chosen.find((name) => conditionNamed(name) === null);
if (unknown !== undefined)
  refuse(`there is no condition ${unknown}: use some of ${NAMES.join(', ')}, or several joined by +`);
if (!Number.isInteger(times) || times < 1) refuse(`--times is ${values.times}: use a whole number of 1 or more`);

const base = join(root, '.bestframe', 'hard');
mkdirSync(base, { recursive: true });
/** The load and the tests that run now. They end with this program, also if it is stopped. */
const running = new Set();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    process.exit(code);
  });
let isGood = true;
for (const name of chosen) {
  const condition = conditionNamed(name);
  const obstacle = findObstacle(condition);
  if (obstacle !== null) {
    report({ name, skipped: obstacle });
    continue;
  }
  for (let run = 1; run <= times; run += 1) {
    const result = await test(name, condition, run);
    isGood &&= result.code === 0;
    report(result);
  }
}
process.exitCode = isGood ? 0 : 1;

function readOptions() {
  try {
    const options = { only: { type: 'string' }, times: { type: 'string' } };
    const flags = { json: { type: 'boolean' }, help: { type: 'boolean' } };
    const parsed = parseArgs({ options: { ...options, ...flags }, allowPositionals: true });
    if (!parsed.values.help) return parsed;
  } catch (error) {
    refuse(error.message);
  }
  process.stdout.write(HELP);
  process.exit(0);
}

function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** Prepares a clone, runs its tests under the condition, and removes it if they passed. */
async function test(name, condition, run) {
  const place = mkdtempSync(join(base, `${name}-`));
  const clone = join(place, condition.folder ?? 'clone');
  const home = join(place, 'home');
  const log = join(base, `${name}-${run}.log`);
  makeHome(home, condition);
  await runTool('git', ['clone', '--quiet', root, clone]);
  await installIn(clone);
  const path =
    condition.node === undefined ? process.env.PATH : `${await fetchNode(condition.node)}:${process.env.PATH}`;
  if (condition.user !== undefined) await give(place, condition);
  const loads = await Promise.all(condition.besides.map((start) => start()));
  for (const load of loads) running.add(load);
  const startedAt = Date.now();
  const { code, lastLine } = await runTests({ clone, home, log, path, condition });
  const seconds = Math.round((Date.now() - startedAt) / 1_000);
  for (const load of loads) {
    load.kill('SIGTERM');
    if (load.exitCode === null && load.signalCode === null) await once(load, 'exit');
    running.delete(load);
  }
  if (code === 0) rmSync(place, { recursive: true, force: true });
  return { name, run, code, seconds, result: lastLine, log, ...(code === 0 ? {} : { clone }) };
}

/** Installs the packages and copies the downloaded programs, because some conditions have no network. */
async function installIn(clone) {
  await runTool('npm', ['--prefix', clone, 'ci', '--no-audit', '--no-fund', '--silent']);
  const cache = join(root, '.bestframe', 'cache');
  if (existsSync(cache)) cpSync(cache, join(clone, '.bestframe', 'cache'), { recursive: true, verbatimSymlinks: true });
}

/** @returns the folder of the newest Node of this major version, from npm. */
async function fetchNode(major) {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const prefix = join(base, `node${major}`);
  const packageName = `node-${process.platform}-${arch}`;
  const folder = join(prefix, 'node_modules', packageName, 'bin');
  if (!existsSync(join(folder, 'node')))
    await runTool('npm', [
      'i',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--silent',
      '--prefix',
      prefix,
      `${packageName}@${major}`,
    ]);
  return folder;
}

/** Makes the user the owner of the clone. The home folder stays root's, except that the user may write to it if root may. */
async function give(place, { user, prepare }) {
  await runTool('chown', ['-R', `${user}:${user}`, place]);
  if (prepare !== undefined) chownSync(join(place, 'home'), 0, 0);
}

async function runTests({ clone, home, log, path, condition: { wrap = [], user, testArgs = [] } }) {
  const asUser = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const args = [...testArgs, ...positionals];
  const [command, ...rest] = [...wrap, ...asUser, 'npm', 'test', ...(args.length === 0 ? [] : ['--', ...args])];
  const own = {
    HOME: home,
    PATH: path,
    npm_config_cache: join(clone, '.bestframe', 'npm'),
    npm_config_update_notifier: 'false',
  };
  const child = spawn(command, rest, {
    cwd: clone,
    env: { ...process.env, ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const file = createWriteStream(log);
  let tail = '';
  child.stdout.on('data', (chunk) => {
    tail = (tail + chunk).slice(-500);
  });
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  const [code] = await once(child, 'close');
  running.delete(child);
  file.end();
  return { code: code ?? 1, lastLine: tail.trim().split('\n').at(-1) ?? '' };
}

function report(result) {
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`${format(result)}\n`);
}

function format({ name, run, code, seconds, result, skipped, log }) {
  const { title } = conditionNamed(name);
  if (skipped !== undefined) return `skipped  ${title}: ${skipped}`;
  const label = times === 1 ? title : `${title} (${run} of ${times})`;
  return code === 0
    ? `ok       ${label}: ${result} in ${seconds} s`
    : `failed   ${label}: ${result} in ${seconds} s, see ${log}`;
}
