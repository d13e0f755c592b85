/**
 * Mutation testing: changes the product in thousands of small ways, and lists the changes that no unit test notices. Installs
 * Stryker into .bestframe/ when it is first run, because `npm ci` would take a quarter longer with it.
 * docs/decisions/mutation.md describes the results.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, runChild, runTool } from './child-process.mjs';
import { embedLua } from './embed-lua.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

const STRYKER = '9.6.1';
const PACKAGES = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}`);
const tools = join(root, '.bestframe', 'mutation', 'tools');

const HELP = `npm run mutation -- [files or globs] [--quick] [--again]

Mutates src/domain, the stages, payment.ts and gate.ts, and runs the unit tests of these rooms against each mutant, one at a time.
Prints the mutants that survived, and the share of killed mutants by folder. The exit code is 1 if less than 85 % were killed.

  files, globs  only these, separated by spaces or commas. The results of all others are kept
  --quick       without static mutants: values that are computed while a file loads. They are a sixth of all mutants, and take most of
                the time, because the product's modules are loaded again for each of them
  --again       tests every mutant again, also where neither it nor its tests have changed since the last run
  --help        this text

The report with each mutant in its place: .bestframe/mutation/report.html
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, again: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) process.stdout.write(HELP);
else process.exitCode = await mutate(positionals, values);

async function mutate(files, { quick = false, again = false }) {
  await ensureDependencies();
  await installStryker();
  embedLua();
  process.chdir(root);
  const config = join('test', 'mutation', 'stryker.config.mjs');
  const code = await runChild(process.execPath, [
    join(tools, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js'),
    'run',
    config,
    ...(files.length === 0 ? [] : ['--mutate', files.join(',')]),
    ...(quick ? ['--ignoreStatic'] : []),
    ...(again ? ['--force'] : []),
  ]);
  printScores(join(root, '.bestframe', 'mutation', 'results.json'));
  return code;
}

async function installStryker() {
  if (PACKAGES.every((name) => installedVersion(name) === STRYKER)) return;
  process.stderr.write(`installing Stryker ${STRYKER}\n`);
  // --legacy-peer-deps: the runner uses this repository's Vitest, and must not bring its own.
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--prefix', tools];
  await runTool('npm', ['install', ...options, ...PACKAGES.map((name) => `${name}@${STRYKER}`)]);
}

function installedVersion(name) {
  const manifest = join(tools, 'node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null;
}

/** Prints the share of killed mutants by folder, over the kept results of all runs. */
function printScores(path) {
  if (!existsSync(path)) return;
  const folders = new Map();
  for (const [file, { mutants }] of Object.entries(JSON.parse(readFileSync(path, 'utf8')).files)) {
    const folder = file
      .split('/')
      .slice(0, file.startsWith('src/domain/') ? -1 : 3)
      .join('/');
    for (const name of [folder, 'all']) folders.set(name, [...(folders.get(name) ?? []), ...mutants]);
  }
  for (const [name, mutants] of [...folders].sort(([a], [b]) => (b === 'all' || (a !== 'all' && a < b) ? -1 : 1))) {
    const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
    const [killed, alive] = [count('Killed', 'Timeout'), count('Survived', 'NoCoverage')];
    const share = ((100 * killed) / (killed + alive)).toFixed(1);
    process.stdout.write(`${share.padStart(5)} %  ${killed} of ${killed + alive}  ${name}\n`);
  }
}
