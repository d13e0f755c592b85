/** Tests `bestframe emulator` as a user types it. Another process then uses the temporary keys that the emulator issues. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli, type RunningCli, startCli } from '../support/cli.ts';

let dir: string;
let emulator: RunningCli;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-emulator-'));
  emulator = startCli(['emulator', '--dir', dir, '--temporary-keys', '900', '--json']);
});
afterAll(async () => {
  emulator.child.kill('SIGTERM');
  await emulator.result;
  await rm(dir, { recursive: true, force: true });
});

it('prints temporary keys that work as a credentials file, and says until when', async () => {
  const [line] = await emulator.stdoutWith(/^\{.*\}$/m);
  const { proxy, caFile, temporary } = JSON.parse(line) as {
    proxy: string;
    caFile: string;
    temporary: { token: string; expiresAt: string };
  };
  const file = join(dir, 'credentials.json');
  await writeFile(file, JSON.stringify(temporary), { mode: 0o600 });
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_PROXY: proxy,
    BESTFRAME_CA_FILE: caFile,
    BESTFRAME_CREDENTIALS_FILE: file,
  };
  const doctor = await cli(['doctor', '--json'], { ...env, BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1' });
  const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; status: string; found: string }[] };
  const found = new Map(checks.map((check) => [check.name, check]));
  expect(found.get('credentials')).toMatchObject({ status: 'ok' });
  expect(found.get('credentials.source')?.found).toContain(temporary.expiresAt);
  await writeFile(file, JSON.stringify({ ...temporary, token: 'another' }));
  const refused = JSON.parse((await cli(['doctor', '--json'], env)).stdout) as {
    checks: { name: string; status: string }[];
  };
  expect(refused.checks).toContainEqual(expect.objectContaining({ name: 'credentials', status: 'fail' }));
});
