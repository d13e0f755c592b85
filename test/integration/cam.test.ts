/**
 * Tests that each policy in `deploy/cam` permits exactly the actions that are called by its part of the product. The emulator's
 * call log shows these actions. A test fails if an action is missing in a policy, and also if a policy permits an action that
 * nobody calls.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openStorage } from '../../src/app/adapters.ts';
import { readConfig } from '../../src/app/config.ts';
import { bucketFolders } from '../../src/app/doctor/bucket-folders.ts';
import { diagnose } from '../../src/app/doctor/diagnose.ts';
import { initBucket } from '../../src/app/doctor/init-bucket.ts';
import { openDoctorTools } from '../../src/app/doctor-tools.ts';
import { openEdges } from '../../src/app/edges.ts';
import { readEvidence } from '../../src/app/read-evidence.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import { sampleDeviceData, sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { formOf, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const OWN = 'faces-1250000000';
const VERSIONED = 'versioned-1250000000';
const LOCKED = 'evidence-1250000000';
const FOLDER = join(import.meta.dirname, '..', '..', 'deploy', 'cam');
const ASKED = { by: 'officer', why: 'asked by letter' };

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_BUCKETS: `${REGION}=${OWN}`, BESTFRAME_QPS_DETECT: '50', BESTFRAME_QPS_UPLOAD_URL: '50' },
    emulator: { qps: {} },
    buckets: [
      { name: OWN, region: REGION },
      { name: LOCKED, region: REGION, objectLock: { days: null } },
      { name: VERSIONED, region: REGION, acl: 'public-read', versioning: 'Enabled' },
    ],
  });
});
afterEach(() => rig.control.reset());
afterAll(() => rig.dispose());

interface Policy {
  readonly version: string;
  readonly statement: readonly { effect: string; action: readonly string[]; resource: readonly string[] }[];
}

const readPolicy = (name: string) => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Policy;
const permitted = (name: string) => readPolicy(name).statement.flatMap(({ action }) => action);

/** The CAM action that a call needs. Null for a call through a link that Tencent made: the link carries its own permission. */
function camAction({ service, action, objects = [] }: CallEntry): string | null {
  if (service === 'faceid') return `faceid:${action}`;
  if (service === 'sts') return `sts:${action}`;
  const isVendors = objects.some((object) => object.startsWith('faceid-'));
  return service !== 'cos' || isVendors ? null : `name/cos:${action}`;
}

/** @returns the actions that were called since the last reset, each once, sorted. */
async function calledActions(): Promise<string[]> {
  return [...new Set((await rig.control.calls()).flatMap((call) => camAction(call) ?? []))].sort();
}

const content = async () => ({
  ...{ sizeBytes: 4, md5: createHash('md5').update('text').digest('hex'), contentType: 'text/plain' },
  async *stream() {
    yield Buffer.from('text');
  },
  close: async () => undefined,
});

async function verify(key: string, more: Partial<VerificationRequest> = {}): Promise<string> {
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, more));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 30_000 });
  expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored' });
  return id;
}

it('worker.json: verify and erase workers', async () => {
  const [worker, erase] = [await rig.openWorker(), await rig.openErase()];
  const { resources } = await rig.request('video');
  const video = { from: 'file', path: await rig.file('video.mp4', sampleVideo({ card: 'match' })) } as const;
  const recording = sampleVideo({ card: 'match', nonce: 'another' });
  const another = { from: 'file', path: await rig.file('another.mp4', recording) } as const;
  const frame = { to: 'cos', bucket: OWN, region: REGION, key: 'bestframe/frames/1.jpg' } as const;
  const id = await verify('own-bucket', { frame });
  await verify('links', { upload: 'create-upload-url' });
  await verify('video', {
    action: 'VideoLivenessCompare',
    resources: { video, image: resources.image },
    liveness: { type: 'SILENT' },
  });
  await verify('base64', {
    action: 'CompareFaceLiveness',
    upload: undefined,
    resources: { video: another, image: resources.image },
    liveness: { type: 'SILENT' },
    secondOpinion: true,
  });
  await rig.client.erase(id, ASKED);
  await expect.poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 30_000 }).toBe(true);
  await worker.stop(10_000);
  await erase.stop(10_000);
  expect(await calledActions()).toEqual(permitted('worker').sort());
});

it('api.json: light sequences, and frames in the own bucket', async () => {
  const worker = await rig.openWorker();
  const http = await openHttp(rig);
  const key = 'bestframe/t/acme/frames/2.jpg';
  const body = {
    ...(await rig.request('api')),
    frame: { to: 'cos', bucket: OWN, region: REGION, key },
  };
  const accepted = await http.call('POST', '/v1/verifications?wait=30', { json: body });
  const { id } = accepted.json as { id: string };
  await expect.poll(async () => (await http.call('GET', `/v1/verifications/${id}`)).json.frame).toBe('stored');
  await worker.stop(10_000);
  await rig.control.reset();
  expect((await http.call('GET', `/v1/verifications/${id}/best-frame`)).status).toBe(200);
  for (const upload of ['own-bucket', 'create-upload-url']) {
    const deviceData = sampleDeviceData({ card: 'match' }).toString();
    const answer = await http.call('POST', '/v1/sequences', { json: { region: REGION, upload, deviceData } });
    expect(answer.status).toBe(200);
  }
  await http.close();
  expect(await calledActions()).toEqual(permitted('api').sort());
});

it('staging.json: files over HTTP that are staged in the own bucket', async () => {
  const worker = await rig.openWorker();
  const http = await openHttp(rig, { BESTFRAME_STAGING_DIR: 'cos:bestframe-staged' });
  await rig.control.reset(); // the worker has checked the bucket
  const files = { liveData: sampleLiveData({ card: 'match', nonce: 'staged' }), image: sampleImage('staged') };
  const body = formOf({ key: 'staged', region: REGION, upload: 'own-bucket', frame: { to: 'none' } }, files);
  const answer = await http.call('POST', '/v1/verifications?wait=30', { body });
  expect(answer.json).toMatchObject({ decision: 'match' });
  await worker.stop(10_000);
  const { staging, close } = openStorage(readConfig({ ...rig.env, BESTFRAME_STAGING_DIR: 'cos:bestframe-staged' }));
  await staging?.remove(await staging.list());
  await close();
  await http.close();
  // The workers use an object in the right bucket where it is, so nothing is called in another folder.
  const cos = (await calledActions()).filter((action) => action.startsWith('name/cos:'));
  expect(cos.sort()).toEqual(permitted('staging').sort());
});

it('evidence.json: copies, reads, locks that become longer, and deletions in the bucket of the evidence', async () => {
  const config = readConfig({
    ...rig.env,
    BESTFRAME_EVIDENCE_BUCKETS: `${REGION}=${LOCKED}`,
    BESTFRAME_EVIDENCE_DAYS: '1',
    BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32).toString('base64')}`,
  });
  const { evidence, checkEvidence, close } = openEdges(config);
  const log = pino({ level: 'silent' });
  await checkEvidence(log);
  const bucket = evidence.of(REGION);
  const signal = AbortSignal.timeout(20_000);
  const until = Date.now() + 60_000;
  for (const end of [until, until + 30_000])
    await bucket.keep('bestframe/v1/answer.sealed', content, { owner: 'v1', until: end }, signal);
  expect(await readEvidence(config, evidence, 'v2', signal)).toBeNull();
  expect(await bucket.read('bestframe/v1/answer.sealed', 100, signal)).toBe('text');
  await rig.control.settings({ clockSkewMs: 120_000 });
  expect(await bucket.removeUnlocked('bestframe/v1/', Date.now() + 120_000, signal)).toMatchObject({ versions: 1 });
  await close();
  expect(await calledActions()).toEqual(permitted('evidence').sort());
});

it('doctor.json: all checks, and --live', async () => {
  const tools = openDoctorTools(rig.config);
  const { checks } = await diagnose(rig.config, tools, { live: true });
  await tools.close();
  expect(checks.filter(({ name, status }) => name.startsWith('live') && status !== 'ok')).toEqual([]);
  expect(await calledActions()).toEqual(permitted('doctor').sort());
});

it('bucket-init.json: creates a bucket, and mends one that is public and has versions', async () => {
  for (const bucket of ['new-1250000000', VERSIONED]) {
    const config = readConfig({ ...rig.env, BESTFRAME_BUCKETS: `${REGION}=${bucket}` });
    const tools = openDoctorTools(config);
    for (const { settings } of tools.buckets.values())
      await initBucket(settings, bucketFolders(config), () => undefined, AbortSignal.timeout(20_000));
    await tools.close();
  }
  expect(await calledActions()).toEqual(permitted('bucket-init').sort());
});

it('assume-role.json: the keys that assume a role', async () => {
  const role = 'qcs::cam::uin/100000000001:roleName/bestframe-worker';
  const tools = openDoctorTools(readConfig({ ...rig.env, BESTFRAME_ROLE_ARN: role }));
  await tools.credentials.get();
  await tools.close();
  expect(await calledActions()).toEqual(permitted('assume-role').sort());
  expect(readPolicy('assume-role').statement[0]?.resource).toEqual([role]);
});

it('every policy has the form that CAM takes, and permits no action everywhere in COS', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  expect(names.sort()).toEqual([
    'api.json',
    'assume-role.json',
    'bucket-init.json',
    'doctor.json',
    'evidence.json',
    'staging.json',
    'worker.json',
  ]);
  for (const name of names) {
    const { version, statement } = readPolicy(name.replace('.json', ''));
    expect(version).toBe('2.0');
    for (const { effect, action, resource } of statement) {
      expect(effect).toBe('allow');
      expect(action.filter((each) => each.includes('*'))).toEqual([]);
      if (!action.every((each) => each.startsWith('faceid:')))
        expect(resource.filter((each) => !each.startsWith('qcs::'))).toEqual([]);
    }
  }
});
