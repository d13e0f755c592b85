/**
 * Installs the packed tarballs in fresh folders, as users do, and runs them against `bestframe dev`: as an ES module, as
 * CommonJS from TypeScript, in Jest, and bundled into one file. publint and attw read the packages themselves.
 * Needs the npm registry. The last line is `N passed, N failed`.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { apiReport } from '../../scripts/api-report.mjs';
import { root } from '../../scripts/child-process.mjs';
import { ensureDependencies } from '../../scripts/ensure-dependencies.mjs';
import { pack } from '../../scripts/pack.mjs';

const run = promisify(execFile);
const MINUTE = 60_000;
const CONSUMERS = join(root, 'test', 'packages', 'consumers');
/** Defines `require`, which a bundle of CommonJS packages needs if it runs as an ES module. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
/** Renewed by `node scripts/api-report.mjs --update`. */
const API_REPORT = join(root, 'test', 'packages', 'api-report.txt');
const MOST_CLIENT_KIB = 26 * 1024;

await ensureDependencies();
const tarballs = await pack();
const home = mkdtempSync(join(tmpdir(), 'bestframe packages '));
const results = [];
check('the TypeScript API is the reported one', apiReport() === readFileSync(API_REPORT, 'utf8'));
const dev = await startDev();
try {
  for (const tarball of tarballs) await checkPackage(tarball);
} finally {
  dev.child.kill('SIGTERM');
  await dev.ended;
  rmSync(home, { recursive: true, force: true });
}
const failed = results.filter((passed) => !passed).length;
process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

function check(title, passed) {
  results.push(passed);
  process.stdout.write(`${passed ? 'ok     ' : 'failed '} ${title}\n`);
}

async function checkPackage(tarball) {
  const name = basename(tarball).replace(/-\d.*$/, '');
  const at = async (title, step) => {
    try {
      await step();
      results.push(true);
      process.stdout.write(`ok      ${name}: ${title}\n`);
    } catch (error) {
      results.push(false);
      process.stdout.write(`failed  ${name}: ${title}\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}\n`);
    }
  };
  await at('publint', () => npx(home, 'publint@0.3', [tarball, '--strict']));
  await at('attw', () => npx(home, '@arethetypeswrong/cli@0.18', [tarball, '--profile', 'node16']));
  await at('ES module', () => esModule(name, tarball));
  await at('TypeScript as CommonJS', () => commonJs(name, tarball));
  await at('Jest', () => jest(name, tarball));
  await at('bundled by esbuild', () => bundled(name, tarball));
  if (name === 'bestframe-client') await at('26 MiB at most, http without packages', () => light(tarball));
  if (name === 'bestframe') await at('command line', () => commandLine(tarball));
}

async function esModule(name, tarball) {
  const folder = await install(name, 'esm', [tarball]);
  const file = copyConsumer(name, 'esm.mjs', folder);
  expectAccepts(await node(folder, [file]));
}

async function commonJs(name, tarball) {
  const folder = await install(name, 'cjs', [tarball, 'typescript@5.9', '@types/node@20']);
  copyConsumer(name, 'commonjs.ts', folder);
  const options = { module: 'node16', target: 'es2022', strict: true, skipLibCheck: false, types: ['node'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['commonjs.ts'] }));
  await run(join(folder, 'node_modules', '.bin', 'tsc'), ['-p', folder], { timeout: 2 * MINUTE });
  expectAccepts(await node(folder, ['commonjs.js']));
}

async function jest(name, tarball) {
  const folder = await install(name, 'jest', [tarball, 'jest@30']);
  copyConsumer(name, 'jest.test.js', folder);
  const options = { cwd: folder, env: environment(folder), timeout: 2 * MINUTE };
  await run(join(folder, 'node_modules', '.bin', 'jest'), ['--testTimeout', String(MINUTE)], options);
}

async function bundled(name, tarball) {
  const folder = await install(name, 'bundle', [tarball, 'esbuild@0.28']);
  const file = copyConsumer(name, 'esm.mjs', folder);
  const out = join(folder, 'out');
  const esbuild = join(folder, 'node_modules', '.bin', 'esbuild');
  const flags = ['--bundle', '--platform=node', '--format=esm', `--banner:js=${BANNER}`, `--outfile=${out}/main.mjs`];
  await run(esbuild, [file, ...flags], { cwd: folder, timeout: 2 * MINUTE });
  rmSync(join(folder, 'node_modules'), { recursive: true });
  expectAccepts(await node(folder, [join(out, 'main.mjs')]));
}

async function light(tarball) {
  const folder = await install('bestframe-client', 'light', [tarball]);
  const { stdout } = await run('du', ['-sk', join(folder, 'node_modules')]);
  const kib = Number(stdout.split(/\s/)[0]);
  if (kib > MOST_CLIENT_KIB) throw new Error(`an install takes ${kib} KiB, more than ${MOST_CLIENT_KIB}`);
  for (const each of ['bullmq', 'ioredis', 'zod']) rmSync(join(folder, 'node_modules', each), { recursive: true });
  const { stdout: printed } = await node(folder, ['-p', "typeof require('bestframe-client/http').BestframeHttpClient"]);
  if (printed.trim() !== 'function') throw new Error(printed);
}

async function commandLine(tarball) {
  const folder = await install('bestframe', 'cli', [tarball]);
  await run(join(folder, 'node_modules', '.bin', 'bestframe'), ['--help'], { cwd: folder, timeout: MINUTE });
}

async function install(name, kind, packages) {
  const folder = join(home, name, kind);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
    cwd: folder,
    timeout: 5 * MINUTE,
  });
  return folder;
}

/** Copies a consumer program into the folder, and writes the package's name into it. */
function copyConsumer(name, file, folder) {
  const target = join(folder, file);
  cpSync(join(CONSUMERS, file), target);
  writeFileSync(target, readFileSync(target, 'utf8').replaceAll('PACKAGE', name));
  return target;
}

function expectAccepts({ stdout }) {
  if (stdout.trim() !== 'accept accept') throw new Error(`expected "accept accept", got "${stdout.trim()}"`);
}

function node(folder, args) {
  return run(process.execPath, args, { cwd: folder, env: environment(folder), timeout: 2 * MINUTE });
}

function npx(folder, tool, args) {
  return run('npx', ['--yes', tool, ...args], { cwd: folder, timeout: 5 * MINUTE });
}

function environment(folder) {
  return { ...process.env, ...dev.env, RUN: folder.split('/').slice(-2).join('-') };
}

/** Starts `bestframe dev`, and writes two sample files below one of its file roots. */
async function startDev() {
  const child = spawn(process.execPath, [join(root, 'dist', 'src', 'cli', 'main.js'), 'dev', '--json'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const lines = createInterface({ input: child.stdout });
  const world = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
  const { sampleImage, sampleLiveData } = await import(join(root, 'dist', 'src', 'emulator', 'samples.js'));
  const [inputs] = world.env.BESTFRAME_FILE_ROOTS.split(',');
  const [LIVE, PHOTO] = [join(inputs, 'live.gz'), join(inputs, 'photo.jpg')];
  writeFileSync(LIVE, sampleLiveData({ card: 'match' }));
  writeFileSync(PHOTO, sampleImage());
  const {
    BESTFRAME_REDIS_URL: REDIS,
    BESTFRAME_PREFIX: PREFIX = '{bestframe}',
    BESTFRAME_NAMESPACE: NAMESPACE,
  } = world.env;
  return { child, ended, env: { REDIS, PREFIX, NAMESPACE, API: world.api, KEY: world.key, LIVE, PHOTO } };
}
