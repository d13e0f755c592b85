/**
 * Tests `doctor` and `bucket init` against the emulator and real Redis servers, with a good setup and with each fault that these
 * commands can report.
 */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { bucketFolders } from '../../src/app/doctor/bucket-folders.ts';
import { diagnose } from '../../src/app/doctor/diagnose.ts';
import { initBucket, type Step } from '../../src/app/doctor/init-bucket.ts';
import type { Report } from '../../src/app/doctor/report.ts';
import type { CheckResult } from '../../src/app/doctor/run-checks.ts';
import { openDoctorTools } from '../../src/app/doctor-tools.ts';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const GOOD = 'good-1250000000';
const HONGKONG = 'hongkong-1250000000';
const PUBLIC = 'public-1250000000';
const VERSIONED = 'versioned-1250000000';
/** Like PUBLIC and VERSIONED, but to be repaired. */
const REPAIRED = { public: 'repaired-public-1250000000', versioned: 'repaired-versioned-1250000000' };
const LOCKED = 'evidence-1250000000';
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
      { name: LOCKED, region: REGION, objectLock: { days: 30 } },
      { name: PUBLIC, region: REGION, acl: 'public-read', lifecycle: RULE },
      { name: VERSIONED, region: REGION, versioning: 'Enabled', lifecycle: RULE + TAGGED },
      { name: REPAIRED.public, region: REGION, acl: 'public-read', lifecycle: RULE },
      { name: REPAIRED.versioned, region: REGION, versioning: 'Enabled', lifecycle: RULE + TAGGED },
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

/** Runs all checks, and expects that the report contains no secret. */
async function doctor(env: Env = {}, live = false): Promise<Report> {
  const config = configOf(env);
  const tools = openDoctorTools(config);
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

const checkNamed = ({ checks }: Report, name: string) => checks.find((check) => check.name === name) as CheckResult;
/** @returns the checks that are not ok, without a warning that the round trip to Redis is long: a busy machine gets it, too. */
const notOk = ({ checks }: Report) =>
  checks
    .flatMap(({ name, status }) => (status === 'ok' ? [] : [`${status} ${name}`]))
    .filter((found) => found !== 'warn redis.latency');

async function redisWith(appendonly: boolean, ...args: string[]): Promise<string> {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  const dir = join(rig.dir, `redis-${servers.length}`);
  const server = await startPrivateRedis({ binary, dir, appendonly, args });
  servers.push(server);
  return server.url;
}

const evidenceIn = (bucket: string) => ({
  BESTFRAME_EVIDENCE_BUCKETS: `${REGION}=${bucket}`,
  BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32).toString('base64')}`,
});

describe('a bucket of evidence', () => {
  it('passes if it has object lock, and fails if it has none, or does not exist', async () => {
    const name = `evidence.${REGION}`;
    expect(checkNamed(await doctor(evidenceIn(LOCKED)), name)).toMatchObject({ status: 'ok' });
    expect(checkNamed(await doctor(evidenceIn(PUBLIC)), name)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('no object lock'),
      advice: expect.stringMatching(/Enable object lock/),
    });
    expect(checkNamed(await doctor(evidenceIn('missing-1250000000')), name)).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('BESTFRAME_EVIDENCE_BUCKETS'),
    });
  });

  it('is no bucket of the uploads, and needs a key ring, and each region needs one', () => {
    const refused = (given: Env, problem: RegExp) => expect(() => configOf(given)).toThrow(problem);
    refused(evidenceIn(GOOD), /EVIDENCE_BUCKETS names good-1250000000, which is in BESTFRAME_BUCKETS/);
    refused({ ...evidenceIn(LOCKED), BESTFRAME_KEY_RING: '' }, /EVIDENCE_BUCKETS is set without BESTFRAME_KEY_RING/);
    refused({ ...evidenceIn(LOCKED), BESTFRAME_REGIONS: `${REGION},ap-hongkong` }, /names no bucket for ap-hongkong/);
    refused({ BESTFRAME_EVIDENCE_DAYS: '30' }, /EVIDENCE_DAYS is set without BESTFRAME_EVIDENCE_BUCKETS/);
  });
});

describe('a good setup', () => {
  it('passes every check, and leaves nothing behind', async () => {
    const before = await rig.control.objects();
    const report = await doctor({ BESTFRAME_REDIS_URL: await redisWith(true) });
    expect(notOk(report)).toEqual(['skipped live']);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }) => name)).toEqual([
      'redis',
      'redis.version',
      'redis.durability',
      'redis.eviction',
      'redis.latency',
      'namespace',
      'credentials.source',
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
      'spool',
      'roots',
      'live',
    ]);
    expect(checkNamed(report, 'redis.version').found).toMatch(/^(Redis|Valkey) \d+\.\d+/);
    expect(checkNamed(report, 'redis.durability').found).toMatch(/^unknown_fsync: the AOF is on/);
    expect(checkNamed(report, 'credentials').found).toMatch(/RequestId [0-9a-f-]{36}/);
    expect(checkNamed(report, 'live')).toMatchObject({ found: expect.stringContaining('not guaranteed') });
    expect(await rig.control.objects()).toEqual(before);
    expect(await readdir(rig.dir)).not.toContain('frames');
    const billed = await rig.control.calls({ billed: true });
    expect(billed).toEqual([]);
    expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare' })).toEqual([]);
  });

  it('--live finds no difference from the emulator, and no call is billed', async () => {
    const report = await doctor({}, true);
    const live = report.checks.filter(({ name }) => name.startsWith('live'));
    expect(live.map(({ name, status }) => `${status} ${name}`)).toEqual([
      'ok live.create-upload-url',
      'ok live.links',
      'ok live.put',
      'ok live.get',
      'ok live.detect',
      'ok live.video',
      'ok live.sequence',
    ]);
    for (const action of ['DetectReflectLivenessAndCompare', 'VideoLivenessCompare', 'GenerateReflectSequence']) {
      const calls = await rig.control.calls({ action });
      expect(calls).toMatchObject([{ code: 'InvalidParameterValue', billed: false }]);
    }
  });

  it('matches the list of checks in docs/doctor.md', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'doctor.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z<>.-]+)` \|/gm)].map(([, name]) => name);
    const report = await doctor({ BESTFRAME_STAGING_DIR: 'cos:bestframe-staged', ...evidenceIn(LOCKED) }, true);
    const checks = report.checks.map(({ name }) => name.replace(REGION, '<region>'));
    expect(listed).toEqual(checks);
  });

  it.each(['ap-hongkong', 'ap-bangkok'])('--live passes in %s', async (region) => {
    const report = await doctor({ BESTFRAME_REGIONS: region }, true);
    expect(report.checks.filter(({ name, status }) => name.startsWith('live') && status !== 'ok')).toEqual([]);
  });

  it('accepts a region without a bucket, and checks the bucket of a region that is not served', async () => {
    const report = await doctor({ BESTFRAME_REGIONS: 'ap-bangkok', BESTFRAME_FILE_ROOTS: '' });
    expect(checkNamed(report, 'bucket.ap-bangkok')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('only the upload way'),
    });
    expect(checkNamed(report, `bucket.${REGION}.delete`).status).toBe('ok');
    expect(checkNamed(report, 'roots').found).toContain('file sources are refused');
  });
});

describe('Redis', () => {
  it('warns if Redis has no AOF', async () => {
    const report = await doctor({ BESTFRAME_REDIS_URL: await redisWith(false) });
    expect(notOk(report)).toEqual(['warn redis.durability', 'skipped live']);
    expect(checkNamed(report, 'redis.durability')).toMatchObject({ found: expect.stringMatching(/^none:/) });
    expect(report.ok).toBe(true);
  });

  it('fails if Redis evicts keys', async () => {
    const url = await redisWith(true, '--maxmemory-policy', 'allkeys-lru');
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(report.ok).toBe(false);
    expect(checkNamed(report, 'redis.eviction')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('allkeys-lru'),
      advice: expect.stringContaining('noeviction'),
    });
  });

  it('fails once if Redis is not reachable, and runs the other checks', async () => {
    const report = await doctor({ BESTFRAME_REDIS_URL: 'redis://:secret-word@127.0.0.1:1' });
    expect(notOk(report)).toEqual([
      'fail redis',
      'skipped redis.version',
      'skipped redis.durability',
      'skipped redis.eviction',
      'skipped redis.latency',
      'skipped namespace',
      'skipped live',
    ]);
    expect(checkNamed(report, 'redis').found).toContain('ECONNREFUSED');
    expect(JSON.stringify(report)).not.toContain('secret-word');
  });

  it('names the error of a Redis that requires a password', async () => {
    const url = await redisWith(false);
    const redis = new Redis(url);
    await redis.call('CONFIG', 'SET', 'requirepass', 'something');
    redis.disconnect();
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(checkNamed(report, 'redis').found).toContain('NOAUTH');
  });

  it('fails on a replica, which accepts no writes', async () => {
    const { port } = new URL(inject('redisUrl'));
    const url = await redisWith(false, '--replicaof', `127.0.0.1 ${port}`);
    const report = await doctor({ BESTFRAME_REDIS_URL: url });
    expect(checkNamed(report, 'redis')).toMatchObject({ status: 'fail', found: expect.stringContaining('replica') });
    expect(checkNamed(await doctor(), 'redis.durability').found).toMatch(/^replica_only/);
  });
});

describe('credentials and clock', () => {
  it('fails on wrong credentials, and skips the checks that need them', async () => {
    const report = await doctor({ TENCENTCLOUD_SECRET_KEY: 'another-secret-key' });
    expect(checkNamed(report, 'credentials')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/AuthFailure\.SignatureFailure.*RequestId/),
      advice: expect.any(String),
    });
    expect(checkNamed(report, 'clock').status).toBe('ok');
    expect(checkNamed(report, `faceid.${REGION}`).status).toBe('skipped');
    expect(checkNamed(report, `bucket.${REGION}.put`)).toMatchObject({
      status: 'skipped',
      found: `not checked: bucket.${REGION} was skipped`,
    });
    expect(checkNamed(report, 'frames').status).toBe('ok');
  });

  it('fails without credentials', async () => {
    const { TENCENTCLOUD_SECRET_ID: _id, TENCENTCLOUD_SECRET_KEY: _key, ...without } = rig.env;
    const config = readConfig(without);
    const tools = openDoctorTools(config);
    const report = await diagnose(config, tools, { live: false });
    await tools.close();
    expect(checkNamed(report, 'credentials.source').found).toContain('NO_CREDENTIALS');
    expect(checkNamed(report, 'credentials').status).toBe('skipped');
    expect(checkNamed(report, 'clock').status).toBe('skipped');
  });

  it('says which source the keys come from, and until when they are valid', async () => {
    expect(checkNamed(await doctor(), 'credentials.source')).toMatchObject({
      status: 'ok',
      found: 'from the environment; they do not expire',
    });
    const instance = {
      TENCENTCLOUD_SECRET_ID: '',
      TENCENTCLOUD_SECRET_KEY: '',
      BESTFRAME_INSTANCE_ROLE: 'auto',
      BESTFRAME_METADATA_URL: rig.emulator.metadataUrl,
    };
    expect(checkNamed(await doctor(instance), 'credentials.source')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^from the instance role; valid until 20\d\d-.*Z$/),
    });
    const role = { BESTFRAME_ROLE_ARN: 'qcs::cam::uin/100000000001:roleName/bestframe' };
    expect(checkNamed(await doctor(role), 'credentials.source').found).toMatch(
      /^from the environment, with which a role was assumed; valid until 20/,
    );
    await rig.control.fault({ kind: 'error', service: 'sts', code: 'UnauthorizedOperation' });
    expect(checkNamed(await doctor(role), 'credentials.source')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(
        /^NO_CREDENTIALS: AssumeRole was refused \(UnauthorizedOperation, RequestId .*BESTFRAME_ROLE_ARN/,
      ),
    });
  });

  it.each([
    [8_000, 'warn', 'behind'],
    [-120_000, 'warn', 'ahead of'],
    [20_000, 'fail', 'behind'], // At this skew, links with a validity of 15 s have expired when FaceID receives them.
    [900_000, 'fail', 'behind'],
    [-900_000, 'fail', 'ahead of'],
  ])('reports a clock that is %i ms off', async (clockSkewMs, status, direction) => {
    await rig.control.settings({ clockSkewMs });
    const report = await doctor();
    expect(checkNamed(report, 'clock')).toMatchObject({ status, found: expect.stringContaining(direction) });
    expect(report.ok).toBe(status === 'warn');
    if (Math.abs(clockSkewMs) > 300_000) expect(checkNamed(report, 'credentials').found).toContain('SignatureExpire');
  });

  it('fails if CreateUploadUrl is not allowed, but only warns for a region that has a bucket', async () => {
    const code = 'UnauthorizedOperation.Unauthorized';
    await rig.control.fault({ kind: 'error', service: 'faceid', code, times: null });
    const report = await doctor({ BESTFRAME_REGIONS: `${REGION},ap-bangkok` });
    expect(checkNamed(report, 'credentials').found).toContain('the credentials are accepted');
    expect(checkNamed(report, `faceid.${REGION}`).status).toBe('warn');
    expect(checkNamed(report, 'faceid.ap-bangkok').status).toBe('fail');
  });

  it('checks a region that serves only sessions with a result call, and needs no bucket there', async () => {
    const report = await doctor({ BESTFRAME_REGIONS: `${REGION},sa-saopaulo` });
    expect(checkNamed(report, 'faceid.sa-saopaulo')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('GetSdkVerificationResult is allowed'),
    });
    expect(checkNamed(report, 'bucket.sa-saopaulo').found).toContain('sessions are all that Tencent offers here');
    await rig.control.fault({
      kind: 'error',
      service: 'faceid',
      code: 'UnauthorizedOperation.Unauthorized',
      times: null,
    });
    const denied = await doctor({ BESTFRAME_REGIONS: `${REGION},sa-saopaulo` });
    expect(checkNamed(denied, 'faceid.sa-saopaulo').status).toBe('fail');
  });

  it('fails if Tencent is not reachable', async () => {
    const report = await doctor({ BESTFRAME_PROXY: 'http://127.0.0.1:1' });
    expect(checkNamed(report, 'credentials').found).toContain('PROXY_REFUSED');
    expect(checkNamed(report, 'clock').status).toBe('skipped');
  });

  it('refuses the emulator in live mode', async () => {
    const report = await doctor({ BESTFRAME_MODE: 'live' });
    expect(checkNamed(report, 'credentials').found).toContain('EMULATOR_IN_LIVE_MODE');
  });
});

describe('a bucket', () => {
  const bucket = (name: string) => ({ BESTFRAME_BUCKETS: `${REGION}=${name}` });

  const keys = async () => (await rig.control.objects()).map(({ key }) => key);

  it('fails if it does not exist', async () => {
    const report = await doctor(bucket('nowhere-1250000000'));
    expect(checkNamed(report, `bucket.${REGION}`)).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('bucket init'),
    });
    expect(notOk(report).filter((each) => each.startsWith('skipped bucket'))).toHaveLength(7);
  });

  it('fails if it is in another region', async () => {
    const report = await doctor(bucket(HONGKONG));
    expect(checkNamed(report, `bucket.${REGION}`)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('ap-hongkong'),
    });
  });

  it('fails if it is public', async () => {
    const report = await doctor(bucket(PUBLIC));
    expect(checkNamed(report, `bucket.${REGION}.private`)).toMatchObject({
      status: 'fail',
      found: 'a request without a signature gets status 200, not 403',
    });
  });

  it('fails on versioning, and warns about a missing lifecycle rule', async () => {
    const report = await doctor(bucket(VERSIONED));
    expect(checkNamed(report, `bucket.${REGION}.versioning`)).toMatchObject({ status: 'fail', found: 'on' });
    expect(checkNamed(report, `bucket.${REGION}.versions`)).toMatchObject({
      status: 'ok',
      found: 'versions can be listed; the object left 2, which were deleted', // the version and its delete marker
    });
    expect((await rig.control.versions()).filter(({ bucket: name }) => name === VERSIONED)).toEqual([]);
    expect(checkNamed(report, `bucket.${REGION}.lifecycle`)).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/^no rule/),
    });
  });

  it('fails if the credentials may not access it', async () => {
    const fault = { kind: 'error', service: 'cos', action: 'HeadBucket', code: 'AccessDenied', status: 403 } as const;
    await rig.control.fault({ ...fault, times: null });
    expect(checkNamed(await doctor(), `bucket.${REGION}`)).toMatchObject({
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
  ])('reports that %s is not allowed', async (action, expected) => {
    const before = await keys();
    await rig.control.fault({ kind: 'error', service: 'cos', action, code: 'AccessDenied', status: 403, times: null });
    const report = await doctor();
    const base = `bucket.${REGION}.`;
    expect(
      notOk(report)
        .filter((each) => each.includes(base))
        .map((each) => each.replace(base, '')),
    ).toEqual(expected);
    const failed = report.checks.find(({ name, status }) => name.startsWith(base) && status === 'fail');
    if (failed !== undefined) expect(failed).toMatchObject({ advice: expect.stringContaining(`name/cos:${action}`) });
    const warned = report.checks.find(({ name, status }) => name === `${base}versions` && status === 'warn');
    if (warned !== undefined) expect(warned.found).toContain(`permit name/cos:${action} `);
    const left = (await keys()).filter((key) => !before.includes(key));
    expect(left).toHaveLength(action === 'DeleteObject' ? 1 : 0);
    for (const key of left) expect(failed?.advice).toContain(key); // The advice names the object that could not be deleted.
  });

  it('leaves nothing behind if a PUT arrives but is not answered', async () => {
    const before = await keys();
    await rig.control.fault({ kind: 'drop', service: 'cos', action: 'PutObject', times: 3 });
    const report = await doctor();
    expect(checkNamed(report, `bucket.${REGION}.put`).found).toContain('RESET');
    expect(await keys()).toEqual(before);
  });
});

describe('folders', () => {
  it('fails if frames cannot be written', async () => {
    const file = join(rig.dir, 'a-file');
    await writeFile(file, '');
    const report = await doctor({ BESTFRAME_FRAMES_DIR: join(file, 'frames') });
    expect(checkNamed(report, 'frames')).toMatchObject({ status: 'fail', found: expect.stringContaining('ENOTDIR') });
    expect(checkNamed(report, 'frames.space').status).toBe('ok');
    await mkdir(join(rig.dir, 'filled'));
    expect(checkNamed(await doctor({ BESTFRAME_FRAMES_DIR: join(rig.dir, 'filled') }), 'frames').status).toBe('ok');
    expect(await readdir(join(rig.dir, 'filled'))).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)('fails if another user owns the frames folder', async () => {
    const dir = join(rig.dir, 'read-only');
    await mkdir(dir, { mode: 0o500 });
    expect(checkNamed(await doctor({ BESTFRAME_FRAMES_DIR: dir }), 'frames').found).toContain('EACCES');
    await chmod(dir, 0o700);
  });

  it('names the spool folder that cannot be written to', async () => {
    const file = join(rig.dir, 'no-folder');
    await writeFile(file, '');
    const report = await doctor({ BESTFRAME_SPOOL_DIR: join(file, 'spool') });
    const found = expect.stringMatching(/SPOOL_UNWRITABLE.*BESTFRAME_SPOOL_DIR.*ENOTDIR/);
    expect(checkNamed(report, 'spool')).toMatchObject({ status: 'fail', found });
  });

  it('identifies unreadable file roots by their number', async () => {
    const roots = [rig.dir, join(rig.dir, 'nothing')].join(',');
    expect(checkNamed(await doctor({ BESTFRAME_FILE_ROOTS: roots }), 'roots')).toMatchObject({
      status: 'fail',
      found: 'folders of BESTFRAME_FILE_ROOTS that cannot be read: number 2 (ENOENT)',
    });
  });
});

describe('--live', () => {
  it('reports each difference, and that the call may be billed', async () => {
    await rig.control.fault({ kind: 'result', action: 'DetectReflectLivenessAndCompare', code: 'Success' });
    await rig.control.settings({ linkTtlMs: 3_600_000 });
    const report = await doctor({}, true);
    expect(checkNamed(report, 'live.create-upload-url')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/link lifetime: 3(?:600|59\d) s, emulator: 7200 s/), // some of the 3,600 s may have passed
    });
    const { status, found } = checkNamed(report, 'live.detect');
    expect(status).toBe('warn');
    expect(found).toContain('channel: result, emulator: error');
    expect(found).toContain('code: Success, emulator: InvalidParameterValue');
    expect(found).toContain('may have been billed');
    expect(report.ok).toBe(true);
  });

  it('does not call Detect if CreateUploadUrl is refused', async () => {
    await rig.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    const report = await doctor({}, true);
    expect(checkNamed(report, `faceid.${REGION}`).status).toBe('fail');
    expect(checkNamed(report, 'live.detect').status).toBe('skipped');
    expect(await rig.control.calls({ action: 'DetectReflectLivenessAndCompare' })).toEqual([]);
  });
});

describe('bucket init', () => {
  async function init(name: string, region = REGION, settings: Record<string, string> = {}): Promise<Step[]> {
    const config = configOf({ ...settings, BESTFRAME_BUCKETS: `${region}=${name}` });
    const tools = openDoctorTools(config);
    const steps: Step[] = [];
    try {
      for (const { settings } of tools.buckets.values()) {
        await initBucket(settings, bucketFolders(config), (step) => steps.push(step), AbortSignal.timeout(20_000));
      }
      return steps;
    } finally {
      await tools.close();
    }
  }
  const changed = (steps: readonly Step[]) => steps.filter((step) => step.changed).map(({ name }) => name);

  it('creates a missing bucket, and changes nothing in a second run', async () => {
    expect(changed(await init('made-1250000000'))).toEqual(['bucket', 'lifecycle']);
    const again = await init('made-1250000000');
    expect(changed(again)).toEqual([]);
    expect(again.map(({ found }) => found)).toEqual([
      `already exists in ${REGION}`,
      'already private',
      'already off',
      'a one-day rule already exists',
    ]);
    const report = await doctor({ BESTFRAME_BUCKETS: `${REGION}=made-1250000000` });
    expect(notOk(report).filter((each) => each.includes('bucket'))).toEqual([]);
  });

  it('repairs a public or versioned bucket, and leaves its other rules unchanged', async () => {
    expect(changed(await init(REPAIRED.public))).toEqual(['acl', 'lifecycle']);
    expect(changed(await init(REPAIRED.versioned))).toEqual(['versioning', 'lifecycle']);
    const config = configOf({ BESTFRAME_BUCKETS: `${REGION}=${REPAIRED.versioned}` });
    const tools = openDoctorTools(config);
    const rules = await tools.buckets.get(REGION)?.settings.rules(AbortSignal.timeout(10_000));
    await tools.close();
    expect(rules?.map(({ xml }) => xml).slice(0, 2)).toEqual([RULE, TAGGED]);
    expect(rules?.[2]).toMatchObject({ id: 'bestframe-one-day', enabled: true, prefix: 'bestframe/', days: 1 });
    for (const name of Object.values(REPAIRED)) {
      expect(changed(await init(name))).toEqual([]);
      const report = await doctor({ BESTFRAME_BUCKETS: `${REGION}=${name}` });
      expect(notOk(report).filter((each) => each.includes('bucket'))).toEqual([]);
    }
  });

  it('adds a second rule for files that are staged in the bucket, and the doctor checks that it is long enough', async () => {
    const staged = { BESTFRAME_STAGING_DIR: 'cos:staged', BESTFRAME_BUCKETS: `${REGION}=staging-1250000000` };
    expect(changed(await init('staging-1250000000', REGION, staged))).toEqual(['bucket', 'lifecycle', 'staging']);
    expect(changed(await init('staging-1250000000', REGION, staged))).toEqual([]);
    const check = async (more: Record<string, string>) =>
      checkNamed(await doctor({ ...staged, ...more }), `bucket.${REGION}.staging`);
    // 7 days of queue, 7 days of hold, 24 hours for a retry, and a day to spare.
    expect(await check({})).toMatchObject({ status: 'ok', found: expect.stringContaining('after 16 days') });
    expect(await check({ BESTFRAME_HOLD_HOURS: '720' })).toMatchObject({ status: 'fail' });
    expect(await check({ BESTFRAME_STAGING_DIR: 'cos:elsewhere' })).toMatchObject({ status: 'warn' });
  });

  it('refuses a name that exists in another region', async () => {
    await expect(init(HONGKONG)).rejects.toMatchObject({ code: 'BUCKET_REGION', message: /ap-hongkong/ });
  });

  it('writes no rules if it cannot read them', async () => {
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
