/** The benchmarks in short: do they run, and is every request answered. What they measure is `npm run bench`'s to say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

interface Report {
  readonly overhead: readonly { readonly pairs: number; readonly ratio: { readonly answer: number } }[];
  readonly http: readonly { readonly what: string; readonly answered: number; readonly errors: number }[];
}

it('runs, and no request fails', async () => {
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
    expect(code, stdout).toBe(0);
    const { overhead, http } = JSON.parse(await readFile(json, 'utf8')) as Report;
    expect(overhead).toHaveLength(2);
    for (const { pairs, ratio } of overhead) {
      expect(pairs).toBeGreaterThanOrEqual(3);
      expect(ratio.answer).toBeGreaterThan(0);
    }
    expect(http).toHaveLength(6);
    for (const { what, answered, errors } of http) {
      expect(answered, what).toBeGreaterThan(0);
      expect(errors, what).toBe(0);
      expect(stdout).toContain(what);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
