/**
 * Bad input must be refused with a clear error before anything is stored. The error names the field, the fault and the
 * cure.
 */
import { truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { createNames } from '../../src/redis/names.ts';
import { cli } from '../support/cli.ts';
import { createWorld, DIST, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let redis: Redis;
let live: string;
let image: string;

beforeAll(async () => {
  world = await createWorld({ workers: 0 });
  redis = new Redis(world.redisUrl);
  live = join(world.dir, 'inputs', 'live.gz');
  image = join(world.dir, 'inputs', 'photo.jpg');
  await writeFile(live, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
});
afterAll(async () => {
  redis.disconnect();
  await world.dispose();
});

/** Returns all keys except those of the sweeper and of retention, which may change at any time. */
async function stableKeys(): Promise<string[]> {
  return (await redis.keys('*'))
    .filter((key) => !/:(sweeper|feeder|retention|namespace|aof|probe|meta|stalled-check)$/.test(key))
    .sort();
}

interface Refusal {
  readonly error: { code: string; field: string | null; message: string; advice: string | null };
}

async function expectRefused(args: readonly string[], env: Record<string, string> = {}): Promise<Refusal['error']> {
  const names = createNames(world.config.prefix);
  const before = await stableKeys();
  const { code, stdout, stderr } = await cli(['enqueue', '--json', ...args], { ...world.env, ...env });
  expect(stdout).toBe('');
  expect(code).toBe(2);
  expect(await stableKeys()).toEqual(before);
  expect(await redis.zcard(names.live)).toBe(0);
  return (JSON.parse(stderr) as Refusal).error;
}

const enqueueArgs = (over: Record<string, string | null> = {}): string[] =>
  Object.entries({ key: 'bad-1', 'live-data': live, image, ...over }).flatMap(([name, value]) =>
    value === null ? [] : [`--${name}`, value],
  );

async function writeInput(name: string, bytes: Buffer | string): Promise<string> {
  const path = join(world.dir, 'inputs', name);
  await writeFile(path, bytes);
  return path;
}

describe('refuses a file that', () => {
  it.each([
    ['is missing', async () => join(world.dir, 'inputs', 'nowhere.jpg'), 'SOURCE_MISSING'],
    ['is a folder', async () => join(world.dir, 'inputs'), 'SOURCE_UNREADABLE'],
    ['is outside the roots', async () => join(DIST, 'src', 'index.js'), 'SOURCE_OUTSIDE_ROOTS'],
    [
      'is reached by climbing out of the roots',
      async () => join(world.dir, 'inputs', '..', 'emulator', 'ca.pem'),
      'SOURCE_OUTSIDE_ROOTS',
    ],
    ['is empty', async () => writeInput('empty.jpg', ''), 'SOURCE_EMPTY'],
    [
      'is too large',
      async () => {
        const path = await writeInput('large.jpg', sampleImage());
        await truncate(path, 11_000_000);
        return path;
      },
      'SOURCE_TOO_LARGE',
    ],
    ['is Base64', async () => writeInput('base64.txt', sampleImage().toString('base64')), 'SOURCE_NOT_BYTES'],
    [
      'is a data: URL',
      async () => writeInput('data.txt', `data:image/jpeg;base64,${sampleImage().toString('base64')}`),
      'SOURCE_NOT_BYTES',
    ],
    ['is neither an image nor Base64', async () => writeInput('note.txt', 'hello'), 'SOURCE_WRONG_KIND'],
  ])('%s', async (_what, path, code) => {
    const error = await expectRefused(enqueueArgs({ image: await path() }));
    expect(error).toMatchObject({ code, field: 'resources.image' });
    expect(error.message).toContain('resources.image');
    expect(error.message).toContain(':'); // the message has the form "fault: cure"
    expect(error.advice).toMatch(/\w/);
    expect(JSON.stringify(error)).not.toContain(world.dir);
  });
});

describe('refuses a request with', () => {
  it.each([
    ['the same resource twice', () => ({ image: live }), 'resources.image', 'INVALID_VERIFICATION'],
    ['an unknown action', () => ({ action: 'CompareFaces' }), 'action', 'INVALID_VERIFICATION'],
    ['an unknown region', () => ({ region: 'eu-frankfurt' }), 'region', 'INVALID_VERIFICATION'],
    ['an unknown upload method', () => ({ upload: 'ftp' }), 'upload', 'INVALID_VERIFICATION'],
    ['an http URL', () => ({ image: 'http://files.example.com/a.jpg' }), 'resources.image.url', 'INVALID_VERIFICATION'],
    ['a URL without a host', () => ({ image: 'https://' }), 'resources.image.url', 'INVALID_VERIFICATION'],
    ['a loopback URL', () => ({ image: 'https://127.0.0.1/a.jpg' }), 'resources.image.url', 'ADDRESS_FORBIDDEN'],
    [
      'the URL of a metadata service',
      () => ({ image: 'https://169.254.169.254/latest' }),
      'resources.image.url',
      'ADDRESS_FORBIDDEN',
    ],
    ['an IPv6 loopback URL', () => ({ image: 'https://[::1]/a.jpg' }), 'resources.image.url', 'ADDRESS_FORBIDDEN'],
    ['a threshold above 100', () => ({ threshold: '170' }), 'similarityThreshold', 'INVALID_VERIFICATION'],
    ['a threshold that is not a number', () => ({ threshold: 'high' }), 'similarityThreshold', 'INVALID_VERIFICATION'],
    ['a deadline in the past', () => ({ deadline: '2020-01-01T00:00:00Z' }), 'deadline', 'INVALID_VERIFICATION'],
    ['a deadline that is not a time', () => ({ deadline: 'tomorrow' }), 'deadline', 'INVALID_VERIFICATION'],
    ['a key with a space', () => ({ key: 'order 1' }), 'key', 'INVALID_VERIFICATION'],
    ['a key that is too long', () => ({ key: 'k'.repeat(129) }), 'key', 'INVALID_VERIFICATION'],
    ['no key', () => ({ key: null }), 'key', 'INVALID_VERIFICATION'],
    ['no photo', () => ({ image: null }), 'resources.image', 'INVALID_VERIFICATION'],
  ])('%s', async (_what, over, field, code) => {
    const error = await expectRefused(enqueueArgs(over()));
    expect(error).toMatchObject({ code, field });
    expect(error.message).toContain(field);
  });

  it('an MD5 that does not match the file', async () => {
    const request = await world.request('md5');
    const { liveData, image: photo } = request.resources;
    const wrong = { ...photo, md5: '0'.repeat(32) } as typeof photo;
    const failure = await world.client
      .enqueue({ ...request, resources: { liveData, image: wrong } })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SOURCE_MD5_MISMATCH', field: 'resources.image.md5' });
    expect(await redis.zcard(createNames(world.config.prefix).live)).toBe(0);
  });
});

it('reports that Redis is unavailable', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  const error = await expectRefused(enqueueArgs(), { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${port}` });
  expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
  expect(error.advice).toContain('REDIS_URL');
});

describe('a worker refuses to start', () => {
  const start = (env: Record<string, string>) =>
    cli(['start', 'verify'], { ...world.env, NODE_EXTRA_CA_CERTS: world.emulator.caFile, ...env });

  it.each([
    ['a bucket in another region', { BESTFRAME_BUCKETS: 'ap-hongkong=bestframe-dev-1250000000' }, 'BUCKET_REGION'],
    ['a wrong key', { TENCENTCLOUD_SECRET_KEY: 'guess' }, 'NO_CREDENTIALS'],
    ['no key', { TENCENTCLOUD_SECRET_ID: '', TENCENTCLOUD_SECRET_KEY: '' }, 'NO_CREDENTIALS'],
    ['the emulator in live mode', { BESTFRAME_MODE: 'live', BESTFRAME_PREFIX: '{live}' }, 'EMULATOR_IN_LIVE_MODE'],
  ])('with %s', async (_what, env, code) => {
    const result = await start(env);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(code);
    expect(result.stderr).not.toContain('    at '); // no stack trace
  });

  it('and leaves no mode behind, so that a worker in the right mode can start', async () => {
    const result = await start({ BESTFRAME_MODE: 'live', BESTFRAME_PREFIX: '{refused}' });
    expect(result.stderr).toContain('EMULATOR_IN_LIVE_MODE');
    expect(await redis.get(createNames('{refused}').mode)).toBeNull();
  });

  it('with a wrong clock, and says so', async () => {
    await world.control.settings({ clockSkewMs: -3_600_000 });
    const result = await start({});
    await world.control.settings({ clockSkewMs: 0 });
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/clock/);
  });
});
