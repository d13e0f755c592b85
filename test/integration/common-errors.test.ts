/**
 * Tests the three errors that integrators meet most often, each produced by its real cause:
 * - `invalid resourceUrl`: the bucket is in another region
 * - `DownLoadError`: the object cannot be read
 * - `MD5 Error`: the object has changed since its upload
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEdges } from '../../src/app/edges.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import type { CallEntry, Fault } from '../../src/emulator/control.ts';
import { sampleLiveData } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const ELSEWHERE = 'bestframe-dev-hk-1250000000';
const FAST = { BESTFRAME_QPS_DETECT: '200', BESTFRAME_QPS_UPLOAD_URL: '200' };

const detects = (rig: Rig, object: string) => rig.control.calls({ action: DETECT, object });

async function waitUntilEnded(rig: Rig, id: string): Promise<VerificationView> {
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  if (view === null) throw new Error('the record is missing');
  return view;
}

function attempts(view: VerificationView, stage: string): number | undefined {
  return view.stages.find(({ name }) => name === stage)?.attempts;
}

describe('a bucket in another region', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await createRig({ env: FAST, emulator: { qps: {} } });
  });
  afterEach(() => rig.control.clearFaults());
  afterAll(() => rig?.dispose());

  it('stops the worker at startup, and the vendor is not called', async () => {
    const before = await rig.control.calls({ service: 'faceid' });
    const wrong = rig.openWorker({ BESTFRAME_BUCKETS: `ap-singapore=${ELSEWHERE}` });
    await expect(wrong).rejects.toMatchObject({ code: 'BUCKET_REGION', field: 'BESTFRAME_BUCKETS' });
    await expect(wrong).rejects.toThrow(/ap-singapore/);
    expect(await rig.control.calls({ service: 'faceid' })).toEqual(before);
  });

  it('is found by the upload if the check at startup failed: the verification waits for the operator, unpaid', async () => {
    await rig.control.fault({
      kind: 'error',
      service: 'cos',
      action: 'HeadBucket',
      code: 'ServiceUnavailable',
      times: null,
    });
    const worker = await rig.openWorker({ BESTFRAME_BUCKETS: `ap-singapore=${ELSEWHERE}` });
    const { id } = await rig.client.enqueue(await rig.request('wrong-bucket'));
    await expect
      .poll(() => rig.client.get(id), { timeout: 10_000 })
      .toMatchObject({
        state: 'delayed',
        next: 'wait',
        reason: { code: 'NoSuchBucket', class: 'account', stage: 'upload' },
      });
    expect(await rig.redis.hget(rig.names.journal(id), 'a:upload')).toBeNull();
    expect(await detects(rig, id)).toEqual([]);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 0, possiblyPaidCalls: 0 });
    await worker.stop(5_000);
    await rig.client.cancel(id);
  });

  it('is found by the preflight if the objects are already in it: LINK_REGION, no paid call', async () => {
    const { id } = await rig.client.enqueue(await rig.request('elsewhere'));
    // Simulates an upload while BESTFRAME_BUCKETS named a bucket in another region.
    const resources: Record<string, object> = {};
    for (const name of ['liveData', 'image']) {
      const key = `bestframe/${id}/0/${name}`;
      const { sizeBytes: bytes, md5 } = await rig.control.putObject(ELSEWHERE, key, sampleLiveData({ card: 'match' }));
      resources[name] = { bytes, md5, object: { bucket: ELSEWHERE, region: 'ap-hongkong', key } };
    }
    await rig.redis.hset(rig.names.journal(id), 's:upload', JSON.stringify({ resources }));
    const worker = await rig.openWorker();
    await expect
      .poll(() => rig.client.get(id), { timeout: 10_000 })
      .toMatchObject({
        state: 'delayed',
        next: 'wait',
        reason: { code: 'LINK_REGION', class: 'account', stage: 'md5' },
      });
    expect(await rig.redis.hget(rig.names.journal(id), 'a:md5')).toBeNull();
    expect(await detects(rig, id)).toEqual([]);
    expect(await rig.client.get(id)).toMatchObject({ paidCalls: 0, possiblyPaidCalls: 0 });
    await worker.stop(5_000);
    await rig.client.cancel(id);
  });

  it('is allowed as a source: the object is copied to a bucket that the API can read, and paid once', async () => {
    const key = 'sessions/1/live.gz';
    await rig.control.putObject(ELSEWHERE, key, sampleLiveData({ card: 'match', nonce: 'copied' }));
    const request = await rig.request('copied');
    const liveData = { from: 'cos', bucket: ELSEWHERE, region: 'ap-hongkong', key } as const;
    const { id } = await rig.client.enqueue({ ...request, resources: { ...request.resources, liveData } });
    const worker = await rig.openWorker();
    expect(await waitUntilEnded(rig, id)).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
    const [call, ...more] = await detects(rig, id);
    expect(more).toEqual([]);
    expect(call?.objects?.every((object) => object.startsWith(`${rig.bucket}/`))).toBe(true);
    await worker.stop(5_000);
  });
});

describe('an uploaded object', () => {
  let rig: Rig;
  let edges: ReturnType<typeof openEdges>;

  beforeAll(async () => {
    rig = await createRig({ env: FAST, emulator: { qps: {} } });
    edges = openEdges(rig.config);
    await rig.openWorker();
  });
  afterEach(() => rig.control.clearFaults());
  afterAll(async () => {
    await edges?.close();
    await rig?.dispose();
  });

  /**
   * Starts a verification, and holds both reads of its preflight, so that the test can change the objects before they are read.
   */
  async function heldAtPreflight(key: string): Promise<{ id: string; release: () => Promise<void> }> {
    const object = rig.client.idOf(key);
    const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object, times: 2 });
    const { id } = await rig.client.enqueue(await rig.request(key));
    await rig.control.waitFor({ event: 'held', object }, 2);
    return { id, release: () => rig.control.release(hold) };
  }

  it('is uploaded again if it is deleted before the preflight, without a paid call', async () => {
    const { id, release } = await heldAtPreflight('deleted');
    const objects = (await rig.control.objects()).filter(({ key }) => key.includes(id));
    expect(objects).toHaveLength(2);
    await edges.edges.bucket('ap-singapore').remove(objects[0]?.key ?? '', AbortSignal.timeout(5_000));
    await release();
    const view = await waitUntilEnded(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view.history).toContainEqual(
      expect.objectContaining({ event: 'rewind', stage: 'md5', code: 'LINK_UNREADABLE' }),
    );
    expect(attempts(view, 'upload')).toBe(2);
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it('is uploaded again if its first read is forbidden, without a paid call', async () => {
    const object = rig.client.idOf('forbidden-once');
    await rig.control.fault(forbidden(object, 1));
    const { id } = await rig.client.enqueue(await rig.request('forbidden-once'));
    const view = await waitUntilEnded(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(attempts(view, 'upload')).toBe(2);
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it('is given up after three uploads if reading stays forbidden, without a call to the vendor', async () => {
    const object = rig.client.idOf('forbidden');
    await rig.control.fault(forbidden(object, null));
    const { id } = await rig.client.enqueue(await rig.request('forbidden'));
    await expect.poll(async () => (await rig.client.get(id))?.state, { timeout: 20_000 }).toMatch(/^(?:failed|held)$/);
    const view = await rig.client.get(id);
    expect(view).toMatchObject({
      decision: null,
      next: 'investigate',
      reason: { code: 'LINK_UNREADABLE', class: 'reupload', stage: 'md5' },
      paidCalls: 0,
      possiblyPaidCalls: 0,
    });
    expect(view === null ? 0 : attempts(view, 'upload')).toBe(3);
    expect(await detects(rig, id)).toEqual([]);
  });

  it('is uploaded again if it is overwritten before the preflight, without a paid call', async () => {
    const { id, release } = await heldAtPreflight('overwritten-early');
    const [first] = (await rig.control.objects()).filter(({ key }) => key.includes(id));
    await rig.control.putObject(rig.bucket, first?.key ?? '', Buffer.from('somebody else wrote this'));
    await release();
    const view = await waitUntilEnded(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view.history).toContainEqual(
      expect.objectContaining({ event: 'rewind', stage: 'md5', code: 'LINK_MD5_MISMATCH' }),
    );
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it.each(['own-bucket', 'create-upload-url'] as const)(
    'is uploaded again after an MD5 Error if it is overwritten before detect, by %s, and paid once',
    async (upload) => {
      // Links of CreateUploadUrl do not contain our id. No other verification runs, so the next call belongs to this
      // verification.
      const own = upload === 'own-bucket' ? { object: rig.client.idOf(`overwritten-${upload}`) } : {};
      const before = (await rig.control.calls({ action: DETECT })).length;
      const heldBefore = (await rig.control.calls({ event: 'held', action: DETECT, ...own })).length;
      const hold = await rig.control.fault({ kind: 'hold', action: DETECT, ...own });
      const { id } = await rig.client.enqueue(
        await rig.request(`overwritten-${upload}`, { card: 'match' }, { upload }),
      );
      const held = (await rig.control.waitFor({ event: 'held', action: DETECT, ...own }, heldBefore + 1)).at(-1);
      expect(await rig.client.get(id)).toMatchObject({ state: 'active', paidCalls: 0 });
      for (const object of firstOf(held)) {
        const cut = object.indexOf('/');
        await rig.control.putObject(object.slice(0, cut), object.slice(cut + 1), sampleLiveData({ card: 'match' }));
      }
      await rig.control.release(hold);
      const view = await waitUntilEnded(rig, id);
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
      expect(view.history).toContainEqual(
        expect.objectContaining({ event: 'error', stage: 'detect', code: 'MD5 Error' }),
      );
      expect(attempts(view, 'upload')).toBe(2);
      const calls = (await rig.control.calls({ action: DETECT })).slice(before);
      expect(calls.map(({ code, billed }) => [code, billed])).toEqual([
        ['InvalidParameterValue', false],
        ['Success', true],
      ]);
      expect(calls[0]?.objects?.some((object) => calls[1]?.objects?.includes(object))).toBe(false);
    },
  );
});

function forbidden(object: string, times: number | null): Fault {
  return { kind: 'error', service: 'cos', action: 'GetObject', object, code: 'AccessDenied', status: 403, times };
}

function firstOf(call: CallEntry | undefined): readonly string[] {
  return call?.objects?.slice(0, 1) ?? [];
}
