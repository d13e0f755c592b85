/**
 * Tests files that are sent over HTTP and staged in the company's own bucket: API and workers share no folder, and nothing is left
 * in the bucket after the end, after an erasure, and after uploads that lost or were refused.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStorage } from '../../src/app/adapters.ts';
import { readConfig } from '../../src/app/config.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { ACTIONS, type ResourceRule } from '../../src/domain/verification/actions.ts';
import { tenantNamespace, verificationId } from '../../src/domain/verification/identity.ts';
import type { Source } from '../../src/domain/verification/sources.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { StagingSweep } from '../../src/server/api/staging-sweep.ts';
import { type Answer, formOf, type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const REFUSED = 'InvalidParameterValue';

let rig: Rig;
let http: Http;
let sweep: StagingSweep;
let closeStorage: () => Promise<void>;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_FILE_ROOTS: '', BESTFRAME_STAGING_DIR: 'cos:staged' } });
  http = await openHttp(rig, { BESTFRAME_STAGING_DIR: 'cos:staged', BESTFRAME_SPOOL_DIR: join(rig.dir, 'api-spool') });
  const { staging, close } = openStorage(readConfig(rig.env));
  if (staging === null) throw new Error('no files are accepted');
  sweep = new StagingSweep({ client: rig.client, staging, log: pino({ level: 'silent' }) });
  closeStorage = close;
  await rig.openWorker({ BESTFRAME_SPOOL_DIR: join(rig.dir, 'worker-spool') });
  await rig.openErase();
});
afterAll(async () => {
  await closeStorage();
  await http.close();
  await rig.dispose();
});

const idOf = (key: string, tenant = 'acme') => verificationId(tenantNamespace(namespaceOf(rig.config), tenant), key);
const objectsOf = async (id: string) =>
  (await rig.control.objects()).map(({ key }) => key).filter((key) => key.includes(id));
const stagedOf = async (id: string) => (await objectsOf(id)).filter((key) => key.startsWith('staged/'));

const filesFor = (key: string) => ({
  liveData: sampleLiveData({ card: 'match', nonce: key }),
  image: sampleImage(key),
});

async function* streamOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function send(key: string, files: Record<string, Buffer>, more: { wait?: number; upload?: string } = {}) {
  const { wait = 0, upload = 'own-bucket' } = more;
  return http.call('POST', `/v1/verifications?wait=${wait}`, { body: formOf({ key, region: REGION, upload }, files) });
}

it.each(['own-bucket', 'create-upload-url'])('are verified by way %s, and removed after the end', async (upload) => {
  const key = `files-${upload}`;
  const id = idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object: id });
  const sent = send(key, filesFor(key), { wait: 30, upload });
  if (upload === 'own-bucket') {
    await rig.control.waitFor({ event: 'held', object: id });
    const staged = await stagedOf(id);
    expect(staged).toHaveLength(2);
    for (const each of staged) expect(each).toMatch(new RegExp(`^staged/t/acme/${id}/(liveData|image)\\.`));
    // The bytes already lie in the right bucket, so they are not copied.
    expect((await objectsOf(id)).sort()).toEqual(staged.sort());
  }
  await rig.control.release(hold);
  expect((await sent).json).toMatchObject({ enqueued: 'new', decision: 'match' });
  await rig.client.wait(id, { until: 'ended' });
  await sweep.sweep();
  expect(await objectsOf(id)).toEqual([]);
  expect(await readdir(join(rig.dir, 'api-spool'))).toEqual([]);
});

it('create one verification for equal uploads at the same time, and different files conflict', async () => {
  const key = 'at-once';
  const id = idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object: id });
  const files = filesFor(key);
  const answers: Answer[] = await Promise.all(Array.from({ length: 5 }, () => send(key, files)));
  expect(answers.map(({ json }) => json.enqueued ?? json.code).sort()).toEqual(['new', 'same', 'same', 'same', 'same']);
  expect((await send(key, { ...files, image: sampleImage('other') })).json).toMatchObject({ code: 'KEY_CONFLICT' });
  expect(await stagedOf(id)).toHaveLength(2);
  await sweep.sweep();
  expect(await stagedOf(id)).toHaveLength(2); // the verification still needs them
  await rig.control.release(hold);
  await rig.client.wait(id, { until: 'ended' });
  await sweep.sweep();
  expect(await objectsOf(id)).toEqual([]);
});

it('stay as long as a failed verification can be retried', async () => {
  const key = 'kept';
  const id = idOf(key);
  await rig.control.fault({ kind: 'error', action: 'DetectReflectLivenessAndCompare', code: REFUSED, object: id });
  await send(key, filesFor(key));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 30_000 });
  expect(view).toMatchObject({ state: 'failed', reason: { code: REFUSED } });
  await sweep.sweep();
  expect(await stagedOf(id)).toHaveLength(2);
  await rig.redis.del(rig.names.kept(id)); // simulates the end of the retention time
  await sweep.sweep();
  expect(await objectsOf(id)).toEqual([]);
});

it('are deleted by an erasure without the HTTP API, which the receipt confirms', async () => {
  const alone = await createRig({ env: { BESTFRAME_STAGING_DIR: 'cos:staged' } });
  const { staging, close } = openStorage(alone.config);
  const { client } = alone;
  const id = client.idOf('erased');
  const keep = async (name: 'liveData' | 'image', bytes: Buffer) => {
    const rule = ACTIONS.DetectReflectLivenessAndCompare.resources[name] as ResourceRule;
    const received = await staging?.receive(name, rule, name, streamOf(bytes));
    return (await received?.keep({ id, region: REGION, tenant: null }, 'p'.repeat(22)))?.source as Source;
  };
  const { liveData, image } = filesFor('erased');
  const resources = { liveData: await keep('liveData', liveData), image: await keep('image', image) };
  await client.enqueue({ key: 'erased', region: REGION, upload: 'own-bucket', resources });
  await client.erase(id, { by: 'officer', why: 'asked by letter' });
  expect(await alone.control.objects()).toHaveLength(2);
  await alone.openErase();
  await expect.poll(async () => (await client.receipt(id))?.complete, { timeout: 30_000 }).toBe(true);
  expect((await client.receipt(id))?.objects).toMatchObject({ by: 'COS', versions: 2 });
  expect(await alone.control.objects()).toEqual([]);
  await close();
  await alone.dispose();
});

it('cannot be named by another request', async () => {
  const [bucket, key] = [rig.bucket, `staged/t/acme/${idOf('erased')}/image.${'x'.repeat(22)}.${'x'.repeat(22)}`];
  const image = { from: 'cos', bucket, region: REGION, key };
  const json = { key: 'thief', region: REGION, upload: 'own-bucket', resources: { image, liveData: image } };
  const answer = await http.call('POST', '/v1/verifications', { json });
  expect(answer).toMatchObject({ status: 400, json: { code: 'SOURCE_OUTSIDE_ROOTS' } });
  expect(answer.json.field).toMatch(/^resources\.(image|liveData)\.key$/);
});

it('of the wrong kind are refused, and none of them reaches the bucket', async () => {
  const files = { ...filesFor('wrong'), image: Buffer.alloc(5_000, 7) };
  const answer = await send('wrong', files);
  expect(answer).toMatchObject({ status: 400, json: { code: 'SOURCE_WRONG_KIND', field: 'resources.image' } });
  expect(await stagedOf(idOf('wrong'))).toEqual([]);
});

it('are refused while the bucket is unreachable, and may be sent again', async () => {
  await rig.control.fault({ kind: 'status', service: 'cos', action: 'PutObject', status: 503, times: null });
  expect((await send('down', filesFor('down'))).status).toBe(503);
  await rig.control.clearFaults();
  expect((await send('down', filesFor('down'), { wait: 30 })).json).toMatchObject({
    enqueued: 'new',
    decision: 'match',
  });
});
