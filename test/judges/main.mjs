/**
 * Runs the vendors' own test suites against the emulator. `npm run judges -- --help` explains the options;
 * docs/emulator.md has the results.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build.mjs';
import { root } from '../../scripts/child-process.mjs';
import { ensureDependencies } from '../../scripts/ensure-dependencies.mjs';
import { leftOut } from './left-out.mjs';

const HELP = `Usage: npm run judges -- [options]

Runs vendors' own test suites against the emulator and prints what passed, what failed and what is out of scope.
test/judges/left-out.mjs lists what is out of scope, with reasons. Packages come from npm and Debian; the suites of the COS
SDKs are in no package: clone their repositories, and pass the folders.

Options:
  --node <dir>    a clone of tencentyun/cos-nodejs-sdk-v5
  --python <dir>  a clone of tencentyun/cos-python-sdk-v5
  --go <dir>      a clone of tencentyun/cos-go-sdk-v5
  --faceid-python <dir>  a clone of TencentCloud/tencentcloud-sdk-python-intl-en
  --faceid-go <dir>      a clone of TencentCloud/tencentcloud-sdk-go-intl-en
  --only <judge>  runs one judge: faceid, faceid-python, faceid-go, node, python or go
  --json          prints one line of JSON for each judge
  --help

FaceID's typed client of Node comes from npm and always judges. The log of a judge is in .bestframe/judges/<judge>/.
Exit code: 1 if a test in scope failed or a judge could not run, 0 otherwise.
`;

const clients = () => import('./faceid-clients.mjs');
const JUDGES = {
  faceid: { title: 'FaceID by tencentcloud-sdk-nodejs-intl-en', load: clients, run: 'judgeFaceIdByNode' },
  'faceid-python': { title: 'FaceID by tencentcloud-sdk-python-intl-en', load: clients, run: 'judgeFaceIdByPython' },
  'faceid-go': { title: 'FaceID by tencentcloud-sdk-go-intl-en', load: clients, run: 'judgeFaceIdByGo' },
  node: { title: 'cos-nodejs-sdk-v5', load: () => import('./node-suite.mjs'), run: 'judgeByNode' },
  python: { title: 'cos-python-sdk-v5', load: () => import('./python-suite.mjs'), run: 'judgeByPython' },
  go: { title: 'cos-go-sdk-v5', load: () => import('./go-suite.mjs'), run: 'judgeByGo' },
};

const options = Object.fromEntries(
  Object.keys(JUDGES)
    .slice(1)
    .map((name) => [name, { type: 'string' }]),
);
const { values } = parseArgs({
  options: { ...options, only: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (values.only !== undefined && JUDGES[values.only] === undefined) {
  process.stderr.write(`there is no judge ${values.only}: use one of ${Object.keys(JUDGES).join(', ')}\n`);
  process.exit(2);
}
await ensureDependencies();
await build();

let isGood = true;
for (const [name, judge] of Object.entries(JUDGES)) {
  if (values.only !== undefined && values.only !== name) continue;
  const verdict = await ask(name, judge);
  isGood &&= verdict.error === undefined && verdict.failed.length === 0;
  process.stdout.write(values.json ? `${JSON.stringify(verdict)}\n` : format(verdict));
}
process.exitCode = isGood ? 0 : 1;

async function ask(name, { title, load, run }) {
  const suite = values[name];
  if (suite === undefined && name !== 'faceid') return { judge: title, ...count([]), skipped: `no --${name} folder` };
  const home = join(root, '.bestframe', 'judges', name);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  try {
    const module = await load();
    const results = await module[run](suite === undefined ? undefined : resolve(suite), home);
    return { judge: title, ...count([...results, ...findStale(name, results)]) };
  } catch (error) {
    return { judge: title, ...count([]), error: String(error?.message ?? error) };
  }
}

/** Returns the names in left-out.mjs that no test of the suite has any more. */
function findStale(name, results) {
  const names = (leftOut[name] ?? []).flatMap(({ tests }) => tests);
  const isUsed = (start) => results.some((each) => each.outcome === 'left out' && each.name.startsWith(start));
  const message = 'left-out.mjs names it, but the suite has no such test';
  return names.filter((start) => !isUsed(start)).map((start) => ({ name: start, outcome: 'failed', message }));
}

function count(results) {
  const of = (outcome) => results.filter((each) => each.outcome === outcome);
  return {
    passed: of('passed').length,
    failed: of('failed').map(({ name, message }) => ({ name, message })),
    outOfScope: of('left out').length,
  };
}

function format({ judge, passed, failed, outOfScope, skipped, error }) {
  if (skipped !== undefined) return `${judge}: not run, ${skipped}\n`;
  if (error !== undefined) return `${judge}: could not run: ${error}\n`;
  const lines = failed.map(({ name, message }) => `  failed: ${name}: ${message}\n`);
  return `${judge}: ${passed} passed, ${failed.length} failed, ${outOfScope} out of scope\n${lines.join('')}`;
}
