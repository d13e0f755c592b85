/**
 * Runs the tests in the folder `costesting` of `cos-go-sdk-v5`. They need a real service; here they run against the emulator.
 * Uses Go from PATH, or else from Debian's packages.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installGo } from './go.mjs';
import { leftOut } from './left-out.mjs';
import { APP_ID, openWorld, REGION } from './world.mjs';

const LONGEST_MS = 30 * 60_000;
const BUCKET = `judge-${APP_ID}`;
const SUITE = 'TestCosTestSuite';

/** @param suite the repository's folder. @param home an empty folder to work in. */
export async function judgeByGo(suite, home) {
  const { go, libraries } = await installGo();
  const folder = join(home, 'suite');
  cpSync(suite, folder, { recursive: true, filter: (path) => !/\/\.git$/.test(path) });
  for (const [name, library] of Object.entries(libraries)) {
    const vendored = join(folder, 'vendor', name);
    if (!existsSync(vendored)) cpSync(library, vendored, { recursive: true });
  }
  mkdirSync(join(home, 'emulator'));
  const tests = configure(join(folder, 'costesting', 'ci_test.go'));
  const world = await openWorld(join(home, 'emulator'));
  try {
    return await run(folder, tests, { ...world, go });
  } finally {
    await world.close();
  }
}

/** Sets the suite's constants for account and buckets, as a comment in the suite asks. @returns the names of its tests. */
function configure(file) {
  const constants = { kAppid: APP_ID, kBucket: `"${BUCKET}"`, kRegion: `"${REGION}"` };
  let text = readFileSync(file, 'utf8');
  for (const [name, value] of Object.entries(constants)) {
    const configured = text.replace(new RegExp(`^(\\t${name}\\s*= ).*$`, 'm'), `$1${value}`);
    if (!new RegExp(`^\\t${name}\\s*= `, 'm').test(text)) throw new Error(`the suite has no constant ${name} any more`);
    text = configured;
  }
  // This line no longer compiles with the suite's own SDK. Its test does not run, but the file must compile.
  text = text.replace('cos.ErrorDocument{"', 'cos.ErrorDocument{Key: "');
  writeFileSync(file, text);
  return [...text.matchAll(/^func \(s \*CosTestSuite\) (Test\w+)/gm)].map(([, name]) => name);
}

async function run(folder, tests, { go, secretId, secretKey, env }) {
  const isLeftOut = (name) => leftOut.go.some((each) => each.tests.includes(name));
  const chosen = tests.filter((name) => !isLeftOut(name));
  const cache = join(folder, '..', '..', '..', 'judges-packages', 'go-cache');
  const args = ['test', '-json', '-mod=vendor', './costesting', '-run', SUITE, '-testify.m', `^(${chosen.join('|')})$`];
  const child = spawn(go, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', openSync(join(folder, '..', 'errors.log'), 'w')],
    timeout: LONGEST_MS,
    env: { ...env, GOCACHE: cache, GOFLAGS: '', GOPROXY: 'off', COS_SECRETID: secretId, COS_SECRETKEY: secretKey },
  });
  const results = await readResults(child);
  const missing = chosen.filter((name) => !results.some((each) => each.name === name));
  if (missing.length === chosen.length) throw new Error('no test ran: see errors.log');
  return [
    ...results,
    ...missing.map((name) => ({ name, outcome: 'failed', message: 'did not end' })),
    ...tests.filter(isLeftOut).map((name) => ({ name, outcome: 'left out' })),
  ];
}

/** Reads `go test -json`: the message of a failed test is the output of that test. */
function readResults(child) {
  const printed = new Map();
  const results = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const { Action, Test = '', Output = '' } = JSON.parse(line);
    const name = Test.split('/')[1];
    if (name === undefined) return;
    if (Action === 'output') printed.set(name, (printed.get(name) ?? '') + Output);
    const message = () => /Error:\s+([\s\S]*?)\n\s+(?:Test|Messages):/.exec(printed.get(name) ?? '')?.[1];
    if (Action === 'pass') results.push({ name, outcome: 'passed' });
    if (Action === 'fail') results.push({ name, outcome: 'failed', message: message()?.replace(/\s+/g, ' ') });
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(results));
  });
}
