/** `npm run simulate`: simulates days, and prints a table. The exit code is 1 if a promise was broken. */
import { createWriteStream, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { PROTECTIONS } from './protections.ts';
import { type Options, type Report, simulate } from './simulation.ts';

const USAGE = `npm run simulate -- [options]

  --seed N           first seed. Default 1
  --days N           number of days to simulate, each with the next seed. Default 1
  --verifications N  verifications in a day. Default 20000
  --hours N          hours of a day. Default 24
  --faults N         how much goes wrong: 0 nothing, 1 a bad day. Default 1
  --log FILE         write the log of the last day to a file; the same seed gives the same bytes
  --json FILE        write the results to a file
  --can-fail         take each protection away in turn: a short day must find it
  --help             show this text

Runs the whole deployment in one process and in virtual time: the product's workers, BullMQ and the real scripts in a real Redis
(REDIS_URL, or a private one), with a simulated network and Tencent in memory. If a promise is broken, the command that repeats
the day is printed, and the exit code is 1.
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    days: { type: 'string', default: '1' },
    verifications: { type: 'string', default: '20000' },
    hours: { type: 'string', default: '24' },
    faults: { type: 'string', default: '1' },
    log: { type: 'string' },
    json: { type: 'string' },
    'can-fail': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else process.exitCode = await withRedis(values['can-fail'] ? proveAll : simulateAll);

type Server = Options['redis'];

async function withRedis(work: (redis: Server) => Promise<number>): Promise<number> {
  const { REDIS_URL: url = '' } = process.env;
  if (url !== '') return work(Number(new URL(url).port || 6379));
  const home = join(process.cwd(), '.bestframe');
  const dir = join(home, `simulate-${process.pid}`);
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const binary = await findRedis({ cacheDir: join(home, 'cache'), log });
  const socket = join(dir, 'redis.sock');
  const provided = await startPrivateRedis({ binary, dir, appendonly: false, args: ['--unixsocket', socket] });
  try {
    return await work(socket);
  } finally {
    await provided.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function simulateAll(redis: Server): Promise<number> {
  const day = { verifications: whole('verifications'), hours: above('hours'), faults: above('faults', 0) };
  const [first, days] = [whole('seed'), whole('days')];
  const reports: Report[] = [];
  for (let seed = first; seed < first + days; seed += 1) {
    const file = values.log === undefined ? null : createWriteStream(values.log);
    const report = await simulate({
      ...{ ...day, seed, redis, prefix: `{simulate-${process.pid}}`, onProgress: progressOf(seed, day) },
      ...(file === null ? {} : { onLine: (line: string) => void file.write(`${line}\n`) }),
    });
    await new Promise<void>((resolve) => (file === null ? resolve() : file.end(resolve)));
    process.stdout.write(tableOf(report, day));
    reports.push(report);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`);
  return reports.every(({ violations, settled }) => violations.length === 0 && settled) ? 0 : 1;
}

type Day = Pick<Options, 'verifications' | 'hours' | 'faults'>;

/** A progress line on stderr: rewritten on a terminal, repeated every ten seconds elsewhere. */
function progressOf(seed: number, { hours }: Day): NonNullable<Options['onProgress']> {
  const everyMs = process.stderr.isTTY ? 200 : 10_000;
  const now = () => process.hrtime.bigint();
  let shownAt = now();
  return ({ hour, accepted, events }) => {
    if (Number(now() - shownAt) / 1e6 < everyMs) return;
    shownAt = now();
    const line = `seed ${seed}: hour ${hour.toFixed(1)} of ${hours}, ${accepted} accepted, ${events} events`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
}

function tableOf(report: Report, { verifications, hours, faults }: Day): string {
  const { seed, accepted, refused, ends, billed, ledger, settled, violations, ms } = report;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const counts = (all: Readonly<Record<string, number>>) =>
    Object.entries(all)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ') || 'none';
  const rows: [string, string][] = [
    ['accepted', `${accepted}; refused: ${counts(refused)}`],
    ['ended', counts(ends)],
    ['faults', counts(report.faults)],
    ['billed by the vendor', `${billed}; the ledger says ${ledger.paidCalls} + ${ledger.possiblyPaidCalls} possibly`],
    [
      'simulated',
      `${(report.virtualMs / 3_600_000).toFixed(1)} h, ${report.events} events, ${report.commands} commands`,
    ],
    ['time here', `${(ms / 1_000).toFixed(1)} s`],
    ['log', `${report.logLines} lines, SHA-256 ${report.logSha256}`],
    ['promises', violations.length === 0 && settled ? 'all kept' : 'BROKEN'],
  ];
  const again = `npm run simulate -- --seed ${seed} --verifications ${verifications} --hours ${hours} --faults ${faults}`;
  return [
    `| seed ${seed} | |`,
    '| --- | --- |',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
    ...(settled ? [] : ['some work never ended']),
    ...violations.slice(0, 20).map(({ invariant, message }) => `${invariant}: ${message}`),
    ...(violations.length > 0 || !settled ? [`to see it again: ${again} --log day.log`] : []),
    '',
  ].join('\n');
}

async function proveAll(redis: Server): Promise<number> {
  let missed = 0;
  for (const { name, changes, breaks, day } of PROTECTIONS) {
    const { violations } = await simulate({ ...day, changes, redis, prefix: `{simulate-${process.pid}}` });
    const isFound = violations.some(({ invariant }) => invariant === breaks);
    if (!isFound) missed += 1;
    const what = violations[0] === undefined ? 'nothing found' : `${violations[0].invariant}: ${violations[0].message}`;
    process.stdout.write(`${isFound ? 'found ' : 'MISSED'} ${breaks} ${name}: ${what}\n`);
  }
  return missed === 0 ? 0 : 1;
}

function whole(name: 'seed' | 'days' | 'verifications'): number {
  const text = values[name];
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--${name} is ${text}: give a whole number above 0`);
}

function above(name: 'hours' | 'faults', least = Number.MIN_VALUE): number {
  const number = Number(values[name]);
  if (values[name] !== '' && Number.isFinite(number) && number >= least) return number;
  throw new Error(`--${name} is ${values[name]}: give a number ${least === 0 ? 'from 0' : 'above 0'}`);
}
