/**
 * Runs HTTP API, verify worker and erase worker as if on three hosts: each has a network and a file system of its own, and they share
 * nothing but Redis and Tencent Cloud. Files over HTTP are staged in the own bucket.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { binaryOf } from '../support/redis-servers.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const NAMESPACES = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** Whether this machine lets its users make namespaces, and has the tools to configure them. */
const isPermitted =
  spawnSync('unshare', [...NAMESPACES, '--', 'sh', '-ec', 'ip link add bf0 type veth peer name bf1; nsenter --version'])
    .status === 0;

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(HOME, 'hosts-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it.skipIf(!isPermitted)(
  'files reach workers with which the API shares no disk, and nothing is left behind',
  async () => {
    const files: Record<string, { liveData: string; image: string }> = {};
    for (const key of ['own-bucket', 'create-upload-url', 'erased']) {
      files[key] = { liveData: join(dir, `${key}.gz`), image: join(dir, `${key}.jpg`) };
      await writeFile(files[key].liveData, sampleLiveData({ card: 'match', nonce: key }));
      await writeFile(files[key].image, sampleImage(key));
    }
    await mkdir(join(dir, 'disk'));
    const { command, env } = await binaryOf('redis-server');
    const args = [...NAMESPACES, '--', process.execPath, join(ROOT, 'test', 'support', 'hosts.mjs')];
    const task = JSON.stringify({ dir, redis: { command, env }, files });
    const { stdout } = await promisify(execFile)('unshare', args, { env: { PATH: process.env.PATH, TASK: task } });
    const erased = { status: 200, complete: true, staged: expect.any(Array) };
    const seen = JSON.parse(stdout);
    expect(seen).toEqual({
      verified: ['own-bucket', 'create-upload-url'].map((upload) => ({
        ...{ upload, decision: 'match', stored: true, status: 200, type: 'image/jpeg' },
      })),
      erased,
      names: ['api', 'verify', 'erase'],
      spooled: '',
      reach: { emulator: true, api: false },
    });
    expect(seen.erased.staged.sort()).toEqual([
      expect.stringMatching(/^staged\/t\/shop\/v\w+\/image\./),
      expect.stringMatching(/^staged\/t\/shop\/v\w+\/liveData\./),
    ]);
  },
);
