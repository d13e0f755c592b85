/** `doctor` and `bucket init` against the emulator and real Redis servers: all well, and each thing that can be wrong. */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { openInstruments } from '../../src/compose.ts';
import { readConfig } from '../../src/config.ts';
import { initBucket, type Step } from '../../src/doctor/bucket-init.ts';
import type { CheckResult } from '../../src/doctor/check.ts';
import { diagnose } from '../../src/doctor/diagnose.ts';
import type { Report } from '../../src/doctor/report.ts';
import { findRedis, type ProvidedRedis, startPrivateRedis } from '../../src/world/redis.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const GOOD = 'good-1250000000';
const HONGKONG = 'hongkong-1250000000';
const PUBLIC = 'public-1250000000';
const VERSIONED = 'versioned-1250000000';
const REGION = 'ap-singapore';
const RULE =
  '<Rule><ID>other &amp; older</ID><Filter><Prefix>archive/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>400</Days></Expiration></Rule>';
const TAGGED =
  '<Rule><ID>tagged</ID><Filter><And><Prefix></Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>';
const ONE_DAY =
  '<Rule><ID>all</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>';

let rig: Rig;
const servers: ProvidedRedis[] = [];

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_BUCKETS: `${REGION}=${GOOD}` },
    buckets: [
      { name: GOOD, region: REGION, lifecycle: ONE_DAY },
      { name: HONGKONG, region: 'ap-hongkong' },
      { name: PUBLIC, region: REGION, acl: 'public-read', lifecycle: RULE },
      { name: VERSIONED, region: REGION, versioning: 'Enabled', lifecycle: RULE + TAGGED },
    ],
  });
});
afterEach(() => rig.control.reset());
afterAll(async () => {
  await rig.dispose();
  await Promise.all(servers.map((server) => server.stop()));
});

type Env = Readonly<Record<string, string>>;

const configOf = (env: Env = {}) => readConfig({ ...rig.env, ...env });

/** Runs it, and holds what it says to giving nothing away. */
async function doctor(env: Env = {}, live = false): Promise<Report> {
  const config = configOf(env);
  const tools = openInstruments(config);
  try {
    const report = await diagnose(config, tools, { live });
    const { secretId, secretKey } = rig.emulator.credentials;
    for (const secret of [secretId, secretKey, rig.dir, 'q-sign', '://']) {
      expect(JSON.stringify(report)).not.toContain(secret);
    }
    return report;
  } finally {
    await tools.close();
  }
}

const named = ({ checks }: Report, name: string) => checks.find((check) => check.name === name) as CheckResult;
/** Everything but what is well. */
const wrong = ({ checks }: Report) =>
  checks.flatMap(({ name, status }) => (status === 'ok' ? [] : [`${status} ${name}`]));

async function redisWith(appendonly: boolean, ...args: string[]): Promise<string> {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  const dir = join(rig.dir, `redis-${servers.length}`);
  const server = await startPrivateRedis({ binary, dir, appendonly, args });
  servers.push(server);
  return server.url;
}

describe('all well', () => {
  it('says so, with what was found, and leaves nothing behind', async () => {
    const report = await doctor({ BESTFRAME_REDIS_URL: await redisWith(true) });
    expect(wrong(report)).toEqual(['skipped live']);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }) => name)).toEqual([
      'redis',
      'redis.version',
      'redis.durability',
      'redis.eviction',
      'redis.latency',
      'credentials',
      'clock',
      `faceid.${REGION}`,
      `bucket.${REGION}`,
      `bucket.${REGION}.put`,
      `bucket.${REGION}.get`,
      `bucket.${REGION}.private`,
      `bucket.${REGION}.delete`,
      `bucket.${REGION}.versions`,
      `bucket.${REGION}.versioning`,
      `bucket.${REGION}.lifecycle`,
      'frames',
      'frames.space',
      'roots',
      'live',
    ]);
    expect(named(report, 'redis.version').found).toMatch(/^(Redis|Valkey) \d+\.\d+/);
    expect(named(report, 'redis.durability').found).toMatch(/^unknown fsync: AOF is on/);
    expect(named(report, 'credentials').found).toMatch(/RequestId [0-9a-f-]{36}/);
    expect(named(report, 'live')).toMatchObject({ found: expect.stringContaining('not guaranteed') });
    expect(await rig.control.objects()).toEqual([]);
    expect(await readdir(rig.dir)).not.toContain('frames');
    const billed = await rig.control.calls({ billed: true });
    expect(billed).toEqual([]);
    expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare' })).toEqual([]);
  });

  it('--live: no difference from the emulator, and nothing is billed', async () => {
    const report = await doctor({}, true);
    const live = report.checks.filter(({ name }) => name.startsWith('live'));
    expect(live.map(({ name, status }) => `${status} ${name}`)).toEqual([
      'ok live.create-upload-url',
      'ok live.links',
      'ok live.put',
      'ok live.get',
      'ok live.detect',
    ]);
    const [detect, ...more] = await rig.control.calls({ action: 'DetectReflectLivenessAndCompare' });
    expect(detect).toMatchObject({ code: 'InvalidParameterValue', billed: false });
    expect(more).toEqual([]);
  });

  it('docs/doctor.md lists the checks as they are, in their order', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'doctor.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z<>.-]+)` \|/gm)].map(([, name]) => name);
    const checks = (await doctor({}, true)).checks.map(({ name }) => name.replace(REGION, '<region>'));
    expect(listed).toEqual(checks);
  });

  it.each(['ap-hongkong', 'ap-bangkok'])('--live in %s', async (region) => {
    const report = await doctor({ BESTFRAME_REGIONS: region }, true);
    expect(report.checks.filter(({ name, status }) => name.startsWith('live') && status !== 'ok')).toEqual([]);
  });

  it('a region without an own bucket, and a bucket of a region that is not served', async () => {
    const report = await doctor({ BESTFRAME_REGIONS: 'ap-bangkok', BESTFRAME_FILE_ROOTS: '' });
    expect(named(report, 'bucket.ap-bangkok')).toMatchObject({ status: 'ok', found: expect.stringContaining('alone') });
    expect(named(report, `bucket.${REGION}.delete`).status).toBe('ok');
    expect(named(report, 'roots').found).toContain('file sources are refused');
  });
});

describe('Redis', () => {
  it('without an AOF is something to look at', async () => {
    const report = await doctor({ BESTFRAME_REDIS_URL: await redisWith(false) });
    expect(wrong(report)).toEqual(['warn redis.durability', 'skipped live']);
    expect(named(report, 'redis.durability')).toMatchObject({ found: expect.stringMatching(/^none:/) });
    expect(report.ok).toBe(true);
  });

  it('that evicts fails', async () => {
    const url = await redisWith(true, '--maxmemory-policy', 'allkeys-lru');
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(report.ok).toBe(false);
    expect(named(report, 'redis.eviction')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('allkeys-lru'),
      advice: expect.stringContaining('noeviction'),
    });
  });

  it('that is away fails once, and the rest is looked at', async () => {
    const report = await doctor({ BESTFRAME_REDIS_URL: 'redis://:secret-word@127.0.0.1:1' });
    expect(wrong(report)).toEqual([
      'fail redis',
      'skipped redis.version',
      'skipped redis.durability',
      'skipped redis.eviction',
      'skipped redis.latency',
      'skipped live',
    ]);
    expect(named(report, 'redis').found).toContain('ECONNREFUSED');
    expect(JSON.stringify(report)).not.toContain('secret-word');
  });

  it('that wants a password says its own word', async () => {
    const url = await redisWith(false);
    const redis = new Redis(url);
    await redis.call('CONFIG', 'SET', 'requirepass', 'something');
    redis.disconnect();
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(named(report, 'redis').found).toContain('NOAUTH');
  });

  it('a replica takes no writes', async () => {
    const { port } = new URL(inject('redisUrl'));
    const url = await redisWith(false, '--replicaof', `127.0.0.1 ${port}`);
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(named(report, 'redis')).toMatchObject({ status: 'fail', found: expect.stringContaining('replica') });
    expect(named(await doctor(), 'redis.durability').found).toMatch(/^replica-only/);
  });
});

describe('keys and clock', () => {
  it('wrong keys fail, and what needs keys is skipped', async () => {
    const report = await doctor({ TENCENTCLOUD_SECRET_KEY: 'another-secret-key' });
    expect(named(report, 'credentials')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/AuthFailure\.SignatureFailure.*RequestId/),
      advice: expect.any(String),
    });
    expect(named(report, 'clock').status).toBe('ok');
    expect(named(report, `faceid.${REGION}`).status).toBe('skipped');
    expect(named(report, `bucket.${REGION}.put`)).toMatchObject({
      status: 'skipped',
      found: `not looked at: bucket.${REGION} was skipped`,
    });
    expect(named(report, 'frames').status).toBe('ok');
  });

  it('no keys at all fail', async () => {
    const { TENCENTCLOUD_SECRET_ID: _id, TENCENTCLOUD_SECRET_KEY: _key, ...without } = rig.env;
    const config = readConfig(without);
    const tools = openInstruments(config);
    const report = await diagnose(config, tools, { live: false });
    await tools.close();
    expect(named(report, 'credentials').found).toContain('NO_CREDENTIALS');
    expect(named(report, 'clock').status).toBe('skipped');
  });

  it.each([
    [8_000, 'warn', 'behind'],
    [-120_000, 'warn', 'ahead of'],
    [20_000, 'fail', 'behind'], // links of 15 s would be dead
    [900_000, 'fail', 'behind'],
    [-900_000, 'fail', 'ahead of'],
  ])('a clock that is %i ms off', async (clockSkewMs, status, words) => {
    await rig.control.settings({ clockSkewMs });
    const report = await doctor();
    expect(named(report, 'clock')).toMatchObject({ status, found: expect.stringContaining(words) });
    expect(report.ok).toBe(status === 'warn');
    if (Math.abs(clockSkewMs) > 300_000) expect(named(report, 'credentials').found).toContain('SignatureExpire');
  });

  it('CreateUploadUrl that is not permitted: fails, but not where there is an own bucket', async () => {
    const code = 'UnauthorizedOperation.Unauthorized';
    await rig.control.fault({ kind: 'error', service: 'faceid', code, times: null });
    const report = await doctor({ BESTFRAME_REGIONS: `${REGION},ap-bangkok` });
    expect(named(report, 'credentials').found).toContain('the keys are known');
    expect(named(report, `faceid.${REGION}`).status).toBe('warn');
    expect(named(report, 'faceid.ap-bangkok').status).toBe('fail');
  });

  it('a vendor that is out of reach', async () => {
    const report = await doctor({ BESTFRAME_PROXY: 'http://127.0.0.1:1' });
    expect(named(report, 'credentials').found).toContain('PROXY_REFUSED');
    expect(named(report, 'clock').status).toBe('skipped');
  });

  it('the emulator in mode live', async () => {
    const report = await doctor({ BESTFRAME_MODE: 'live' });
    expect(named(report, 'credentials').found).toContain('EMULATOR_IN_LIVE_MODE');
  });
});

describe('a bucket', () => {
  const bucket = (name: string) => ({ BESTFRAME_BUCKETS: `${REGION}=${name}` });

  const keys = async () => (await rig.control.objects()).map(({ key }) => key);

  it('that is not there', async () => {
    const report = await doctor(bucket('nowhere-1250000000'));
    expect(named(report, `bucket.${REGION}`)).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('bucket init'),
    });
    expect(wrong(report).filter((each) => each.startsWith('skipped bucket'))).toHaveLength(7);
  });

  it('in another region', async () => {
    const report = await doctor(bucket(HONGKONG));
    expect(named(report, `bucket.${REGION}`)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('ap-hongkong'),
    });
  });

  it('that is public', async () => {
    const report = await doctor(bucket(PUBLIC));
    expect(named(report, `bucket.${REGION}.private`)).toMatchObject({
      status: 'fail',
      found: 'without a signature it answers with status 200, not 403',
    });
  });

  it('with versioning, and with no rule for the folder', async () => {
    const report = await doctor(bucket(VERSIONED));
    expect(named(report, `bucket.${REGION}.versioning`)).toMatchObject({ status: 'fail', found: 'on' });
    expect(named(report, `bucket.${REGION}.versions`)).toMatchObject({
      status: 'ok',
      found: 'they can be listed; the object had left 2, which were deleted', // the version, and the marker above it
    });
    expect((await rig.control.versions()).filter(({ bucket: name }) => name === VERSIONED)).toEqual([]);
    expect(named(report, `bucket.${REGION}.lifecycle`)).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/^no rule/),
    });
  });

  it('that the keys may not look at', async () => {
    const fault = { kind: 'error', service: 'cos', action: 'HeadBucket', code: 'AccessDenied', status: 403 } as const;
    await rig.control.fault({ ...fault, times: null });
    expect(named(await doctor(), `bucket.${REGION}`)).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('name/cos:HeadBucket'),
    });
  });

  it.each([
    ['PutObject', ['fail put', 'skipped get', 'skipped delete']],
    ['GetObject', ['fail get']],
    ['DeleteObject', ['fail delete', 'warn versions']],
    ['GetBucketObjectVersions', ['warn versions']],
    ['GetBucketVersioning', ['warn versioning']],
    ['GetBucketLifecycle', ['warn lifecycle']],
    ['GetBucketACL', []],
  ])('%s that is not permitted', async (action, expected) => {
    const before = await keys();
    await rig.control.fault({ kind: 'error', service: 'cos', action, code: 'AccessDenied', status: 403, times: null });
    const report = await doctor();
    const base = `bucket.${REGION}.`;
    expect(
      wrong(report)
        .filter((each) => each.includes(base))
        .map((each) => each.replace(base, '')),
    ).toEqual(expected);
    const failed = report.checks.find(({ name, status }) => name.startsWith(base) && status === 'fail');
    if (failed !== undefined) expect(failed).toMatchObject({ advice: expect.stringContaining(`name/cos:${action}`) });
    const warned = report.checks.find(({ name, status }) => name === `${base}versions` && status === 'warn');
    if (warned !== undefined) expect(warned.found).toContain(`permit name/cos:${action} `);
    const left = (await keys()).filter((key) => !before.includes(key));
    expect(left).toHaveLength(action === 'DeleteObject' ? 1 : 0);
    for (const key of left) expect(failed?.advice).toContain(key); // what could not be deleted is named
  });

  it('that does not answer a PUT leaves nothing, though the object had arrived', async () => {
    const before = await keys();
    await rig.control.fault({ kind: 'drop', service: 'cos', action: 'PutObject', times: 3 });
    const report = await doctor();
    expect(named(report, `bucket.${REGION}.put`).found).toContain('RESET');
    expect(await keys()).toEqual(before);
  });
});

describe('folders', () => {
  it('frames that cannot be written', async () => {
    const file = join(rig.dir, 'a-file');
    await writeFile(file, '');
    const report = await doctor({ BESTFRAME_FRAMES_DIR: join(file, 'frames') });
    expect(named(report, 'frames')).toMatchObject({ status: 'fail', found: expect.stringContaining('ENOTDIR') });
    expect(named(report, 'frames.space').status).toBe('ok');
    await mkdir(join(rig.dir, 'filled'));
    expect(named(await doctor({ BESTFRAME_FRAMES_DIR: join(rig.dir, 'filled') }), 'frames').status).toBe('ok');
    expect(await readdir(join(rig.dir, 'filled'))).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)('frames that others own', async () => {
    const dir = join(rig.dir, 'read-only');
    await mkdir(dir, { mode: 0o500 });
    expect(named(await doctor({ BESTFRAME_FRAMES_DIR: dir }), 'frames').found).toContain('EACCES');
    await chmod(dir, 0o700);
  });

  it('roots that cannot be read, by their number', async () => {
    const roots = [rig.dir, join(rig.dir, 'nothing')].join(',');
    expect(named(await doctor({ BESTFRAME_FILE_ROOTS: roots }), 'roots')).toMatchObject({
      status: 'fail',
      found: 'of BESTFRAME_FILE_ROOTS cannot be read: number 2 (ENOENT)',
    });
  });
});

describe('--live', () => {
  it('tells each difference, and where a bill may come', async () => {
    await rig.control.fault({ kind: 'result', action: 'DetectReflectLivenessAndCompare', code: 'Success' });
    await rig.control.settings({ linkTtlMs: 3_600_000 });
    const report = await doctor({}, true);
    expect(named(report, 'live.create-upload-url')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('life of the links: 3600 s, the emulator 7200 s'),
    });
    const { status, found } = named(report, 'live.detect');
    expect(status).toBe('warn');
    expect(found).toContain('channel: result, the emulator error');
    expect(found).toContain('code: Success, the emulator InvalidParameterValue');
    expect(found).toContain('may be on the bill');
    expect(report.ok).toBe(true);
  });

  it('makes no call where CreateUploadUrl is refused', async () => {
    await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    const report = await doctor({}, true);
    expect(named(report, `faceid.${REGION}`).status).toBe('fail');
    expect(named(report, 'live.detect').status).toBe('skipped');
    expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare' })).toEqual([]);
  });
});

describe('bucket init', () => {
  async function init(name: string, region = REGION): Promise<Step[]> {
    const config = configOf({ BESTFRAME_BUCKETS: `${region}=${name}` });
    const tools = openInstruments(config);
    const steps: Step[] = [];
    try {
      for (const { settings } of tools.buckets.values()) {
        await initBucket(settings, config.objectFolder, (step) => steps.push(step), AbortSignal.timeout(20_000));
      }
      return steps;
    } finally {
      await tools.close();
    }
  }
  const changed = (steps: readonly Step[]) => steps.filter((step) => step.changed).map(({ name }) => name);

  it('makes one that is not there, and a second run changes nothing', async () => {
    expect(changed(await init('made-1250000000'))).toEqual(['bucket', 'lifecycle']);
    const again = await init('made-1250000000');
    expect(changed(again)).toEqual([]);
    expect(again.map(({ found }) => found)).toEqual([
      `was there, in ${REGION}`,
      'was private',
      'was off',
      'a rule of one day was there',
    ]);
    const report = await doctor({ BESTFRAME_BUCKETS: `${REGION}=made-1250000000` });
    expect(wrong(report).filter((each) => each.includes('bucket'))).toEqual([]);
  });

  it('mends one that is public or versioned, and keeps the rules of others to the letter', async () => {
    expect(changed(await init(PUBLIC))).toEqual(['acl', 'lifecycle']);
    expect(changed(await init(VERSIONED))).toEqual(['versioning', 'lifecycle']);
    const config = configOf({ BESTFRAME_BUCKETS: `${REGION}=${VERSIONED}` });
    const tools = openInstruments(config);
    const rules = await tools.buckets.get(REGION)?.settings.rules(AbortSignal.timeout(10_000));
    await tools.close();
    expect(rules?.map(({ xml }) => xml).slice(0, 2)).toEqual([RULE, TAGGED]);
    expect(rules?.[2]).toMatchObject({ id: 'bestframe-one-day', enabled: true, prefix: 'bestframe/', days: 1 });
    for (const name of [PUBLIC, VERSIONED]) {
      expect(changed(await init(name))).toEqual([]);
      const report = await doctor({ BESTFRAME_BUCKETS: `${REGION}=${name}` });
      expect(wrong(report).filter((each) => each.includes('bucket'))).toEqual([]);
    }
  });

  it('does not take a name that lies in another region', async () => {
    await expect(init(HONGKONG)).rejects.toMatchObject({ code: 'BUCKET_REGION', message: /ap-hongkong/ });
  });

  it('writes no rules where it could not read them', async () => {
    await rig.control.fault({
      kind: 'error',
      action: 'GetBucketLifecycle',
      service: 'cos',
      code: 'AccessDenied',
      status: 403,
    });
    await expect(init(HONGKONG, 'ap-hongkong')).rejects.toMatchObject({ code: 'AccessDenied' });
    expect(await rig.control.calls({ action: 'PutBucketLifecycle' })).toEqual([]);
  });
});
