/**
 * `npm run bench:peers`: how many verifications of four steps that do nothing (upload, md5, detect, download) Bestframe, graphile-worker,
 * DBOS and Restate record per second, on this machine and this version of Node. Each is given some verifications at once and works on 50 at a
 * time; the time is measured from the first request to the last step. They take turns, and each has its own server with that server's
 * defaults. Redis flushes every second, as docs/redis.md says; PostgreSQL and Restate flush before they answer. So Bestframe is also
 * measured with a Redis that flushes each write.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../../src/dev/free-port.ts';
import { startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { type BenchEnvironment, loadBuild } from '../environment.ts';
import { spreadOf, type Value } from '../figure.ts';
import { NOOP_RUN, openNoopDeployment, startNoopWorker } from '../noop-deployment.ts';
import { type Program, startProgramFile } from '../program.ts';
import { shareOfCore } from '../quiet.ts';
import { type ReportedFigure, tableOf } from '../report.ts';
import { startPostgres } from './postgres.ts';
import { startRestate } from './restate.ts';

const USAGE = `npm run bench:peers -- [options]

  --quick       one short sample, about a minute
  --rounds N    number of samples. Default 5
  --count N     verifications of a sample. Default 2000, or 500 with --quick
  --json FILE   write the results to a file
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    count: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** Verifications per second. */
type Run = (count: number) => Promise<number>;
interface Contender {
  readonly name: string;
  readonly goal?: Value['goal'];
  readonly run: Run;
}

const OWN = 'Bestframe';
const cleanups: (() => Promise<unknown>)[] = [];

if (values.help) process.stdout.write(USAGE);
else await bench();

async function bench(): Promise<void> {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const count = Number(values.count ?? (values.quick ? 500 : 2_000));
  const home = join(process.cwd(), '.bestframe');
  const dir = await mkdtemp(join(home, 'peers-'));
  try {
    const contenders = [...(await startBestframe(dir, home)), ...(await startPeers(dir, home))];
    for (const { run } of contenders) await run(count); // compiles the code
    const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
    let quiet = 1;
    for (let round = 0; round < rounds; round += 1) {
      log(`sample ${round + 1} of ${rounds}`);
      for (const { name, run } of round % 2 === 0 ? contenders : [...contenders].reverse()) {
        quiet = Math.min(quiet, shareOfCore());
        samples.get(name)?.push(await run(count));
      }
    }
    const report = reportOf(contenders, samples, quiet);
    process.stdout.write(tableOf(report));
    process.stdout.write(`\nNode ${process.version}, ${count} verifications in a sample\n`);
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Compares the samples of one round with each other. */
function reportOf(
  contenders: readonly Contender[],
  samples: ReadonlyMap<string, readonly number[]>,
  quiet: number,
): ReportedFigure {
  const own = samples.get(OWN) ?? [];
  const rates = contenders.map(({ name }) => ({
    ...{ name, unit: '/s' as const },
    ...spreadOf(samples.get(name) ?? []),
  }));
  const ratios = contenders.flatMap(({ name, goal }) => {
    const theirs = samples.get(name) ?? [];
    if (goal === undefined) return [];
    const spread = spreadOf(theirs.map((rate, round) => (own[round] ?? Number.NaN) / rate));
    return [{ name: `${OWN} ÷ ${name}`, unit: '×' as const, goal, ...spread }];
  });
  const about = `verifications of four steps that do nothing, ${NOOP_RUN.slots} at a time`;
  return { name: 'peers', about, quiet, values: [...ratios, ...rates] };
}

async function startBestframe(dir: string, home: string): Promise<Contender[]> {
  const build = await loadBuild('this', join(process.cwd(), 'dist'));
  const cacheDir = join(home, 'cache');
  const binary = await findRedis({ cacheDir, log });
  const contender = async (name: string, appendfsync: string): Promise<Contender> => {
    const args = ['--appendfsync', appendfsync];
    const redis = await startPrivateRedis({ binary, dir: join(dir, appendfsync), appendonly: true, args });
    cleanups.push(() => redis.stop());
    const environment: BenchEnvironment = { dir, cacheDir, redisUrl: redis.url, build, isQuick: false, queued: 0 };
    const worker = await startNoopWorker(environment);
    cleanups.push(() => worker.stop());
    return {
      name,
      run: async (count) => {
        const deployment = await openNoopDeployment(environment, 'peers');
        const startedAt = Date.now();
        const work = worker.request({ prefix: deployment.prefix, ...NOOP_RUN, skip: 1, count: count - 1 });
        await deployment.enqueue(count);
        const { endedAt } = await work;
        await deployment.close();
        return (1_000 * count) / (endedAt - startedAt);
      },
    };
  };
  return [await contender(OWN, 'everysec'), await contender(`${OWN}, Redis flushes each write`, 'always')];
}

async function startPeers(dir: string, home: string): Promise<Contender[]> {
  const tools = join(home, 'peers', 'tools');
  const postgres = await startPostgres(dir, join(home, 'cache'), log);
  cleanups.push(() => postgres.stop());
  const restate = await startRestate(dir, tools);
  cleanups.push(() => restate.stop());
  log(`PostgreSQL ${postgres.version}`);
  const shared = { TOOLS: tools, CONCURRENCY: String(NOOP_RUN.slots) };
  const port = String(await freePort());
  const server = { INGRESS: restate.ingress, ADMIN: restate.admin, PORT: port, RESTATE_LOGGING: 'ERROR' };
  return [
    await peer('graphile-worker', 8, 'graphile', { ...shared, POSTGRES_URL: `${postgres.url}/postgres` }),
    await peer('DBOS', 8, 'dbos', { ...shared, POSTGRES_URL: `${postgres.url}/dbos` }),
    await peer('Restate', 6, 'restate', { ...shared, ...server }),
  ];
}

async function peer(name: string, atLeast: number, file: string, env: Record<string, string>): Promise<Contender> {
  const path = join(process.cwd(), 'bench', 'peers', `${file}.mjs`);
  const program: Program<string, number, number> = await startProgramFile(path, env);
  cleanups.push(() => program.stop());
  return { name, goal: { atLeast }, run: (count) => program.request(count) };
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
