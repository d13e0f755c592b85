/** Runs the selected faults in turn, each run with its own seed, and prints the results. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault } from './fault.ts';
import { INVARIANTS } from './invariants.ts';
import { ERROR_POINTS, POINTS } from './points.ts';
import { PROTECTIONS } from './protections.ts';
import { invariantsBrokenWithout, type RunResult, runOnce } from './run.ts';

export interface RunnerOptions {
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly minutes: number | undefined;
  /** The number of runs that the short faults share. */
  readonly short: number;
  /** The number of runs of each long fault. */
  readonly long: number;
  /** The number of concurrent runs. */
  readonly side: number;
  readonly json: string | undefined;
  /** The folder for the files of the runs and the cached Redis packages. */
  readonly home: string;
  readonly workersDir: string;
  readonly print: (line: string) => void;
}

/** Runs the faults, and repeats them until `minutes` have passed. @returns the exit code */
export async function runAll(options: RunnerOptions): Promise<number> {
  const { faults, seed, minutes, print, json, side, short, long } = options;
  print(`seed ${seed}`);
  const results: RunResult[] = [];
  const until = minutes === undefined ? Number.NEGATIVE_INFINITY : performance.now() + minutes * 60_000;
  const isOver = () => minutes !== undefined && results.length > 0 && performance.now() > until;
  let next = seed;
  const run = async (fault: Fault) => {
    const runSeed = next++;
    if (isOver()) return;
    const result = await attempt(fault, runSeed, options);
    results.push(result);
    printResult(result, print);
  };
  const quick = faults.filter((fault) => fault.long !== true);
  const slow = faults.filter((fault) => fault.long === true);
  do {
    await runConcurrently(roundRobin(quick, short), side, run);
    // Some long faults measure throughput, so they run alone.
    await runConcurrently(roundRobin(slow, long * slow.length), 1, run);
  } while (performance.now() < until && results.length > 0);
  const report = reportOf(seed, results, faults);
  print(`\n${tableOf(results, faults)}`);
  const met = new Set(results.flatMap(({ points }) => points));
  print(`\nhooks acted at ${met.size} of ${POINTS.length + ERROR_POINTS.length} named points`);
  print(`\n${report.runs} runs, ${report.violations} violations`);
  for (const { fault, seed: runSeed, violations } of results) {
    if (violations.length > 0)
      print(`repeat with: npm run chaos -- --only ${fault} --short 1 --long 1 --seed ${runSeed}`);
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  return report.violations === 0 && report.runs > 0 ? 0 : 1;
}

/** Removes each protection in turn and checks that the oracle detects the broken invariant. @returns the exit code */
export async function proveAll({ seed, print, home, workersDir, side }: RunnerOptions): Promise<number> {
  let missed = 0;
  await runConcurrently(PROTECTIONS, side, async (protection) => {
    const dir = join(home, `chaos-${process.pid}-without-${PROTECTIONS.indexOf(protection)}`);
    const broken = await invariantsBrokenWithout(protection, seed, { dir, cacheDir: join(home, 'cache'), workersDir });
    const detected = broken.includes(protection.breaks);
    if (!detected) missed += 1;
    const found = broken.length === 0 ? 'nothing' : broken.join(', ');
    const { name, breaks } = protection;
    print(`${detected ? 'ok    ' : 'MISSED'} without ${name}: expected ${breaks} to break, found ${found}`);
  });
  print(`\n${PROTECTIONS.length} protections removed, ${missed} not detected by the oracle`);
  return missed === 0 ? 0 : 1;
}

function roundRobin(faults: readonly Fault[], runs: number): Fault[] {
  return faults.length === 0 ? [] : Array.from({ length: runs }, (_, run) => faults[run % faults.length] as Fault);
}

/** Runs `each` for all items in order, with at most `side` at once. */
async function runConcurrently<T>(items: readonly T[], side: number, each: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: Math.max(1, side) }, worker));
}

/** Runs a fault once. If the run itself throws an error, this counts as a violation of I1. */
async function attempt(fault: Fault, seed: number, { home, workersDir }: RunnerOptions): Promise<RunResult> {
  const dir = join(home, `chaos-${process.pid}-${fault.name}-${seed}`);
  const startedAt = performance.now();
  try {
    return await runOnce(fault, seed, { dir, cacheDir: join(home, 'cache'), workersDir });
  } catch (error) {
    const message = `the run failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    const ms = performance.now() - startedAt;
    return {
      fault: fault.name,
      seed,
      ms,
      violations: [{ invariant: 'I1', message }],
      lost: null,
      points: [],
      counts: {},
      kept: dir,
    };
  }
}

function printResult(
  { fault, seed, ms, violations, lost, counts, kept }: RunResult,
  print: (line: string) => void,
): void {
  const verdict = violations.length === 0 ? 'ok' : `${violations.length} VIOLATIONS`;
  const losses = lost === null ? '' : `, lost: ${lost.verifications} verifications, ${lost.calls} calls unrecorded`;
  print(`${fault.padEnd(14)} seed ${seed} ${(ms / 1_000).toFixed(1).padStart(6)} s  ${verdict}${losses}`);
  for (const [name, value] of Object.entries(counts)) print(`    ${name.padEnd(30)} ${value}`);
  for (const { invariant, message } of violations) print(`    ${invariant}: ${message}`);
  if (kept !== null) print(`    evidence kept in ${kept}`);
}

interface Report {
  readonly seed: number;
  readonly runs: number;
  readonly violations: number;
  readonly faults: Readonly<Record<string, { readonly runs: number; readonly violations: number }>>;
}

export function reportOf(seed: number, results: readonly RunResult[], faults: readonly Fault[]): Report {
  const resultsOf = (name: string) => results.filter(({ fault }) => fault === name);
  const count = (some: readonly RunResult[]) => some.reduce((sum, { violations }) => sum + violations.length, 0);
  return {
    seed,
    runs: results.length,
    violations: count(results),
    faults: Object.fromEntries(
      faults.map(({ name }) => [name, { runs: resultsOf(name).length, violations: count(resultsOf(name)) }]),
    ),
  };
}

/** Formats a table that counts the violations by fault and invariant. */
export function tableOf(results: readonly RunResult[], faults: readonly Fault[]): string {
  const rows = faults.map(({ name }) => {
    const mine = results.filter(({ fault }) => fault === name);
    const broken = INVARIANTS.map((invariant) =>
      mine.reduce((sum, { violations }) => sum + violations.filter((each) => each.invariant === invariant).length, 0),
    );
    return [name, mine.length, ...broken];
  });
  const head = ['fault', 'runs', ...INVARIANTS];
  return [head, ...rows]
    .map(([name, ...cells]) => `${String(name).padEnd(14)}${cells.map((cell) => String(cell).padStart(5)).join('')}`)
    .join('\n');
}
