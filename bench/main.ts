/** `npm run bench`: overhead and HTTP API, as a table and as JSON; exit code 1 where a request was not answered as it should. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../src/cli/output.ts';
import { findRedis, startPrivateRedis } from '../src/world/redis.ts';
import { httpApi, type Row } from './http.ts';
import { type Overhead, overhead } from './overhead.ts';

const USAGE = `npm run bench -- [options]

  --only PART    overhead or http. Default: both
  --seconds N    how long each row of the tables is measured. Default 30
  --json FILE    writes what was measured to a file
`;

/** As Tencent takes for one, about; and what is left where it takes none. */
const DETECT_MS = [1_000, 0];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '30' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else process.exitCode = await bench(secondsOf(values.seconds), partOf(values.only), values.json);

async function bench(seconds: number, only: string | undefined, json: string | undefined): Promise<number> {
  const home = join(process.cwd(), '.bestframe');
  const dir = await mkdtemp(join(home, 'bench-'));
  const cacheDir = join(home, 'cache');
  // As docs/redis.md has it, and not as the demo: nobody's disk is waited for with each command.
  const redis = await startPrivateRedis({
    binary: await findRedis({ cacheDir, log: say }),
    dir: join(dir, 'redis'),
    appendonly: true,
    args: ['--appendfsync', 'everysec'],
  });
  try {
    const ground = { dir, cacheDir, redisUrl: redis.url, workersDir: join(process.cwd(), 'dist', 'workers/') };
    const machine = { cores: availableParallelism(), node: process.version, redis: redis.version };
    const pairs: Overhead[] = [];
    for (const detectMs of only === 'http' ? [] : DETECT_MS) {
      say(`overhead, FaceID takes ${detectMs} ms`);
      pairs.push(await overhead(detectMs, seconds, ground));
    }
    const rows = only === 'overhead' ? [] : await httpApi(seconds, ground, say);
    const { cores, node } = machine;
    process.stdout.write(`\n${cores} cores, Node ${node}, Redis ${redis.version}, ${seconds} s each\n`);
    if (pairs.length > 0) process.stdout.write(overheadTable(pairs));
    if (rows.length > 0) process.stdout.write(httpTable(rows));
    const report = { date: new Date().toISOString(), seconds, machine, overhead: pairs, http: rows };
    if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
    return rows.some(({ errors, answered }) => errors > 0 || answered === 0) ? 1 : 0;
  } finally {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function overheadTable(results: readonly Overhead[]): string {
  const head = ['FaceID takes', 'pairs', 'until', 'product', 'by hand', 'ratio'];
  const rows = results.flatMap(({ detectMs, pairs, product, byHand, ratio }) => [
    [`${detectMs} ms`, String(pairs), 'answer', ms(product.answerMs), ms(byHand.answerMs), times(ratio.answer)],
    ['', '', 'frame', ms(product.frameMs), ms(byHand.frameMs), times(ratio.frame)],
  ]);
  const stages = results.map(
    ({ detectMs, stages }) =>
      `stages at ${detectMs} ms: ${Object.entries(stages)
        .map(([name, took]) => `${name} ${ms(took)}`)
        .join(', ')}\n`,
  );
  return `\n${table(head, rows)}${stages.join('')}`;
}

function httpTable(results: readonly Row[]): string {
  const head = [
    '200 connections',
    'a second',
    'ratio',
    'p50',
    'p99',
    'CPU each',
    'answered',
    'errors',
    'RSS early',
    'RSS end',
  ];
  const rows = results.map(({ what, perSecond, ratio, p50Ms, p99Ms, cpuMs, answered, errors, rssMb }) => [
    what,
    String(Math.round(perSecond)),
    ratio === null ? '–' : times(ratio),
    ms(p50Ms),
    ms(p99Ms),
    cpuMs === null ? '–' : `${cpuMs.toFixed(2)} ms`,
    String(answered),
    String(errors),
    mb(rssMb.early),
    mb(rssMb.end),
  ]);
  return `\n${table(head, rows)}`;
}

function ms(value: number): string {
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

function times(value: number): string {
  return value.toFixed(2);
}

function mb(value: number | null): string {
  return value === null ? '–' : `${value} MB`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function secondsOf(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600)) throw new Error(`--seconds is not a number from 0 to 3600: ${text}`);
  return value;
}

function partOf(text: string | undefined): string | undefined {
  if (text === undefined || text === 'overhead' || text === 'http') return text;
  throw new Error(`--only is neither overhead nor http: ${text}`);
}
