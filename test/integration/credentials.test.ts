/**
 * Tests each source of keys end to end, with verifications that use its keys. The keys expire after seconds, so they must be
 * renewed while work runs. The emulator accepts issued keys only until they expire.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { createRig, type Rig } from '../support/rig.ts';

const KEY_LIFE_MS = 3_000;
const ROLE = 'qcs::cam::uin/100000000001:roleName/bestframe-worker';
const REFUSED = ['AuthFailure', 'ExpiredToken', 'InvalidAccessKeyId'];

let rig: Rig;
let worker: Running | undefined;
let count = 0;

beforeAll(async () => {
  rig = await createRig({
    env: {
      BESTFRAME_QPS_DETECT: '100',
      BESTFRAME_QPS_UPLOAD_URL: '100',
      TENCENTCLOUD_SECRET_ID: '',
      TENCENTCLOUD_SECRET_KEY: '',
    },
    emulator: { qps: {}, keyTtlMs: KEY_LIFE_MS },
  });
});
afterEach(async () => {
  await worker?.stop(10_000);
  worker = undefined;
  await rig.control.reset();
  rig.lines.length = 0;
});
afterAll(() => rig.dispose());

const permanent = () => ({
  TENCENTCLOUD_SECRET_ID: rig.emulator.credentials.secretId,
  TENCENTCLOUD_SECRET_KEY: rig.emulator.credentials.secretKey,
});

async function runOne(): Promise<VerificationView> {
  count += 1;
  const { id } = await rig.client.enqueue(await rig.request(`credentials-${count}`));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 30_000 });
  if (view === null) throw new Error('the record is missing');
  return view;
}

const called = async (action: string) => (await rig.control.calls({ action })).length;

/**
 * Runs verifications until keys have been requested `times` times. Each verification ends at its first attempt, with one paid
 * call.
 */
async function runWhileRenewed(action: string, times = 3): Promise<void> {
  do {
    const view = await runOne();
    expect(view).toMatchObject({ decision: 'match', frame: 'stored', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view.stages.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
  } while ((await called(action)) < times);
  const codes = (await rig.control.calls()).map(({ code = '' }) => code);
  expect(codes.filter((code) => REFUSED.some((each) => code.startsWith(each)))).toEqual([]);
}

describe('a source of temporary keys, renewed while work runs', () => {
  it('the role of a CVM instance, found by its own name', async () => {
    worker = await rig.openWorker({
      BESTFRAME_INSTANCE_ROLE: 'auto',
      BESTFRAME_METADATA_URL: rig.emulator.metadataUrl,
    });
    await runWhileRenewed('GetRoleKeys');
    expect(await called('GetRoleName')).toBeGreaterThan(0);
  });

  it('the web identity of a TKE pod', async () => {
    const tokenFile = await rig.file('identity-token', Buffer.from('header.payload.signature\n'));
    worker = await rig.openWorker({
      TKE_REGION: 'ap-singapore',
      TKE_PROVIDER_ID: 'tke-provider',
      TKE_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      TKE_ROLE_ARN: ROLE,
    });
    await runWhileRenewed('AssumeRoleWithWebIdentity');
  });

  it('AssumeRole on top of keys from the environment', async () => {
    worker = await rig.openWorker({ ...permanent(), BESTFRAME_ROLE_ARN: ROLE });
    await runWhileRenewed('AssumeRole');
  });

  it('AssumeRole on top of the role of an instance, whose keys are renewed too', async () => {
    worker = await rig.openWorker({
      BESTFRAME_INSTANCE_ROLE: 'bestframe-emulator',
      BESTFRAME_METADATA_URL: rig.emulator.metadataUrl,
      BESTFRAME_ROLE_ARN: ROLE,
    });
    await runWhileRenewed('AssumeRole');
    expect(await called('GetRoleKeys')).toBeGreaterThanOrEqual(2);
    expect(await called('GetRoleName')).toBe(0);
  });
});

describe('a file', () => {
  it('the credentials file, replaced by another program while work runs', async () => {
    const path = join(rig.dir, 'keys.json');
    const write = async () => {
      const [keys] = await temporaryKeys();
      await writeFile(`${path}.new`, JSON.stringify(keys));
      await rename(`${path}.new`, path);
    };
    await write();
    worker = await rig.openWorker({ BESTFRAME_CREDENTIALS_FILE: path });
    for (let round = 0; round < 3; round += 1) {
      await write();
      expect(await runOne()).toMatchObject({ decision: 'match', paidCalls: 1 });
    }
  });

  it('the profile file of Tencent’s SDKs: named, or in the home folder', async () => {
    const { secretId, secretKey } = rig.emulator.credentials;
    const text = `[other]\nsecret_id = wrong\nsecret_key = wrong\n\n[default]\nsecret_id = ${secretId}\nsecret_key = ${secretKey}\n`;
    await mkdir(join(rig.dir, 'home', '.tencentcloud'), { recursive: true });
    const path = join(rig.dir, 'home', '.tencentcloud', 'credentials');
    await writeFile(path, text);
    for (const env of [{ TENCENTCLOUD_CREDENTIALS_FILE: path }, { HOME: join(rig.dir, 'home') }]) {
      const running = await rig.openWorker(env as Record<string, string>);
      expect(await runOne()).toMatchObject({ decision: 'match' });
      await running.stop(10_000);
    }
  });

  it('keys in the environment are used before a profile and an instance role', async () => {
    worker = await rig.openWorker({
      ...permanent(),
      TENCENTCLOUD_CREDENTIALS_FILE: '/does/not/exist',
      BESTFRAME_INSTANCE_ROLE: 'auto',
      BESTFRAME_METADATA_URL: rig.emulator.metadataUrl,
    });
    expect(await runOne()).toMatchObject({ decision: 'match' });
    expect(await rig.control.calls({ service: 'metadata' })).toEqual([]);
  });
});

describe('trouble', () => {
  it('while STS refuses to renew, the old keys are used until they expire, and this is logged', async () => {
    await rig.control.settings({ keyTtlMs: 20_000 });
    worker = await rig.openWorker({ ...permanent(), BESTFRAME_ROLE_ARN: ROLE });
    expect(await runOne()).toMatchObject({ decision: 'match' });
    await rig.control.fault({ kind: 'error', service: 'sts', code: 'UnauthorizedOperation', times: null });
    await expect
      .poll(
        async () => {
          expect(await runOne()).toMatchObject({ decision: 'match', paidCalls: 1 });
          return rig.lines.find(({ event }) => event === 'keys_not_renewed');
        },
        { timeout: 30_000 },
      )
      .toMatchObject({ code: 'NO_CREDENTIALS', reason: expect.stringContaining('BESTFRAME_ROLE_ARN') });
    expect(await runOne()).toMatchObject({ decision: 'match', paidCalls: 1 });
  });

  it('an outage of STS without old keys is waited out: no verification ends, and none is paid twice', async () => {
    const outage = await rig.control.fault({ kind: 'status', service: 'sts', status: 503, times: null });
    worker = await rig.openWorker({ ...permanent(), BESTFRAME_ROLE_ARN: ROLE, BESTFRAME_BACKOFF_MS: 'batch=50' });
    const requests = await Promise.all(
      Array.from({ length: 6 }, (_, index) => rig.request(`outage-${index}`, { card: 'match' }, { lane: 'batch' })),
    );
    await rig.client.enqueueMany(requests);
    // Once a breaker is open, only its probes ask STS, so that more calls could take minutes.
    await rig.control.waitFor({ service: 'sts' }, 4);
    await rig.control.release(outage);
    for (const { key } of requests) {
      const view = await rig.client.wait(rig.client.idOf(key), { until: 'ended', timeoutMs: 50_000 });
      expect(view).toMatchObject({ decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    }
    expect(JSON.stringify(rig.lines)).toContain('KEYS_UNAVAILABLE');
    expect(JSON.stringify(rig.lines)).not.toContain(rig.emulator.credentials.secretKey);
  }, 120_000);
});

/** Gets keys from the emulator, which decides how long they live. The test hands them out as another program would. */
async function temporaryKeys() {
  const base = `${rig.emulator.metadataUrl}/latest/meta-data/cam/security-credentials/`;
  const answer = (await (await fetch(`${base}bestframe-emulator`)).json()) as Record<string, string | number>;
  const { TmpSecretId: secretId, TmpSecretKey: secretKey, Token: token, ExpiredTime: expiresAt } = answer;
  return [{ secretId, secretKey, token, expiresAt }];
}
