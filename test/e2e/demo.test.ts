/** Tests `npm run demo`, as a newcomer types it. test/long/worlds.test.ts tests its options, and `dev`. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FLOW_NAMES, isFlow } from '../../src/domain/verification/flows.ts';
import type { CliResult } from '../support/cli.ts';
import { expectNothingLeft } from '../support/local-deployment.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const dir = join(HOME, `demo-test-${process.pid}`);

beforeAll(() => mkdir(dir, { recursive: true }));
afterAll(() => rm(dir, { recursive: true, force: true }));

async function runNpm(script: string, ...args: string[]): Promise<CliResult> {
  const child = spawn('npm', ['run', '-s', script, '--', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
  const [[code], stdout = '', stderr = ''] = await Promise.all([once(child, 'close'), ...texts]);
  return { code: code as number | null, stdout, stderr };
}

it('npm run demo ends all verifications and a session of each token flow as expected, and writes the results', async () => {
  const file = join(dir, 'demo.json');
  const result = await runNpm('demo', '--json', file);
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('32 as expected') });
  const written = JSON.parse(await readFile(file, 'utf8'));
  expect(written.summary).toMatchObject({ enqueued: 32, completed: 30, failed: 2, lost: 0 });
  const first = written.verifications[0];
  for (const name of [
    'id',
    'upload',
    'state',
    'decision',
    'similarity',
    'reason',
    'paidCalls',
    'requestIds',
    'stages',
    'bestFrame',
  ]) {
    expect(first).toHaveProperty(name);
  }
  expect(first.stages.map((stage: object) => Object.keys(stage))).toEqual(
    Array.from({ length: 4 }, () => ['name', 'attempts', 'ms']),
  );
  for (const { bestFrame } of written.verifications) {
    if (bestFrame === null) continue;
    const bytes = await readFile(bestFrame.path);
    expect(createHash('md5').update(bytes).digest('hex')).toBe(bestFrame.md5);
  }
  const videos = written.verifications.filter((each: { case: string }) => each.case.startsWith('video'));
  expect(videos.map(({ decision }: { decision: string }) => decision)).toEqual(['match', 'match', 'match']);
  for (const { bestFrame } of videos) expect(bestFrame).toMatchObject({ bytes: expect.any(Number) });
  expect(new Set(written.verifications.map(({ decision }: { decision: string }) => decision))).toEqual(
    new Set(['match', 'no_match', 'not_live', 'recapture', 'live', null]),
  );
  const sessions = written.verifications.filter(({ action }: { action: string }) => isFlow(action));
  expect(sessions.map(({ action }: { action: string }) => action)).toEqual([...FLOW_NAMES]);
  for (const { bestFrame } of sessions) expect(bestFrame).toMatchObject({ bytes: expect.any(Number) });
  await expectNothingLeft(result);
});

it('npm run -s bestframe runs the command line from a checkout and prints nothing else', async () => {
  const { code, stdout } = await runNpm('bestframe', 'errors', 'POISON', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([{ match: 'POISON' }]);
});
