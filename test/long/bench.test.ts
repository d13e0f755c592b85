/**
 * Checks, with brief samples, that the benchmarks work and that their report has the right shape. The test does not check the
 * numbers: on a busy machine, they say little.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const FIGURES = [
  ...['answer', 'answer-far', 'answer-slow', 'enqueue', 'slots', 'http', 'rate', 'start', 'capacity'],
  ...['fleet', 'site', 'machinery', 'loop', 'naive', 'bytes', 'depth'],
];

interface Report {
  readonly failed: readonly string[];
  readonly figures: readonly {
    readonly name: string;
    readonly quiet: number;
    readonly values: readonly { readonly name: string; readonly median: number; readonly n: number }[];
  }[];
}

it('the benchmarks measure the chosen figures and write a complete report and a chart', {
  timeout: 900_000,
}, async () => {
  const dir = await mkdtemp(join(HOME, 'bench-test-'));
  try {
    const [json, chart] = [join(dir, 'report.json'), join(dir, 'chart.svg')];
    const only = FIGURES.flatMap((name) => ['--only', name]);
    const options = [...only, '--quick', '--seconds', '1', '--json', json, '--chart', chart];
    const child = spawn(process.execPath, [join(ROOT, 'scripts', 'bench.mjs'), ...options], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const [code] = await once(child, 'close');
    const report = JSON.parse(await readFile(json, 'utf8')) as Report;
    expect(report.failed).toEqual([]);
    expect(code, stdout).toBe(0);
    expect(report.figures.map(({ name }) => name)).toEqual(FIGURES);
    for (const { name, quiet, values } of report.figures) {
      expect(quiet).toBeGreaterThan(0);
      expect(quiet).toBeLessThanOrEqual(1);
      for (const value of values) {
        expect(value.n).toBe(1);
        expect(value.median, `${name}: ${value.name}`).toBeGreaterThanOrEqual(0);
        expect(stdout).toContain(value.name);
      }
    }
    expect(await readFile(chart, 'utf8')).toMatch(/^<svg .*answer: answer.*<\/svg>\s*$/s);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
