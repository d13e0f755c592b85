import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { Progress } from '../demo/progress.ts';
import { asJson, asTable, judge, type Result, summary } from '../demo/report.ts';
import { ownFiles, type PreparedCase, prepare, SCENARIOS } from '../demo/scenarios.ts';
import { inputFailure } from '../domain/failure.ts';
import { isTerminal } from '../domain/states.ts';
import { EmulatorControl } from '../emulator/control.ts';
import { openClient } from '../open-client.ts';
import { EXIT, untilSignal } from '../process.ts';
import { startWorld, type World } from '../world/world.ts';
import type { Env } from './output.ts';
import { packageRoot } from './version.ts';

interface Options {
  liveData?: string;
  image?: string;
  verifications?: number;
  keep?: boolean;
  json?: string;
}

const END_MS = 5 * 60_000;
const STATE_DIR = join(packageRoot, '.bestframe');

export function demoCommand(env: Env): Command {
  return new Command('demo')
    .option('--verifications <n>', `how many (default ${SCENARIOS.length}, each case once; of own files 2)`, count)
    .option('--live-data <file>', 'your own liveness package, with --image')
    .option('--image <file>', 'your own photo, with --live-data')
    .option('--keep', 'leave it running, with the dashboard, until Ctrl-C')
    .option('--json <file>', 'write what happened as JSON')
    .action(async (options: Options) => {
      const own = ownOf(options);
      const dir = join(STATE_DIR, `demo-${process.pid}`);
      const signalled = untilSignal();
      await clearStale();
      let progress: Progress | null = null;
      const starting = startWorld({
        dir,
        cacheDir: join(STATE_DIR, 'cache'),
        redisUrl: env.REDIS_URL,
        clearRedis: true,
        workers: 2,
        fileRoots: own === null ? [] : [dirname(own.liveData), dirname(own.image)],
        settings: {
          BESTFRAME_LOG_LEVEL: 'debug',
          BESTFRAME_NAMESPACE: `demo-${process.pid}`,
          BESTFRAME_PREFIX: `{bestframe-demo-${process.pid}}`,
        },
        onStep: (line) => process.stderr.write(`${pc.dim(line)}\n`),
        onWorkerLog: (line) => progress?.line(line),
      });
      // A signal during the start lets the start finish, and then ends what was started: nothing is left half open.
      const world = await starting;
      try {
        const cases = await casesOf(own, options.verifications, world, dir);
        const shown = new Progress(cases.length);
        progress = shown;
        const results = await Promise.race([carry(cases, world, shown), signalled.then(() => null)]);
        shown.stop();
        if (results === null) {
          process.exitCode = EXIT.failed;
          return;
        }
        await report(results, world, options);
        if (options.keep) {
          process.stdout.write(
            `\nDashboard  ${pc.bold(world.dashboard?.url ?? '')}  (${world.dashboard?.user} / ${world.dashboard?.password})\nCtrl-C ends it.\n`,
          );
          await signalled;
        }
      } finally {
        progress?.stop();
        await world.stop();
        await Promise.all(
          ['redis', 'emulator', 'inputs'].map((part) => rm(join(dir, part), { recursive: true, force: true })),
        );
      }
    });
}

async function carry(cases: readonly PreparedCase[], world: World, progress: Progress): Promise<Result[]> {
  const client = openClient(world.config);
  try {
    const enqueued = await client.enqueueMany(cases.map(({ request }) => request));
    return await Promise.all(
      cases.map(async (prepared, index) => {
        const accepted = enqueued[index];
        if (accepted === undefined || accepted.status === 'refused') {
          const why =
            accepted?.status === 'refused' ? `${accepted.error.code}: ${accepted.error.message}` : 'no result';
          return { case: prepared, id: '', view: null, problems: [`refused: ${why}`] };
        }
        const view = await client.wait(accepted.id, { until: 'ended', timeoutMs: END_MS });
        if (view !== null && isTerminal(view.state)) progress.ended(view);
        return judge(prepared, accepted.id, view);
      }),
    );
  } finally {
    await client.close();
  }
}

async function report(results: readonly Result[], world: World, options: Options): Promise<void> {
  process.stdout.write(`\n${asTable(results)}\n`);
  for (const {
    id,
    case: { name },
    problems,
  } of results) {
    for (const problem of problems) process.stdout.write(`${pc.red('✗')} ${id} (${name}): ${problem}\n`);
  }
  const { enqueued, completed, failed, lost, asExpected } = summary(results);
  const good = asExpected === enqueued;
  const frames = results.filter(({ view }) => view?.bestFrame != null).length;
  const counts = `${enqueued} enqueued, ${completed} completed, ${failed} failed, ${lost} lost; ${asExpected} as their input calls for`;
  process.stdout.write(`${good ? pc.green('✓') : pc.red('✗')} ${counts}\n`);
  process.stdout.write(`  ${frames} frames in ${relative(process.cwd(), world.framesDir)}, each MD5 checked\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(asJson(results), null, 2)}\n`);
  if (!good) process.exitCode = EXIT.failed;
}

type Own = { readonly liveData: string; readonly image: string };

function ownOf({ liveData, image }: Options): Own | null {
  if (liveData === undefined && image === undefined) return null;
  const missing = liveData === undefined ? 'live-data' : 'image';
  if (liveData === undefined || image === undefined) {
    throw inputFailure('INVALID_VERIFICATION', missing, `--${missing} is missing: give both --live-data and --image`);
  }
  return { liveData: resolve(liveData), image: resolve(image) };
}

async function casesOf(
  own: Own | null,
  wanted: number | undefined,
  world: World,
  dir: string,
): Promise<PreparedCase[]> {
  const [bucket] = world.emulator.buckets;
  if (bucket === undefined) throw new Error('the emulator has no bucket');
  const ground = { control: new EmulatorControl(world.emulator.controlUrl), inputsDir: join(dir, 'inputs'), bucket };
  return own === null
    ? prepare(wanted ?? SCENARIOS.length, ground)
    : ownFiles(wanted ?? 2, own.liveData, own.image, ground);
}

/** Folders of demos that have ended: their frames are kept only until the next one. */
async function clearStale(): Promise<void> {
  await mkdir(STATE_DIR, { recursive: true });
  for (const name of await readdir(STATE_DIR)) {
    const pid = Number(/^demo-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isInteger(pid) && !runs(pid)) await rm(join(STATE_DIR, name), { recursive: true, force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError('give a number from 1 to 10,000');
}
