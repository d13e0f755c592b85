/** Tests `doctor --live --tape` and `emulator --compare` as an operator types them. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Tape } from '../../src/app/doctor/tape.ts';
import { cli } from '../support/cli.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await createWorld({ workers: 1 });
});
afterAll(() => world.dispose());

it('a tape of the emulator has no difference; a changed one exits with 1, and another file with 2', async () => {
  const file = join(world.dir, 'tape.json');
  const doctor = await cli(['doctor', '--live', '--tape', file], world.env);
  expect(doctor).toMatchObject({ code: 0, stdout: expect.stringContaining('live.sequence') });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const tape = JSON.parse(await readFile(file, 'utf8')) as Tape;
  expect(tape.calls).toHaveLength(18);

  expect(await cli(['emulator', '--compare', file])).toMatchObject({ code: 0, stdout: 'no difference\n' });

  const changed = tape.calls.map((call) => (call.step === 'live.video' ? { ...call, status: 500 } : call));
  await writeFile(file, JSON.stringify({ ...tape, calls: changed }));
  expect(await cli(['emulator', '--compare', file])).toMatchObject({
    code: 1,
    stdout: 'live.video#1  status: 500, emulator: 200\nnumber of differences: 1\n',
  });
  const json = await cli(['emulator', '--compare', file, '--json']);
  expect(JSON.parse(json.stdout)).toEqual({
    ok: false,
    differences: [{ step: 'live.video#1', where: 'status', tape: '500', emulator: '200' }],
  });

  await writeFile(file, '{}');
  expect(await cli(['emulator', '--compare', file])).toMatchObject({ code: 2, stdout: '' });
  expect(await cli(['doctor', '--tape', file], world.env)).toMatchObject({ code: 2, stdout: '' });
});
