/**
 * Runs all tests, or the tests that the arguments select (vitest gets the arguments). `--long` runs the tests of test/long and the long
 * forms of the tests that have one, and no other tests. Prints the slowest files. The last line on
 * stdout is `N passed, N failed`. A test file that does not load counts as one failure, and so does an error outside the tests. A
 * run without any test fails.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { root, runChild } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

const MAX_SLOWEST = 10;

await ensureDependencies();
await build();
process.chdir(root);
mkdirSync('.bestframe', { recursive: true });
const dir = mkdtempSync(join('.bestframe', 'report-'));
const report = join(dir, 'report.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const vitest = join(root, 'node_modules', '.bin', 'vitest');
// A file of test/long that is named runs without the option, too.
const isLong = process.argv.slice(2).some((each) => each === '--long' || /(^|\/)long\//.test(each));
if (isLong) process.env.BESTFRAME_TEST_LONG = '1';
const selection = process.argv.slice(2).filter((each) => each !== '--long');
if (isLong && selection.length === 0) selection.push('test/long/', ...filesWithLongForm());
const code = await runChild(vitest, ['run', ...reporters, ...selection]);
const results = readReport();
const { passed, failed } = countResults(results, code);
rmSync(dir, { recursive: true, force: true });
process.stdout.write(slowestFiles(results));
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = code === 0 && (failed > 0 || passed === 0) ? 1 : code;

/** @returns null if vitest failed before it wrote a report. */
function readReport() {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return null;
  }
}

function countResults(results, code) {
  if (results === null) return { passed: 0, failed: 1 };
  const unloaded = results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failed = results.numFailedTests + unloaded.length;
  const failedOutsideTests = failed === 0 && code !== 0; // No Redis, no selected test, or an error after the last test.
  return { passed: results.numPassedTests, failed: failedOutsideTests ? 1 : failed };
}

function slowestFiles(results) {
  const files = (results?.testResults ?? []).map(({ name, startTime, endTime }) => ({ name, ms: endTime - startTime }));
  if (files.length === 0) return '';
  const slowest = files.sort((a, b) => b.ms - a.ms).slice(0, MAX_SLOWEST);
  const lines = slowest.map(({ name, ms }) => `${(ms / 1_000).toFixed(1).padStart(7)} s  ${relative(root, name)}`);
  return `Slowest files:\n${lines.join('\n')}\n`;
}

function filesWithLongForm() {
  const files = readdirSync('test', { recursive: true }).filter((file) => file.endsWith('.test.ts'));
  return files.map((file) => join('test', file)).filter((file) => readFileSync(file, 'utf8').includes("/forms.ts'"));
}
