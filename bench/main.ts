/**
 * `npm run bench`: measures the overhead, the HTTP API, the use of the rate and the capacity. The exit code is 1 if a request failed or
 * none was answered.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/app/terminal-format.ts';
import { startPrivateRedis } from '../src/dev/local-redis.ts';
import { findRedis } from '../src/dev/redis-binary.ts';
import { type Capacity, type CapacityRow, measureCapacity } from './capacity.ts';
import { measureHttpApi, type RouteResult } from './http-api.ts';
import { measureOverhead, type Overhead } from './overhead.ts';
import { measureRateUse, type RateUse } from './rate.ts';

const USAGE = `npm run bench -- [options]

  --only PART    overhead, http, rate or capacity. Default: all
  --seconds N    how long to measure each row of the tables. Default 30
  --json FILE    write the results to a file
`;

/** How long the emulator's FaceID takes to answer. Tencent takes roughly 1 s; with 0, only the overhead is measured. */
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
else
  process.exitCode = await bench({
    seconds: parseSeconds(values.seconds),
    only: parsePart(values.only),
    json: values.json,
  });

interface Options {
  readonly seconds: number;
  readonly only: string | undefined;
  readonly json: string | undefined;
}

async function bench({ seconds, only, json }: Options): Promise<number> {
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
  try {
    const environment = { dir, cacheDir, redisUrl: redis.url, workersDir: join(process.cwd(), 'dist', 'workers/') };
    const machine = { cores: availableParallelism(), node: process.version, redis: redis.version };
    const includes = (part: string) => only === undefined || only === part;
    const overheads: Overhead[] = [];
    for (const detectMs of includes('overhead') ? DETECT_MS : []) {
      log(`overhead, FaceID takes ${detectMs} ms`);
      overheads.push(await measureOverhead(detectMs, seconds, environment));
    }
    const routes = includes('http') ? await measureHttpApi(seconds, environment, log) : [];
    if (includes('rate')) log('use of the rate');
    const rate = includes('rate') ? await measureRateUse(seconds, environment) : null;
    const capacity = includes('capacity') ? await measureCapacity(seconds, environment, log) : null;
    const { cores, node } = machine;
    process.stdout.write(`\n${cores} cores, Node ${node}, Redis ${redis.version}, ${seconds} s each\n`);
    if (overheads.length > 0) process.stdout.write(overheadTable(overheads));
    if (routes.length > 0) process.stdout.write(httpTable(routes));
    if (rate !== null) process.stdout.write(rateTable(rate));
    if (capacity !== null) process.stdout.write(capacityTable(capacity));
    const report = {
      date: new Date().toISOString(),
      seconds,
      machine,
      overhead: overheads,
      http: routes,
      rate,
      capacity,
    };
    if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
    return routes.some(({ errors, answered }) => errors > 0 || answered === 0) ? 1 : 0;
  } finally {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function overheadTable(results: readonly Overhead[]): string {
  const head = ['FaceID takes', 'pairs', 'until', 'Bestframe', 'SDKs alone', 'ratio'];
  const rows = results.flatMap(({ detectMs, pairs, product, directSdk, ratio }) => [
    [`${detectMs} ms`, String(pairs), 'answer', ms(product.answerMs), ms(directSdk.answerMs), times(ratio.answer)],
    ['', '', 'frame', ms(product.frameMs), ms(directSdk.frameMs), times(ratio.frame)],
  ]);
  const stages = results.map(
    ({ detectMs, stages }) =>
      `stages at ${detectMs} ms: ${Object.entries(stages)
        .map(([name, value]) => `${name} ${ms(value)}`)
        .join(', ')}\n`,
  );
  return `\n${formatTable(head, rows)}${stages.join('')}`;
}

function httpTable(results: readonly RouteResult[]): string {
  const head = [
    '200 connections',
    'per second',
    'ratio',
    'p50',
    'p99',
    'CPU per request',
    'answered',
    'errors',
    'RSS early',
    'RSS end',
  ];
  const rows = results.map(({ name, perSecond, ratio, p50Ms, p99Ms, cpuMs, answered, errors, rssMb }) => [
    name,
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
  return `\n${formatTable(head, rows)}`;
}

function rateTable({ limit, workers, calls, used, shortestMs, refused }: RateUse): string {
  const head = ['limit', 'workers', 'calls', 'used', `fastest ${limit + 1} calls`, 'refused'];
  const share = `${(100 * used).toFixed(1)} %`;
  const row = [`${limit}/s`, String(workers), String(calls), share, ms(shortestMs), String(refused)];
  return `\n${formatTable(head, [row])}`;
}

function capacityTable({ rate, detectMs, rows, redis }: Capacity): string {
  const head = ['workers', 'per second', 'ideal', 'share', 'core time of workers', 'of Redis'];
  const lines = rows.map(({ workers, perSecond, idealPerSecond, workerCoreMs, redisCoreMs }: CapacityRow) => [
    String(workers),
    perSecond.toFixed(1),
    idealPerSecond.toFixed(1),
    `${((100 * perSecond) / idealPerSecond).toFixed(0)} %`,
    workerCoreMs === null ? '–' : ms(workerCoreMs),
    ms(redisCoreMs),
  ]);
  const { verifications, queuedBytes, finishedBytes, aofBytes } = redis;
  const [queued, finished, aof] = [queuedBytes, finishedBytes, aofBytes].map(Math.round);
  const use = `Redis, bytes of each of ${verifications}: queued ${queued}, finished ${finished}, append-only file ${aof}\n`;
  return `\nFaceID takes ${detectMs} ms, ${rate} calls per second allowed\n${formatTable(head, lines)}${use}`;
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

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600))
    throw new Error(`--seconds ${text} is out of range: write a number above 0, up to 3600`);
  return value;
}

function parsePart(text: string | undefined): string | undefined {
  if (text === undefined || ['overhead', 'http', 'rate', 'capacity'].includes(text)) return text;
  throw new Error(`--only ${text} is not known: write overhead, http, rate or capacity`);
}
