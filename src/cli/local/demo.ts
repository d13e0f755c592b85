import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { EXIT } from '../../app/exit-codes.ts';
import { waitForSignal } from '../../app/wait-for-signal.ts';
import { Progress } from '../../dev/demo/progress.ts';
import { type DemoResult, formatResults, summarize, toJson } from '../../dev/demo/report.ts';
import { runCases } from '../../dev/demo/run-cases.ts';
import {
  type DemoCase,
  type OwnFiles,
  prepareOwnFiles,
  prepareScenarios,
  SCENARIOS,
} from '../../dev/demo/scenarios.ts';
import { type LocalWorld, startLocalWorld } from '../../dev/local-world.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { EmulatorControl } from '../../emulator/control.ts';
import type { Env } from '../env.ts';
import { parseCount } from '../parse-options.ts';
import { stateDir } from './state-dir.ts';

interface Options {
  liveData?: string;
  image?: string;
  verifications?: number;
  keep?: boolean;
  json?: string;
}

/** All cases are in one region, so that no worker of the demo serves another. */
const REGION = 'ap-singapore';

export function demoCommand(env: Env): Command {
  const defaultCount = `default: ${SCENARIOS.length}, each case once, with a session of each token flow; with your own files 2`;
  return new Command('demo')
    .option('--verifications <n>', `number of verifications and sessions (${defaultCount})`, parseCount(10_000))
    .option('--live-data <file>', 'your own liveness package, together with --image')
    .option('--image <file>', 'your own photo, together with --live-data')
    .option('--keep', 'keep everything running, with the dashboard, until Ctrl-C')
    .option('--json <file>', 'write the results to a JSON file')
    .addHelpText('after', '\nThe exit code is 0 if every one ends with the expected result.')
    .action((options: Options) => runDemo(env, options));
}

async function runDemo(env: Env, options: Options): Promise<void> {
  const ownFiles = ownFilesOf(options);
  const home = stateDir(env);
  const dir = join(home, `demo-${process.pid}`);
  const signalled = waitForSignal();
  await removeStaleFolders(home);
  let progress: Progress | null = null;
  // A signal during the start takes effect only after the start, so that everything that was started is also stopped.
  const world = await startDemoWorld(env, { home, dir, ownFiles }, (line) => progress?.readLogLine(line));
  try {
    const cases = await prepareCases(world, dir, ownFiles, options.verifications);
    progress = new Progress(cases.length);
    const results = await Promise.race([runCases(cases, world, progress), signalled.then(() => null)]);
    progress.stop();
    if (results === null) {
      process.exitCode = EXIT.failed;
      return;
    }
    await reportResults(results, world, options);
    if (options.keep) {
      const { url, user, password } = world.dashboard ?? {};
      process.stdout.write(`\nDashboard  ${pc.bold(url ?? '')}  (${user} / ${password})\nPress Ctrl-C to stop.\n`);
      await signalled;
    }
  } finally {
    progress?.stop();
    await world.stop();
    await Promise.all(
      ['redis', 'emulator', 'inputs'].map((part) => rm(join(dir, part), { recursive: true, force: true })),
    );
  }
}

function startDemoWorld(
  env: Env,
  { home, dir, ownFiles }: { readonly home: string; readonly dir: string; readonly ownFiles: OwnFiles | null },
  onWorkerLog: (line: string) => void,
): Promise<LocalWorld> {
  return startLocalWorld({
    dir,
    cacheDir: join(home, 'cache'),
    redisUrl: env.REDIS_URL,
    clearRedis: true,
    workers: 2,
    fileRoots: ownFiles === null ? [] : [dirname(ownFiles.liveData), dirname(ownFiles.image)],
    settings: {
      BESTFRAME_LOG_LEVEL: 'debug',
      BESTFRAME_PREFIX: `{bestframe-demo-${process.pid}}`,
      BESTFRAME_REGIONS: REGION,
    },
    onStep: (line) => process.stderr.write(`${pc.dim(line)}\n`),
    onWorkerLog,
  });
}

async function reportResults(results: readonly DemoResult[], world: LocalWorld, options: Options): Promise<void> {
  process.stdout.write(`\n${formatResults(results)}\n`);
  for (const { id, case: demoCase, problems } of results) {
    for (const problem of problems) process.stdout.write(`${pc.red('✗')} ${id} (${demoCase.name}): ${problem}\n`);
  }
  const { enqueued, completed, failed, lost, asExpected } = summarize(results);
  const isGood = asExpected === enqueued;
  const counts = `${enqueued} enqueued, ${completed} completed, ${failed} failed, ${lost} lost; ${asExpected} as expected`;
  process.stdout.write(`${isGood ? pc.green('✓') : pc.red('✗')} ${counts}\n`);
  const frames = results.filter(({ view }) => view?.bestFrame != null).length;
  process.stdout.write(`  ${frames} frames in ${relative(process.cwd(), world.framesDir)}, each with a verified MD5\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(toJson(results), null, 2)}\n`);
  if (!isGood) process.exitCode = EXIT.failed;
}

function ownFilesOf({ liveData, image }: Options): OwnFiles | null {
  if (liveData === undefined && image === undefined) return null;
  const missing = liveData === undefined ? 'live-data' : 'image';
  if (liveData === undefined || image === undefined) {
    throw inputFailure('INVALID_VERIFICATION', missing, `--${missing} is missing: give both --live-data and --image`);
  }
  return { liveData: resolve(liveData), image: resolve(image) };
}

async function prepareCases(
  { emulator }: LocalWorld,
  dir: string,
  ownFiles: OwnFiles | null,
  count: number | undefined,
): Promise<DemoCase[]> {
  const bucket = emulator.buckets.find(({ region }) => region === REGION);
  if (bucket === undefined) throw new Error(`the emulator has no bucket in ${REGION}`);
  const stores = { control: new EmulatorControl(emulator.controlUrl), inputsDir: join(dir, 'inputs'), bucket };
  return ownFiles === null
    ? prepareScenarios(count ?? SCENARIOS.length, stores)
    : prepareOwnFiles(count ?? 2, ownFiles, stores);
}

/** Removes the folders of earlier demos: their frames are kept only until the next demo. */
async function removeStaleFolders(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  for (const name of await readdir(home)) {
    const pid = Number(/^demo-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isInteger(pid) && !isRunning(pid)) await rm(join(home, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
