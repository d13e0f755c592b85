/**
 * Tests concurrent requests that upload files under the same key: one request creates the verification, and the staged files of
 * all other requests are removed.
 */
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { openStagingFolder } from '../../src/adapters/storage/staging-folder.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { tenantNamespace, verificationId } from '../../src/domain/verification/identity.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { StagingSweep } from '../../src/server/api/staging-sweep.ts';
import { namesIn } from '../support/folders.ts';
import { type Answer, formOf, type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let http: Http;
let staged: string;
let worker: Awaited<ReturnType<Rig['openWorker']>> | null = null;

beforeAll(async () => {
  rig = await createRig();
  http = await openHttp(rig);
  staged = join(rig.dir, 'inputs', 'staging');
});
afterEach(async () => {
  await worker?.stop(5_000);
  worker = null;
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const idOf = (key: string) => verificationId(tenantNamespace(namespaceOf(rig.config), 'acme'), key);
const filesOf = async (key: string) => (await namesIn(staged)).filter((name) => name.startsWith(idOf(key)));

function send(key: string, files: Record<string, Buffer>, wait = 0): Promise<Answer> {
  const body = formOf({ key, region: 'ap-singapore', upload: 'own-bucket' }, files);
  return http.call('POST', `/v1/verifications?wait=${wait}`, { body });
}

const filesFor = (key: string) => ({
  liveData: sampleLiveData({ card: 'match', nonce: key }),
  image: sampleImage(key),
});

it('creates one verification for equal uploads, and discards the files of the other requests', async () => {
  for (const [round, count] of [20, 5, 8, 2, 5, 8, 5, 3].entries()) {
    const key = `at-once-${round}`;
    const files = filesFor(key);
    const answers = await Promise.all(Array.from({ length: count }, () => send(key, files)));
    expect(answers.map(({ status, json }) => [status, json.enqueued ?? json.code]).sort()).toEqual([
      [202, 'new'],
      ...Array.from({ length: count - 1 }, () => [202, 'same']),
    ]);
    expect(await filesOf(key)).toHaveLength(2);
  }
  worker = await rig.openWorker();
  for (let round = 0; round < 8; round += 1) {
    const view = await rig.client.wait(idOf(`at-once-${round}`), { until: 'ended' });
    expect(view).toMatchObject({ decision: 'match', reason: null });
  }
});

it('accepts one of several uploads with different photos, and refuses the others', async () => {
  worker = await rig.openWorker();
  const key = 'other-photos';
  const { liveData } = filesFor(key);
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => send(key, { liveData, image: sampleImage(`${key}-${index}`) }, 20)),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
  expect(answers.find(({ status }) => status === 200)?.json).toMatchObject({ enqueued: 'new', next: 'accept' });
});

it('keeps the files that the record names if the claim was sent twice', async () => {
  worker = await rig.openWorker();
  const key = 'claimed-twice';
  const object = idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  const files = filesFor(key);
  // Simulates a connection that breaks before the answer arrives, so that the client sends the claim script again.
  const claim = BestframeClient.prototype.enqueueParsed;
  vi.spyOn(BestframeClient.prototype, 'enqueueParsed').mockImplementationOnce(async function (
    this: BestframeClient,
    ...args
  ) {
    await claim.apply(this, args);
    return claim.apply(this, args);
  });
  expect((await send(key, files)).json).toMatchObject({ enqueued: 'same' });
  const named = await filesOf(key);
  expect(named).toHaveLength(2);
  await rig.control.waitFor({ event: 'held', object });
  expect((await send(key, files)).json).toMatchObject({ enqueued: 'same' });
  expect(await filesOf(key)).toEqual(named);
  await rig.control.release(hold);
  await rig.client.wait(object, { until: 'ended' });
});

it('sweeps the files of a process that died after staging, and keeps those that the record names', async () => {
  worker = await rig.openWorker();
  const key = 'left-over';
  const object = idOf(key);
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  await send(key, filesFor(key));
  await rig.control.waitFor({ event: 'held', object });
  const named = await filesOf(key);
  await mkdir(staged, { recursive: true });
  const leftover = named.map((name) => name.replace(/[^.]+$/, 'z'.repeat(22)));
  const past = (Date.now() - 11 * 60_000) / 1_000;
  for (const name of [...leftover, ...named]) {
    if (leftover.includes(name)) await writeFile(join(staged, name), 'x');
    await utimes(join(staged, name), past, past);
  }
  const young = `${object}.image.${'p'.repeat(22)}.${'y'.repeat(22)}`;
  await writeFile(join(staged, young), 'x');
  const sweep = new StagingSweep({
    client: rig.client,
    staging: openStagingFolder(staged),
    log: pino({ level: 'silent' }),
  });
  await sweep.sweep();
  expect((await filesOf(key)).sort()).toEqual([...named, young].sort());
  await rig.control.release(hold);
  await rig.client.wait(object, { until: 'ended' });
  await sweep.sweep();
  expect(await filesOf(key)).toEqual([]);
});
