/**
 * All tests, or those that the arguments name (they go to vitest). The last line on stdout is `N passed, N failed`;
 * a test file that does not load counts as failed, and so does a run that fails beside its tests. Nothing run is a
 * failure too.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child.mjs';
import { ensureDependencies } from './setup.mjs';

await ensureDependencies();
await build();
process.chdir(root);
mkdirSync('.bestframe', { recursive: true });
const dir = mkdtempSync(join('.bestframe', 'report-'));
const report = join(dir, 'report.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const vitest = join(root, 'node_modules', '.bin', 'vitest');
const code = await runChild(vitest, ['run', ...reporters, ...process.argv.slice(2)]);
const { passed, failed } = count(code);
rmSync(dir, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = code === 0 && (failed > 0 || passed === 0) ? 1 : code;

function count(code) {
  let read;
  try {
    read = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 }; // it did not get as far as a report
  }
  const unloaded = read.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failed = read.numFailedTests + unloaded.length;
  const beside = failed === 0 && code !== 0; // no Redis, an error after the last test, no test at all
  return { passed: read.numPassedTests, failed: beside ? 1 : failed };
}
