/**
 * `npm run bench`: answers each question about speed with numbers. Each figure is a file in `figures/` and is sampled several times;
 * with `--against`, samples of the two builds alternate. The exit code is 1 if a figure could not be measured.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPrivateRedis } from '../src/dev/local-redis.ts';
import { findRedis } from '../src/dev/redis-binary.ts';
import { chartOf } from './chart.ts';
import { type Build, loadBuild } from './environment.ts';
import { type Figure, spreadOf } from './figure.ts';
import { answers } from './figures/answer.ts';
import { bytes } from './figures/bytes.ts';
import { capacity } from './figures/capacity.ts';
import { depth } from './figures/depth.ts';
import { enqueue } from './figures/enqueue.ts';
import { fleet } from './figures/fleet.ts';
import { httpApi } from './figures/http-api.ts';
import { loop } from './figures/loop.ts';
import { machinery } from './figures/machinery.ts';
import { naive } from './figures/naive.ts';
import { rate } from './figures/rate.ts';
import { site } from './figures/site.ts';
import { slots } from './figures/slots.ts';
import { start } from './figures/start.ts';
import { shareOfCore } from './quiet.ts';
import { type ReportedFigure, tableOf } from './report.ts';

const USUAL: readonly Figure[] = [
  ...[...answers, enqueue, slots, httpApi, rate, start, site],
  ...[machinery, loop, naive, bytes, depth],
];
/** Only by name: they answer how many machines a load needs, and take long. */
const CAPACITY: readonly Figure[] = [capacity, fleet];
const FIGURES = [...USUAL, ...CAPACITY];

const USAGE = `npm run bench -- [options]

  --only FIGURE    measure only this figure; may be given several times
  --quick          one short sample of each figure, a few minutes in all
  --rounds N       number of samples of each figure. Default 3
  --seconds N      how long a sample takes. Default: as the figure needs
  --queued N       how many verifications the figure depth queues. Default 50000, or 10000 with --quick
  --against DIST   compare with an older build: the folder dist of its checkout
  --json FILE      write the results to a file
  --chart FILE     draw the values that have a goal, as SVG

Figures:
${listOf(USUAL)}

Only with --only, for docs/operations/capacity.md:
${listOf(CAPACITY)}
`;

function listOf(figures: readonly Figure[]): string {
  return figures.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n');
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    queued: { type: 'string' },
    against: { type: 'string' },
    json: { type: 'string' },
    chart: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else process.exit(await bench()); // a figure that failed may have left servers open, which would keep the process

async function bench(): Promise<number> {
  const chosen = choose(values.only);
  const rounds = numberOf('rounds', values.rounds) ?? (values.quick ? 1 : 3);
  const seconds = numberOf('seconds', values.seconds);
  const queued = numberOf('queued', values.queued, 1_000_000) ?? (values.quick ? 10_000 : 50_000);
  const builds = [await loadBuild('this', join(process.cwd(), 'dist'))];
  if (values.against !== undefined) builds.push(await loadBuild('before', values.against));
  const home = join(process.cwd(), '.bestframe');
  const dir = await mkdtemp(join(home, 'bench-'));
  const cacheDir = join(home, 'cache');
  // The settings follow docs/redis.md and not the demo: in the demo, Redis flushes after each command, so the benchmark would
  // measure the disk.
  const redis = await startPrivateRedis({
    binary: await findRedis({ cacheDir, log }),
    dir: join(dir, 'redis'),
    appendonly: true,
    args: ['--appendfsync', 'everysec'],
  });
  const shared = { dir, cacheDir, redisUrl: redis.url, isQuick: values.quick, queued };
  const reports: ReportedFigure[] = [];
  const failed: string[] = [];
  try {
    for (const figure of chosen) {
      const { usual, quick } = figure.seconds;
      const took = seconds ?? (values.quick ? quick : usual);
      try {
        const report = await sample(figure, { builds, rounds, seconds: took, ...shared });
        reports.push(report);
        process.stdout.write(tableOf(report));
      } catch (error) {
        failed.push(figure.name);
        log(`${figure.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const machine = { cores: availableParallelism(), node: process.version, redis: redis.version };
    process.stdout.write(`\n${machine.cores} cores, Node ${machine.node}, Redis ${machine.redis}\n`);
    const report = { date: new Date().toISOString(), rounds, machine, figures: reports, failed };
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    const drawn = reports.flatMap(({ name, values: all }) => all.map((value) => ({ ...value, figure: name })));
    if (values.chart !== undefined) await writeFile(values.chart, chartOf(drawn));
    return failed.length > 0 ? 1 : 0;
  } finally {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

interface Sampling {
  readonly builds: readonly Build[];
  readonly rounds: number;
  readonly seconds: number;
  readonly dir: string;
  readonly cacheDir: string;
  readonly redisUrl: string;
  readonly isQuick: boolean;
  readonly queued: number;
}

/** Takes the samples. Those of two builds alternate, and so does their order. */
async function sample(figure: Figure, { builds, rounds, seconds, ...shared }: Sampling): Promise<ReportedFigure> {
  const samples = new Map<string, Readonly<Record<string, number>>[]>(builds.map(({ name }) => [name, []]));
  let quiet = 1;
  for (let round = 0; round < rounds; round += 1) {
    for (const build of round % 2 === 0 ? builds : [...builds].reverse()) {
      log(`${figure.name}, sample ${round + 1} of ${rounds}${builds.length > 1 ? `, ${build.name}` : ''}`);
      const dir = await mkdtemp(join(shared.dir, `${figure.name}-`));
      quiet = Math.min(quiet, shareOfCore());
      samples.get(build.name)?.push(await figure.measure({ ...shared, dir, build }, seconds));
    }
  }
  const spread = (build: string, name: string) =>
    spreadOf((samples.get(build) ?? []).map((each) => each[name] ?? Number.NaN));
  const { name, about } = figure;
  const compared = figure.values.map((value) => ({
    ...value,
    ...spread('this', value.name),
    ...(builds.length > 1 ? { before: spread('before', value.name) } : {}),
  }));
  return { name, about, quiet, values: compared };
}

function choose(names: readonly string[] | undefined): readonly Figure[] {
  if (names === undefined) return USUAL;
  return names.map((name) => {
    const figure = FIGURES.find((each) => each.name === name);
    if (figure === undefined)
      throw new Error(`--only ${name} is not known: write ${FIGURES.map((each) => each.name).join(', ')}`);
    return figure;
  });
}

function numberOf(option: string, text: string | undefined, most = 3_600): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  throw new Error(`--${option} ${text} is out of range: write a number above 0, up to ${most}`);
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
