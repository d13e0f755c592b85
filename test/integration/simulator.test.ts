/** A short simulated day: `npm run simulate` is the long run. docs/decisions/simulator.md describes the simulator. */
import { describe, expect, inject, it } from 'vitest';
import { PROTECTIONS } from '../simulator/protections.ts';
import { type Options, type Report, simulate } from '../simulator/simulation.ts';

/** On a busy machine, a day takes much longer than the usual few seconds. */
const MOST_MS = 600_000;
const DAY = { seed: 1, verifications: 40, hours: 0.05, faults: 15 };

let days = 0;

async function run(day: Partial<Options>): Promise<{ report: Report; log: string }> {
  const lines: string[] = [];
  days += 1;
  const report = await simulate({
    ...DAY,
    ...day,
    redis: Number(new URL(inject('redisUrl')).port),
    // Another prefix each time: the log must not depend on it.
    prefix: `{simulated-${process.pid}-${days}}`,
    onLine: (line) => lines.push(line),
  });
  return { report, log: lines.join('\n') };
}

describe('a simulated day', () => {
  it('keeps every promise, and its log depends on the seed alone', { timeout: MOST_MS }, async () => {
    const first = await run({});
    expect(first.report.violations).toEqual([]);
    expect(first.report).toMatchObject({ accepted: DAY.verifications, settled: true });
    expect(Object.keys(first.report.faults)).toContain('kill');
    const again = await run({});
    expect(again.log === first.log).toBe(true);
    expect(again.report.logSha256).toBe(first.report.logSha256);
    const other = await run({ seed: 3 });
    expect(other.report.violations).toEqual([]);
    expect(other.report.logSha256).not.toBe(first.report.logSha256);
  });

  it('leaves the clock, the timers and the random numbers of this process alone', async () => {
    expect(new Date().getUTCFullYear()).not.toBe(2030);
    expect(Math.random()).not.toBe(Math.random());
    await new Promise((resolve) => setTimeout(resolve, 1));
  });
});

describe('the removal of a protection is detected', () => {
  it.each(PROTECTIONS.slice(0, 1))('$name ($breaks)', { timeout: MOST_MS }, async ({ changes, breaks, day }) => {
    const { report } = await run({ ...day, changes });
    expect(report.violations.map(({ invariant }) => invariant)).toContain(breaks);
  });
});
