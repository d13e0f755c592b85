/** Runs the script of the disaster drill on a real backup, and on backups that cannot be used. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../src/dev/free-port.ts';
import { newNamespace } from '../../src/domain/verification/namespace.ts';
import { binaryOf, type Server, startServer } from '../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { DIST, ROOT } from '../support/world.ts';

const SCRIPT = join(ROOT, 'deploy', 'drill', 'restore.sh');

const home = join(HOME, `drill-${process.pid}`);

let server: Server;
let rig: Rig;
let dump: string;
let path: string;

beforeAll(async () => {
  server = await startServer({ dir: home });
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${server.port}` } });
  await rig.client.enqueueMany([await rig.request('kept-1'), await rig.request('kept-2')]);
  await server.admin.save();
  dump = join(rig.dir, 'dump.rdb');
  await copyFile(join(home, 'dump.rdb'), dump);
  const bin = join(rig.dir, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'bestframe'), `#!/bin/sh\nexec '${process.execPath}' '${DIST}/src/cli/main.js' "$@"\n`);
  await chmod(join(bin, 'bestframe'), 0o755);
  const { command } = await binaryOf('redis-server');
  path = [bin, dirname(command), process.env.PATH].join(':');
});
afterAll(async () => {
  await rig.dispose();
  await server.stop();
  await rm(home, { recursive: true, force: true });
});

async function drill(args: readonly string[], settings: Record<string, string> = {}) {
  const { env } = await binaryOf('redis-server');
  const { BESTFRAME_NAMESPACE = '', BESTFRAME_PREFIX = '', BESTFRAME_MODE = '' } = rig.env;
  const own = { BESTFRAME_NAMESPACE, BESTFRAME_PREFIX, BESTFRAME_MODE, DRILL_PORT: String(await freePort()) };
  return promisify(execFile)(SCRIPT, args, { env: { ...env, PATH: path, ...own, ...settings } }).then(
    ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
}

it('restores a backup, reads it with the settings of the deployment, and counts the keys that are missing', async () => {
  const keys = join(rig.dir, 'keys.txt');
  await writeFile(keys, 'kept-1\nkept-2\nlater\n');
  const { code, stdout } = await drill([dump, keys]);
  expect(stdout).toMatch(/^restored in \d+ s: \d+ keys\nmemory needed: \d/);
  expect(stdout).toContain('namespace, key ring and API keys fit the backup');
  expect(stdout).toContain('keys that would have to be enqueued again: 1\n');
  expect(stdout).toMatch(/the backup can be used\n$/);
  expect(code).toBe(0);
});

it('fails with another namespace, with a file that is no backup, and without a file', async () => {
  const other = await drill([dump], { BESTFRAME_NAMESPACE: newNamespace() });
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('NAMESPACE_MISMATCH') });
  expect(other.stderr).toContain('FAILED: bestframe cannot use the backup');
  const broken = join(rig.dir, 'broken.rdb');
  await writeFile(broken, 'not a backup');
  expect(await drill([broken])).toMatchObject({ code: 1, stderr: expect.stringContaining('redis-server ended') });
  expect((await drill([])).code).toBe(2);
});
