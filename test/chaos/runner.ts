/** Many runs, of all faults in turn, and what is said about them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault } from './fault.ts';
import { INVARIANTS } from './invariants.ts';
import { POINTS, POINTS_OF_TROUBLE } from './points.ts';
import { PROTECTIONS } from './protections.ts';
import { provedBy, type RunResult, runOnce } from './run.ts';

export interface RunnerOptions {
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly minutes: number | undefined;
  /** Runs of short faults in all, and of each long one. */
  readonly short: number;
  readonly long: number;
  /** Runs side by side. */
  readonly side: number;
  readonly json: string | undefined;
  /** Runs are made in here, and Redis packages kept. */
  readonly home: string;
  readonly workersDir: string;
  readonly print: (line: string) => void;
}

/** @returns the exit code. */
export async function runAll(options: RunnerOptions): Promise<number> {
  const { faults, seed, minutes, print, json, side, short, long } = options;
  print(`seed ${seed}`);
  const results: RunResult[] = [];
  const until = minutes === undefined ? Number.NEGATIVE_INFINITY : performance.now() + minutes * 60_000;
  const over = () => minutes !== undefined && results.length > 0 && performance.now() > until;
  let next = seed;
  const run = async (fault: Fault) => {
    const own = next++;
    if (over()) return;
    const result = await attempt(fault, own, options);
    results.push(result);
    say(result, print);
  };
  const quick = faults.filter((fault) => fault.long !== true);
  const slow = faults.filter((fault) => fault.long === true);
  do {
    await sideBySide(inTurn(quick, short), side, run);
    await sideBySide(inTurn(slow, long * slow.length), 1, run); // some of them measure
  } while (performance.now() < until && results.length > 0);
  const report = reportOf(seed, results, faults);
  print(`\n${tableOf(results, faults)}`);
  const met = new Set(results.flatMap(({ points }) => points));
  print(`\nat ${met.size} of ${POINTS.length + POINTS_OF_TROUBLE.length} named points something was done to a worker`);
  print(`\n${report.runs} runs, ${report.violations} violations`);
  for (const { fault, seed: own, violations } of results) {
    if (violations.length > 0) print(`again: npm run chaos -- --only ${fault} --short 1 --long 1 --seed ${own}`);
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  return report.violations === 0 && report.runs > 0 ? 0 : 1;
}

/** Checks that can fail: without each protection its invariant must be seen to break. @returns the exit code. */
export async function proveAll({ seed, print, home, workersDir, side }: RunnerOptions): Promise<number> {
  let missed = 0;
  await sideBySide(PROTECTIONS, side, async (protection) => {
    const dir = join(home, `chaos-${process.pid}-${protection.breaks}-${seed}`);
    const broken = await provedBy(protection, seed, { dir, cacheDir: join(home, 'cache'), workersDir });
    const seen = broken.includes(protection.breaks);
    if (!seen) missed += 1;
    const found = broken.length === 0 ? 'nothing' : broken.join(', ');
    const { name, breaks } = protection;
    print(`${seen ? 'ok    ' : 'MISSED'} without ${name}: ${breaks} must break; found: ${found}`);
  });
  print(`\n${PROTECTIONS.length} protections taken away, ${missed} not missed by the oracle`);
  return missed === 0 ? 0 : 1;
}

function inTurn(faults: readonly Fault[], runs: number): Fault[] {
  return faults.length === 0 ? [] : Array.from({ length: runs }, (_, run) => faults[run % faults.length] as Fault);
}

/** Each in its turn, so many at once. */
async function sideBySide<T>(items: readonly T[], side: number, each: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: Math.max(1, side) }, worker));
}

/** A run that breaks off is a violation of what it was to show. */
async function attempt(fault: Fault, seed: number, { home, workersDir }: RunnerOptions): Promise<RunResult> {
  const dir = join(home, `chaos-${process.pid}-${fault.name}-${seed}`);
  const startedAt = performance.now();
  try {
    return await runOnce(fault, seed, { dir, cacheDir: join(home, 'cache'), workersDir });
  } catch (error) {
    const what = `the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    const ms = performance.now() - startedAt;
    return { fault: fault.name, seed, ms, violations: [{ invariant: 'I1', what }], lost: null, points: [], kept: dir };
  }
}

function say({ fault, seed, ms, violations, lost, kept }: RunResult, print: (line: string) => void): void {
  const verdict = violations.length === 0 ? 'ok' : `${violations.length} VIOLATIONS`;
  const losses = lost === null ? '' : `, lost: ${lost.verifications} verifications, ${lost.calls} calls unrecorded`;
  print(`${fault.padEnd(14)} seed ${seed} ${(ms / 1_000).toFixed(1).padStart(6)} s  ${verdict}${losses}`);
  for (const { invariant, what } of violations) print(`    ${invariant}: ${what}`);
  if (kept !== null) print(`    kept in ${kept}`);
}

interface Report {
  readonly seed: number;
  readonly runs: number;
  readonly violations: number;
  readonly faults: Readonly<Record<string, { readonly runs: number; readonly violations: number }>>;
}

export function reportOf(seed: number, results: readonly RunResult[], faults: readonly Fault[]): Report {
  const of = (name: string) => results.filter(({ fault }) => fault === name);
  const count = (some: readonly RunResult[]) => some.reduce((sum, { violations }) => sum + violations.length, 0);
  return {
    seed,
    runs: results.length,
    violations: count(results),
    faults: Object.fromEntries(
      faults.map(({ name }) => [name, { runs: of(name).length, violations: count(of(name)) }]),
    ),
  };
}

/** Fault × invariant: how often it was broken. */
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
