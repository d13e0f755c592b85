/** `npm run explore`: visits the states of every scenario, then prints a table. The exit code is 1 if a promise was broken. */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { provideRedis } from '../../src/dev/local-redis.ts';
import type { Report } from './engine.ts';
import { Progress } from './progress.ts';
import { PROTECTIONS } from './protections.ts';
import { asTest, scenarioNamed } from './replay.ts';
import { explore } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const USAGE = `npm run explore -- [options]

  --only SCENARIO   explore only this scenario; may be given several times
  --states N        stop each scenario after N states. Default 30000
  --side N          number of scenarios that are explored at the same time. Default 3
  --json FILE       write the results to a file
  --can-fail        take each protection away in turn: a scenario must find it
  --help            show this text

Drives the real scripts in a real Redis (REDIS_URL, or a private one) through all interleavings of small scenarios. If a promise
is broken, the shortest schedule is printed as a test, and the exit code is 1.

Scenarios:
${SCENARIOS.map(({ name }) => `  ${name}`).join('\n')}
`;

interface Result extends Report {
  readonly ms: number;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    states: { type: 'string', default: '30000' },
    side: { type: 'string', default: '3' },
    json: { type: 'string' },
    'can-fail': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else process.exitCode = await withRedis(values['can-fail'] ? proveAll : exploreAll);

async function withRedis(run: (redis: Redis) => Promise<number>): Promise<number> {
  const home = join(process.cwd(), '.bestframe');
  const dir = join(home, `explore-${process.pid}`);
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const provided = await provideRedis({
    ...{ redisUrl: process.env.REDIS_URL, dir, cacheDir: join(home, 'cache'), appendonly: false, log },
  });
  const redis = new Redis(provided.url);
  try {
    return await run(redis);
  } finally {
    redis.disconnect();
    await provided.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Runs `work` on all items, several at a time. The items begin in order. */
async function sideBySide<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const todo = [...items];
  const worker = async () => {
    for (let item = todo.shift(); item !== undefined; item = todo.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: whole('side', values.side) }, worker));
}

async function exploreAll(redis: Redis): Promise<number> {
  const scenarios = values.only === undefined ? SCENARIOS : values.only.map(scenarioNamed);
  const most = whole('states', values.states);
  const progress = new Progress();
  const results: Result[] = [];
  const startedAt = performance.now();
  await sideBySide(scenarios, async (scenario) => {
    const began = performance.now();
    const report = await explore(scenario, { redis, most, onState: (at) => progress.show(scenario.name, at) });
    results.push({ ...report, ms: Math.round(performance.now() - began) });
    progress.end(scenario.name);
  });
  const ms = Math.round(performance.now() - startedAt);
  results.sort((a, b) => scenarios.findIndex(isOf(a)) - scenarios.findIndex(isOf(b)));
  process.stdout.write(tableOf(results, ms));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ ms, scenarios: results }, null, 2)}\n`);
  const broken = results.filter(({ found }) => found !== null);
  for (const { scenario, found } of broken) if (found !== null) process.stdout.write(`\n${asTest(scenario, found)}\n`);
  return broken.length === 0 ? 0 : 1;
}

function isOf({ scenario }: Report): (each: { readonly name: string }) => boolean {
  return ({ name }) => name === scenario;
}

function tableOf(results: readonly Result[], ms: number): string {
  const row = (
    name: string,
    { states, transitions, depth }: Omit<Report, 'scenario' | 'found' | 'complete'>,
    end: string,
  ) => `| ${name} | ${states} | ${transitions} | ${depth} | ${end} |`;
  const states = results.reduce((sum, each) => sum + each.states, 0);
  const transitions = results.reduce((sum, each) => sum + each.transitions, 0);
  const depth = Math.max(...results.map((each) => each.depth));
  const rows = results.map((each) =>
    row(
      each.scenario,
      each,
      each.found !== null ? `broken: ${each.found.violation.invariant}` : each.complete ? 'yes' : 'no',
    ),
  );
  return [
    '| scenario | states | steps taken | depth | all states visited |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    row(`${results.length} scenarios`, { states, transitions, depth }, `${(ms / 1_000).toFixed(0)} s`),
    '',
  ].join('\n');
}

async function proveAll(redis: Redis): Promise<number> {
  const most = whole('states', values.states);
  let missed = 0;
  await sideBySide(PROTECTIONS, async ({ name, changes, breaks, scenario }) => {
    const { found } = await explore(scenarioNamed(scenario), { redis, most, changes, shortest: true });
    const isFound = found?.violation.invariant === breaks;
    if (!isFound) missed += 1;
    const what = found === null ? 'nothing found' : `${found.violation.invariant} after ${found.steps.length} steps`;
    process.stdout.write(`${isFound ? 'found ' : 'MISSED'} ${breaks.padEnd(3)} ${name}: ${what}\n`);
  });
  return missed === 0 ? 0 : 1;
}

function whole(name: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--${name} is ${text}: give a whole number above 0`);
}
