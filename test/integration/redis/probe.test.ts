/** Tests what the health check says about a Redis that takes no work. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RedisProbe } from '../../../src/redis/probe.ts';
import { redisSettings } from '../../../src/redis/redis-url.ts';
import { type Server, startServer } from '../../support/redis-servers.ts';
import { HOME } from '../../support/rig.ts';

const DIR = join(HOME, `probe-${process.pid}`);

let server: Server;
const probes: RedisProbe[] = [];

beforeAll(async () => {
  server = await startServer({ dir: DIR });
});
afterEach(() => {
  for (const probe of probes.splice(0)) probe.close();
});
afterAll(async () => {
  await server.stop();
  await rm(DIR, { recursive: true });
});

function probe(login = ''): RedisProbe {
  const opened = new RedisProbe(redisSettings(`redis://${login}127.0.0.1:${server.port}`, 'redis'), '{probe}');
  probes.push(opened);
  return opened;
}

it('finds nothing wrong with a Redis that takes writes, and its key disappears by itself', async () => {
  expect(await probe().run()).toBeNull();
  expect(await server.admin.keys('*')).toEqual(['{probe}:probe']);
  expect(await server.admin.pttl('{probe}:probe')).toBeGreaterThan(0);
});

it.each([
  ['too little memory', 'maxmemory', '1', '0', 'is out of memory'],
  ['too few replicas', 'min-replicas-to-write', '1', '0', 'too few replicas'],
] as const)('names %s', async (_what, setting, bad, good, words) => {
  const opened = probe();
  await server.admin.config('SET', setting, bad);
  try {
    expect(await opened.run()).toContain(words);
  } finally {
    await server.admin.config('SET', setting, good);
  }
  expect(await opened.run()).toBeNull(); // over the same connection
});

it('names a replica', async () => {
  const opened = probe();
  await server.admin.replicaof('127.0.0.1', 1);
  try {
    expect(await opened.run()).toContain('is a replica');
  } finally {
    await server.admin.replicaof('NO', 'ONE');
  }
  expect(await opened.run()).toBeNull();
});

it('names a wrong password, without showing it', async () => {
  const trouble = await probe('admin:guessed@').run();
  expect(trouble).toContain('refuses the user, the password');
  expect(trouble).not.toContain('guessed');
});

it('names a Redis that hangs, one that is gone, and sees that it is back', async () => {
  const opened = probe();
  expect(await opened.run()).toBeNull();
  process.kill(server.pid, 'SIGSTOP');
  try {
    const runs = [opened.run(), opened.run()];
    expect(await Promise.all(runs)).toEqual(Array(2).fill(expect.stringContaining('did not answer')));
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
  await server.kill();
  try {
    await expect.poll(() => opened.run(), { timeout: 20_000 }).toContain('cannot be reached');
  } finally {
    await server.restart();
  }
  await expect.poll(() => opened.run(), { timeout: 20_000 }).toBeNull();
});
