/** Tests `demo` and `dev`: their options and output, and that they leave nothing behind. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { cli, lives, startCli } from '../support/cli.ts';
import { expectNothingLeft, isOpen, startedBy } from '../support/local-deployment.ts';
import { HOME } from '../support/rig.ts';

const dir = join(HOME, `worlds-${process.pid}`);

beforeAll(() => mkdir(dir, { recursive: true }));
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('demo', () => {
  it("runs the user's own files with both upload methods, and with --keep runs until Ctrl-C", async () => {
    const [live, image] = [join(dir, 'own.gz'), join(dir, 'own.jpg')];
    await writeFile(live, sampleLiveData({ card: 'spoof' }));
    await writeFile(image, sampleImage());
    const running = startCli(['demo', '--live-data', live, '--image', image, '--keep']);
    const [, url = ''] = await running.stdoutWith(/Dashboard\s+(http:\S+)/);
    expect((await fetch(url)).status).toBe(401);
    running.child.kill('SIGINT');
    const result = await running.result;
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/own bucket[\s\S]*upload URL/);
    expect(result.stdout.match(/not_live/g)).toHaveLength(2);
    await expectNothingLeft(result);
  });

  it('leaves nothing behind after Ctrl-C during the run', async () => {
    const running = startCli(['demo', '--verifications', '200']);
    running.child.stderr?.setEncoding('utf8');
    await new Promise<void>((resolve) =>
      running.child.stderr?.on('data', (text: string) => /\[1\/200\]/.test(text) && resolve()),
    );
    running.child.kill('SIGINT');
    const result = await running.result;
    expect(result.code).toBe(1);
    await expectNothingLeft(result);
  });

  it('leaves no process behind after SIGKILL', async () => {
    const running = startCli(['demo', '--verifications', '200']);
    let stderr = '';
    running.child.stderr?.setEncoding('utf8');
    await new Promise<void>((resolve) =>
      running.child.stderr?.on('data', (text: string) => {
        stderr += text;
        if (/\[1\/200\]/.test(stderr)) resolve();
      }),
    );
    running.child.kill('SIGKILL');
    await running.result;
    const { pids } = startedBy({ code: null, stdout: '', stderr });
    expect(pids.length).toBeGreaterThanOrEqual(3);
    await expect.poll(() => pids.filter(lives), { timeout: 60_000 }).toEqual([]);
  });

  it('uses the Redis at REDIS_URL and leaves it unchanged', async () => {
    const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
    const provided = await startPrivateRedis({ binary, dir: join(dir, 'redis'), appendonly: false });
    const redis = new Redis(provided.url);
    await redis.set('{bestframe}:somebody', 'else');
    const result = await cli(['demo', '--verifications', '2'], { REDIS_URL: provided.url });
    expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining('REDIS_URL') });
    expect(await redis.keys('*')).toEqual(['{bestframe}:somebody']);
    redis.disconnect();
    await provided.stop();
  });

  it.each([
    [['--live-data', 'x.gz'], /--image is missing/],
    [['--verifications', '0'], /1 to 10,000/],
  ])('refuses %o', async (args, message) => {
    const result = await cli(['demo', ...args]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(message);
  });
});

describe('dev', () => {
  it('prints its addresses as one line of JSON, works, and leaves nothing behind', async () => {
    const running = startCli(['dev', '--json']);
    const [line = ''] = await running.stdoutWith(/^\{.*\}\n/);
    const world = JSON.parse(line);
    expect(Object.keys(world)).toEqual(['redis', 'emulator', 'proxy', 'caFile', 'dashboard', 'api', 'key', 'env']);
    expect(world).toMatchObject({ api: expect.any(String), key: expect.stringMatching(/^bf_test_/) });

    const home = world.env.BESTFRAME_FILE_ROOTS.split(',').at(-1);
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'live.gz'), sampleLiveData({ card: 'match' }));
    await writeFile(join(home, 'photo.jpg'), sampleImage());
    const sources = ['--live-data', join(home, 'live.gz'), '--image', join(home, 'photo.jpg')];
    const enqueued = await cli(['enqueue', '--key', 'dev-1', ...sources, '--wait', '--json'], world.env);
    expect(JSON.parse(enqueued.stdout)).toMatchObject({ state: 'completed', decision: 'match', mode: 'test' });

    running.child.kill('SIGTERM');
    const result = await running.result;
    expect(result.code).toBe(0);
    expect(result.stdout.trim().split('\n')).toHaveLength(1);
    await expectNothingLeft(result);
    const { hostname, port } = new URL(world.redis);
    expect(await isOpen(hostname, Number(port))).toBe(false);
    expect(existsSync(world.caFile)).toBe(false);
  });
});
