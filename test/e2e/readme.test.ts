/** Runs the program of the README against a `dev` deployment. Only the program's paths are changed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

let dev: RunningCli;
let dir: string;
let program: string;
let redisUrl: string;
let namespace: string;

beforeAll(async () => {
  const page = await readFile(join(ROOT, 'README.md'), 'utf8');
  program = /^```ts\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
  dir = await mkdtemp(join(HOME, 'readme-'));
  await mkdir(join(dir, 'node_modules'));
  await symlink(join(ROOT, 'examples'), join(dir, 'node_modules', 'bestframe-client'));
  dev = startCli(['dev', '--json']);
  const [line = ''] = await dev.stdoutWith(/^\{.*\}\n/);
  const { env } = JSON.parse(line) as { env: Record<string, string> };
  redisUrl = env.BESTFRAME_REDIS_URL ?? '';
  namespace = env.BESTFRAME_NAMESPACE ?? '';
});

afterAll(async () => {
  dev.child.kill('SIGTERM');
  await dev.result;
  await rm(dir, { recursive: true, force: true });
});

it('has at most ten lines', () => {
  expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
});

it('prints the next step, and exits by itself', async () => {
  await writeFile(join(dir, '1042.gz'), sampleLiveData({ card: 'match' }));
  await writeFile(join(dir, '1042.jpg'), sampleImage());
  await writeFile(join(dir, 'backend.mjs'), program.replaceAll('/captures', dir));
  const child = spawn(process.execPath, ['backend.mjs'], {
    cwd: dir,
    env: { PATH: process.env.PATH, BESTFRAME_REDIS_URL: redisUrl, BESTFRAME_NAMESPACE: namespace },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString()),
  );
  if (child.exitCode === null) await once(child, 'exit');
  expect({ code: child.exitCode, stdout, stderr }).toEqual({ code: 0, stdout: 'accept\n', stderr: '' });
});
