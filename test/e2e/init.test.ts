/** Runs `bestframe init` as a user does. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { startCli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(HOME, 'init-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('prints a namespace that live mode accepts, and what to do next', async () => {
  const { code, stdout } = await startCli(['init']).result;
  expect(code).toBe(0);
  const [, namespace] = /^BESTFRAME_NAMESPACE=(.+)$/m.exec(stdout) ?? [];
  expect(readConfig({ BESTFRAME_NAMESPACE: namespace }).namespace).toBe(namespace);
  expect(stdout).toContain('bestframe doctor');
});

it('writes a file for its owner alone, and keeps one that exists', async () => {
  const file = join(dir, 'state', 'namespace');
  const first = await startCli(['init', '--file', file, '--json']).result;
  expect(JSON.parse(first.stdout)).toEqual({ status: 'created', file });
  const written = await readFile(file, 'utf8');
  expect((await stat(file)).mode & 0o777).toBe(0o400);
  const again = await startCli(['init', '--file', file, '--json']).result;
  expect(JSON.parse(again.stdout)).toEqual({ status: 'kept', file });
  expect(await readFile(file, 'utf8')).toBe(written);
  expect(readConfig({ BESTFRAME_NAMESPACE_FILE: file }).namespace).toBe(written.trim());
  expect(first.stdout).not.toContain(written.trim());
});

it('says what is wrong with the file, and exits with 2', async () => {
  const { code, stderr } = await startCli(['init', '--file', '/proc/namespace']).result;
  expect(code).toBe(2);
  expect(stderr).toContain('--file can be neither written nor read');
});
