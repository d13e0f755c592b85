import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stateDir } from '../../../src/cli/local/state-dir.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bestframe-state-'));
});
afterAll(() => rm(root, { recursive: true }));

it('is in a checkout that can be written, else in the state folder of the user', async () => {
  const installed = join(root, 'lib', 'node_modules', 'bestframe');
  expect(stateDir({ XDG_STATE_HOME: '/state' }, installed)).toBe('/state/bestframe');
  for (const XDG_STATE_HOME of [undefined, '', 'relative'])
    expect(stateDir({ XDG_STATE_HOME }, installed)).toBe(join(homedir(), '.local', 'state', 'bestframe'));
  await writeFile(join(root, 'package-lock.json'), '{}');
  expect(stateDir({ XDG_STATE_HOME: '/state' }, root)).toBe(join(root, '.bestframe'));
});
