/**
 * Checks, with a brief run, that the benchmarks work and that their report has the right shape. The test does not check the
 * figures: on a busy machine, a measurement of one second may get no answer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const RATIO = { answer: expect.any(Number), frame: expect.any(Number) };
const TOOK = { answerMs: expect.any(Number), frameMs: expect.any(Number) };
const COUNT_OR_NULL = expect.toSatisfy((value) => value === null || Number.isFinite(value), 'a number or null');
const ROW = {
  name: expect.any(String),
  ratio: COUNT_OR_NULL,
  perSecond: expect.any(Number),
  p50Ms: expect.any(Number),
  p99Ms: expect.any(Number),
  answered: expect.any(Number),
  errors: 0,
  cpuMs: COUNT_OR_NULL,
  rssMb: { early: COUNT_OR_NULL, end: COUNT_OR_NULL },
};

interface Report {
  readonly overhead: readonly { readonly pairs: number }[];
  readonly http: readonly { readonly name: string; readonly answered: number }[];
}

it('the benchmarks run without a failed request and write a complete report', async () => {
  const dir = await mkdtemp(join(HOME, 'bench-test-'));
  try {
    const json = join(dir, 'report.json');
    const args = [join(ROOT, 'scripts', 'bench.mjs'), '--seconds', '1', '--json', json];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const [code] = await once(child, 'close');
    const report = JSON.parse(await readFile(json, 'utf8')) as Report;
    expect(report).toEqual({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      seconds: 1,
      machine: { cores: expect.any(Number), node: process.version, redis: expect.stringMatching(/^\d/) },
      overhead: [1_000, 0].map((detectMs) => ({
        detectMs,
        pairs: expect.any(Number),
        product: TOOK,
        directSdk: TOOK,
        ratio: RATIO,
        stages: Object.fromEntries(['upload', 'md5', 'detect', 'download'].map((name) => [name, expect.any(Number)])),
      })),
      http: Array.from({ length: 6 }, () => ROW),
      rate: {
        limit: 20,
        workers: 4,
        calls: expect.any(Number),
        used: expect.any(Number),
        shortestMs: expect.any(Number),
        refused: expect.any(Number),
      },
      capacity: {
        rate: 100,
        detectMs: 300,
        rows: [1, 2, 4, 8].map((workers) => ({
          workers,
          perSecond: expect.any(Number),
          idealPerSecond: Math.min(100, (workers * 8_000) / 300),
          workerCoreMs: COUNT_OR_NULL,
          redisCoreMs: expect.any(Number),
        })),
        redis: {
          verifications: 100,
          queuedBytes: expect.any(Number),
          finishedBytes: expect.any(Number),
          aofBytes: expect.any(Number),
        },
      },
    });
    for (const { pairs } of report.overhead) expect(pairs).toBeGreaterThanOrEqual(3);
    for (const { name } of report.http) expect(stdout).toContain(name);
    expect(code, stdout).toBe(report.http.some(({ answered }) => answered === 0) ? 1 : 0);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
