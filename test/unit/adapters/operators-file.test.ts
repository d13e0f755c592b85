/** Tests the file of the site's users: it is read again when it changes, and a broken change does not lock everybody out. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OperatorsFile } from '../../../src/adapters/operators-file.ts';
import type { Failure } from '../../../src/domain/errors/failure.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-users-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('reads names and roles, and reads them again after a change', async () => {
  const path = join(dir, 'users');
  await writeFile(path, '# who may log in\nana=operator+frames\n\n  vera=viewer  \n');
  const faults: Failure[] = [];
  const file = new OperatorsFile(path, (failure) => faults.push(failure));
  expect(file.operators).toEqual([
    { name: 'ana', roles: ['operator', 'frames'], password: null },
    { name: 'vera', roles: [], password: null },
  ]);
  await writeFile(path, 'vera=operator\n');
  expect(file.operators).toEqual([{ name: 'vera', roles: ['operator'], password: null }]);
  expect(faults).toEqual([]);
});

it('keeps the users that were read last if a change is wrong, and says so once', async () => {
  const path = join(dir, 'broken');
  await writeFile(path, 'ana=operator\n');
  const faults: Failure[] = [];
  const file = new OperatorsFile(path, (failure) => faults.push(failure));
  await writeFile(path, 'ana=emperor\n');
  expect(file.operators).toHaveLength(1);
  expect(file.operators).toHaveLength(1);
  await rm(path);
  expect(file.operators).toHaveLength(1);
  expect(faults.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^BESTFRAME_DASHBOARD_USERS_FILE has a line that is not name=roles=password/),
    expect.stringMatching(/cannot be read \(ENOENT\)/),
  ]);
});

it('must be usable when the process starts', async () => {
  const ignore = () => undefined;
  expect(() => new OperatorsFile(join(dir, 'missing'), ignore)).toThrow(/cannot be read \(ENOENT\)/);
  const path = join(dir, 'twice');
  await writeFile(path, 'ana=operator\nana=viewer\n');
  expect(() => new OperatorsFile(path, ignore)).toThrow(/names ana twice/);
});
