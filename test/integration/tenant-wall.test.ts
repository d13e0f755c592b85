/**
 * Tests that a tenant is a wall: what one tenant names in a request (objects, files, hosts, frames, endpoints) never reaches what
 * belongs to another tenant, and no answer tells whether it exists.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import type { FrameTarget, VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Source } from '../../src/domain/verification/sources.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createRig, type Rig } from '../support/rig.ts';

const SOON = { timeout: 20_000 };
const REGION = 'ap-singapore';
const BY = { by: 'operator' };
const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;
let receiver: Receiver;
let alpha: BestframeClient;
let beta: BestframeClient;

beforeAll(async () => {
  const env = { BESTFRAME_QPS_DETECT: '200', BESTFRAME_WEBHOOK_ALLOW: 'localhost,127.0.0.0/8' };
  rig = await createRig({ env, emulator: { qps: {} } });
  receiver = await startReceiver(rig.dir);
  await rig.openWorker();
  await rig.openErase();
  await rig.openNotify({ NO_PROXY: 'localhost', BESTFRAME_CA_FILE: receiver.caFile });
  alpha = rig.client.forTenant('alpha');
  beta = rig.client.forTenant('beta');
});
afterAll(async () => {
  await rig.dispose();
  await receiver.close();
});

const inBucket = (key: string) => ({ bucket: rig.bucket, region: REGION, key }) as const;
const cosSource = (key: string): Source => ({ from: 'cos', ...inBucket(key) });
const cosFrame = (key: string): FrameTarget => ({ to: 'cos', ...inBucket(key) });

/** A request whose sources lie in the tenant's own prefix of the bucket. */
async function ownRequest(tenant: string, key: string, more: Partial<VerificationRequest> = {}) {
  const place = (name: string) => `bestframe/t/${tenant}/in/${key}-${name}`;
  await rig.control.putObject(rig.bucket, place('live'), sampleLiveData({ nonce: `${tenant}-${key}`, card: 'match' }));
  await rig.control.putObject(rig.bucket, place('photo'), sampleImage(`${tenant}-${key}`));
  const resources = { liveData: cosSource(place('live')), image: cosSource(place('photo')) };
  return { key, region: REGION, upload: 'own-bucket', resources, ...more } satisfies VerificationRequest;
}

async function refusalOf(promise: Promise<unknown>) {
  return promise.then(
    () => 'accepted',
    ({ code, field, message }: { code: string; field?: string; message: string }) => ({ code, field, message }),
  );
}

async function md5At(key: string): Promise<string | undefined> {
  return (await rig.control.objects()).find((object) => object.key === key)?.md5;
}

function md5Of(bytes: Buffer | string): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Lets a tenant read files in a folder of its own, and writes the files of a request there. */
async function fileRequest(tenant: string, key: string, more: Partial<VerificationRequest> = {}) {
  const folder = join(rig.dir, 'inputs', tenant);
  await mkdir(folder, { recursive: true });
  await rig.client.tenants.set({ tenant, policy: { fileRoots: [folder] } }, BY);
  const write = async (name: string, bytes: Buffer): Promise<Source> => {
    const path = join(folder, `${key}-${name}`);
    await writeFile(path, bytes);
    return { from: 'file', path };
  };
  const liveData = await write('live.gz', sampleLiveData({ nonce: `${tenant}-${key}`, card: 'match' }));
  const image = await write('photo.jpg', sampleImage(`${tenant}-${key}`));
  return {
    key,
    region: REGION,
    upload: 'own-bucket',
    resources: { liveData, image },
    ...more,
  } satisfies VerificationRequest;
}

async function ended(client: BestframeClient, request: VerificationRequest) {
  const { id } = await client.enqueue(request);
  const view = await client.wait(id, { until: 'ended' });
  if (view === null) throw new Error('the verification is missing');
  return view;
}

describe('places', () => {
  it('a new tenant uses its own prefix, and its frames lie in a folder of its own', async () => {
    const frame = cosFrame('bestframe/t/alpha/out/own.jpg');
    const inCos = await ended(alpha, await ownRequest('alpha', 'own-cos', { frame }));
    expect(inCos).toMatchObject({ decision: 'match', frame: 'stored' });
    expect(inCos.bestFrame?.path).toBe(`cos:${REGION}/${rig.bucket}/bestframe/t/alpha/out/own.jpg`);
    const asFile = await ended(alpha, await ownRequest('alpha', 'own-file'));
    expect(asFile).toMatchObject({ decision: 'match', frame: 'stored' });
    expect(asFile.bestFrame?.path).toBe(join(rig.config.framesDir, 't', 'alpha', `${asFile.id}.jpg`));
  });

  it("refuses another tenant's staged objects and sources, whether they exist or not", async () => {
    const object = alpha.idOf('staged');
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object });
    const { id } = await alpha.enqueue(await fileRequest('alpha', 'staged'));
    await rig.control.waitFor({ event: 'held', object });
    const staged = (await rig.control.objects()).map(({ key }) => key).filter((key) => key.includes(id));
    expect(staged).toHaveLength(2);
    expect(staged.every((key) => key.startsWith('bestframe/t/alpha/'))).toBe(true);
    const request = await ownRequest('beta', 'thief');
    const naming = (key: string) =>
      refusalOf(beta.enqueue({ ...request, resources: { ...request.resources, image: cosSource(key) } }));
    const refused = await naming(staged[0] ?? '');
    expect(refused).toMatchObject({ code: 'PLACE_FORBIDDEN', field: 'resources.image' });
    for (const key of [`${staged[0]}-missing`, 'elsewhere.jpg', 'bestframe/t/beta', 'bestframe/t/beta-2/x.jpg'])
      expect(await naming(key)).toEqual(refused);
    expect(await beta.getByKey('thief')).toBeNull();
    await rig.control.release(hold);
    await alpha.wait(id, { until: 'ended' });
    await expect
      .poll(async () => (await rig.control.objects()).filter(({ key }) => key.includes(id)), SOON)
      .toEqual([]);
  });

  it('refuses a frame outside the prefix, and leaves the object there as it is', async () => {
    await rig.control.putObject(rig.bucket, 'ledger/2026.csv', Buffer.from('untouched'));
    const request = await ownRequest('beta', 'overwrite');
    const existing = await refusalOf(beta.enqueue({ ...request, frame: cosFrame('ledger/2026.csv') }));
    expect(existing).toMatchObject({ code: 'PLACE_FORBIDDEN', field: 'frame' });
    expect(await refusalOf(beta.enqueue({ ...request, frame: cosFrame('ledger/2027.csv') }))).toEqual(existing);
    expect(await md5At('ledger/2026.csv')).toBe(md5Of('untouched'));
  });

  it('refuses files and hosts that the policy does not allow, whether they exist or not', async () => {
    const request = await ownRequest('beta', 'files');
    const path = await rig.file('secret.jpg', sampleImage('secret'));
    const naming = (image: Source) =>
      refusalOf(beta.enqueue({ ...request, resources: { ...request.resources, image } }));
    const refused = await naming({ from: 'file', path });
    expect(refused).toMatchObject({ code: 'PLACE_FORBIDDEN', field: 'resources.image' });
    expect(await naming({ from: 'file', path: `${path}-missing` })).toEqual(refused);
    expect(await naming({ from: 'file', path: 'relative.jpg' })).toEqual(refused);
    expect(await naming({ from: 'https', url: 'https://photos.example.com/a.jpg' })).toEqual(refused);
    expect(await naming({ from: 'https', url: 'https://127.0.0.1/a.jpg' })).toEqual(refused);
  });

  it('a policy allows folders, and no path leads out of them', async () => {
    const request = await fileRequest('gamma', 'allowed');
    const gamma = rig.client.forTenant('gamma');
    expect(await ended(gamma, request)).toMatchObject({ decision: 'match' });
    const path = await rig.file('neighbour.jpg', sampleImage('neighbour'));
    for (const outside of [join(rig.dir, 'inputs', 'gamma', '..', 'neighbour.jpg'), path]) {
      const image: Source = { from: 'file', path: outside };
      const naming = gamma.enqueue({ ...request, key: 'escape', resources: { ...request.resources, image } });
      expect(await refusalOf(naming)).toMatchObject({ code: 'PLACE_FORBIDDEN' });
    }
  });

  it('the worker asks the policy of the moment again', async () => {
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'pause', { by: 'operator', why: 'test' });
    const delta = rig.client.forTenant('delta');
    const { id } = await delta.enqueue(await fileRequest('delta', 'tightened'));
    await rig.client.tenants.set({ tenant: 'delta', policy: {} }, BY);
    await rig.client.steerGate({ region: REGION, action: DETECT }, 'resume', { by: 'operator', why: 'test' });
    const view = await delta.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'failed', reason: { code: 'PLACE_FORBIDDEN', class: 'caller' }, paidCalls: 0 });
  });

  it('the deployment itself uses every place, as without tenants', async () => {
    expect(await ended(rig.client, await rig.request('plain'))).toMatchObject({ decision: 'match', frame: 'stored' });
    const first = rig.client.forTenant('default');
    expect(await ended(first, await rig.request('plain-default'))).toMatchObject({ decision: 'match' });
  });
});

describe('frames', () => {
  it("never replaces or deletes another verification's frame under the same name", async () => {
    const frame = { to: 'file', name: 'portrait.jpg' } as const;
    const mine = await ended(alpha, await ownRequest('alpha', 'portrait', { frame }));
    const theirs = await ended(beta, await ownRequest('beta', 'portrait', { frame }));
    expect([mine.frame, theirs.frame]).toEqual(['stored', 'stored']);
    expect(theirs.bestFrame?.path).not.toBe(mine.bestFrame?.path);
    expect(md5Of(await readFile(mine.bestFrame?.path ?? ''))).toBe(mine.bestFrame?.md5);

    const again = await ended(alpha, await ownRequest('alpha', 'portrait-2', { frame }));
    expect(again).toMatchObject({ decision: 'match', frame: 'lost', reason: { code: 'FRAME_TAKEN' } });
    expect(md5Of(await readFile(mine.bestFrame?.path ?? ''))).toBe(mine.bestFrame?.md5);
    await alpha.erase(again.id, { by: 'officer', why: 'test' });
    await expect.poll(async () => (await alpha.receipt(again.id))?.complete, SOON).toBe(true);
    expect(md5Of(await readFile(mine.bestFrame?.path ?? ''))).toBe(mine.bestFrame?.md5);
  });

  it('never replaces or deletes an object that this verification did not write', async () => {
    const key = 'documents/contract.pdf';
    await rig.control.putObject(rig.bucket, key, Buffer.from('signed'));
    const taken = await ended(rig.client, await rig.request('taken', { card: 'match' }, { frame: cosFrame(key) }));
    expect(taken).toMatchObject({ decision: 'match', frame: 'lost', reason: { code: 'FRAME_TAKEN' } });
    expect(await md5At(key)).toBe(md5Of('signed'));
    await rig.client.erase(taken.id, { by: 'officer', why: 'test' });
    await expect.poll(async () => (await rig.client.receipt(taken.id))?.complete, SOON).toBe(true);
    expect(await md5At(key)).toBe(md5Of('signed'));
  });

  it('never deletes an object that replaced the frame', async () => {
    const key = 'documents/portrait.jpg';
    const view = await ended(rig.client, await rig.request('replaced', { card: 'match' }, { frame: cosFrame(key) }));
    expect(view.frame).toBe('stored');
    await rig.control.putObject(rig.bucket, key, Buffer.from('a new portrait'));
    await rig.client.erase(view.id, { by: 'officer', why: 'test' });
    await expect.poll(async () => (await rig.client.receipt(view.id))?.complete, SOON).toBe(true);
    expect(await md5At(key)).toBe(md5Of('a new portrait'));
  });
});

describe('webhooks', () => {
  let secret: string;
  beforeEach(async () => {
    ({ secret } = await alpha.webhooks.add({ name: 'shop', url: receiver.url('/alpha') }));
  });

  it("refuses another tenant's endpoint exactly like an unknown one, and never calls it", async () => {
    expect(secret).toMatch(/^whsec_/);
    const told = await ended(alpha, await ownRequest('alpha', 'order-1', { webhook: 'shop' }));
    const heard = await receiver.waitFor(({ data }) => data.id === told.id && data.next === 'accept');
    expect(heard.data).toMatchObject({ id: told.id, tenant: 'alpha', key: 'order-1' });

    const request = await ownRequest('beta', 'order-1');
    const foreign = await refusalOf(beta.enqueue({ ...request, webhook: 'shop' }));
    const unknown = await refusalOf(beta.enqueue({ ...request, webhook: 'show' }));
    expect(foreign).toMatchObject({ code: 'WEBHOOK_UNKNOWN', field: 'webhook' });
    expect(JSON.stringify(unknown).replaceAll('show', 'shop')).toBe(JSON.stringify(foreign));
    expect(await beta.webhooks.list()).toEqual([]);
    expect(await beta.webhooks.remove('shop')).toBe('missing');
    for (const act of ['rotate', 'settle', 'enable', 'test'] as const)
      expect(await refusalOf(beta.webhooks[act]('shop'))).toMatchObject({ code: 'WEBHOOK_UNKNOWN' });
    expect(await beta.webhooks.deadLetters({ endpoint: 'shop' })).toEqual([]);
  });

  it('equal names of two tenants are two endpoints', async () => {
    await beta.webhooks.add({ name: 'shop', url: receiver.url('/beta') });
    const mine = await ended(alpha, await ownRequest('alpha', 'order-2', { webhook: 'shop' }));
    const theirs = await ended(beta, await ownRequest('beta', 'order-2', { webhook: 'shop' }));
    await receiver.waitFor(({ type, data }) => type === 'verification.completed' && data.id === theirs.id);
    await receiver.waitFor(({ type, data }) => type === 'verification.completed' && data.id === mine.id);
    expect(new Set(receiver.at('/alpha').map(({ data }) => data.tenant))).toEqual(new Set(['alpha']));
    expect(new Set(receiver.at('/beta').map(({ data }) => data.tenant))).toEqual(new Set(['beta']));
    await beta.webhooks.remove('shop');
    expect((await alpha.webhooks.list()).map(({ name }) => name)).toEqual(['shop']);
  });
});
