/**
 * The three errors that integrators meet most, each from its real cause: a bucket of another region (`invalid resourceUrl`),
 * an object that cannot be read (`DownLoadError`), an object that is not what was uploaded (`MD5 Error`).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEdges } from '../../src/compose.ts';
import type { VerificationView } from '../../src/domain/view.ts';
import type { CallEntry, Fault } from '../../src/emulator/control.ts';
import { sampleLiveData } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const ELSEWHERE = 'bestframe-dev-hk-1250000000';
const FAST = { BESTFRAME_QPS_DETECT: '200', BESTFRAME_QPS_UPLOAD_URL: '200' };

const detects = (rig: Rig, object: string) => rig.control.calls({ action: DETECT, object });

async function ended(rig: Rig, id: string): Promise<VerificationView> {
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  if (view === null) throw new Error('lost');
  return view;
}

function attempts(view: VerificationView, stage: string): number | undefined {
  return view.stages.find(({ name }) => name === stage)?.attempts;
}

describe('a bucket of another region', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await createRig({ env: FAST, emulator: { qps: {} } });
  });
  afterEach(() => rig.control.clearFaults());
  afterAll(() => rig?.dispose());

  it('is refused at start: no worker runs, nothing is called', async () => {
    const wrong = rig.openWorker({ BESTFRAME_BUCKETS: `ap-singapore=${ELSEWHERE}` });
    await expect(wrong).rejects.toMatchObject({ code: 'BUCKET_REGION', field: 'BESTFRAME_BUCKETS' });
    await expect(wrong).rejects.toThrow(/ap-singapore/);
    expect(await rig.control.calls({ service: 'faceid' })).toEqual([]);
  });

  it('that could not be asked at start is met by the upload: it waits for the operator, and nothing is paid', async () => {
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

  it('that the objects lie in already is seen by the preflight: LINK_REGION, no paid call', async () => {
    const { id } = await rig.client.enqueue(await rig.request('elsewhere'));
    // Uploaded while BESTFRAME_BUCKETS named a bucket of another region for this one.
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

  it('as a source is no error: the object is copied to where the API can read it, and paid once', async () => {
    const key = 'sessions/1/live.gz';
    await rig.control.putObject(ELSEWHERE, key, sampleLiveData({ card: 'match', nonce: 'copied' }));
    const request = await rig.request('copied');
    const liveData = { from: 'cos', bucket: ELSEWHERE, region: 'ap-hongkong', key } as const;
    const { id } = await rig.client.enqueue({ ...request, resources: { ...request.resources, liveData } });
    const worker = await rig.openWorker();
    expect(await ended(rig, id)).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
    const [call, ...more] = await detects(rig, id);
    expect(more).toEqual([]);
    expect(call?.objects?.every((object) => object.startsWith(`${rig.bucket}/`))).toBe(true);
    await worker.stop(5_000);
  });
});

describe('an object that', () => {
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

  /** The preflight reads one byte of each of the two objects: both reads are held, so that what is done is done before them. */
  async function heldAtPreflight(key: string): Promise<{ id: string; go: () => Promise<void> }> {
    const object = rig.client.idOf(key);
    const hold = await rig.control.fault({ kind: 'hold', service: 'cos', action: 'GetObject', object, times: 2 });
    const { id } = await rig.client.enqueue(await rig.request(key));
    await rig.control.waitFor({ event: 'held', object }, 2);
    return { id, go: () => rig.control.release(hold) };
  }

  it('is deleted between upload and preflight is uploaded again: no paid call is made for it', async () => {
    const { id, go } = await heldAtPreflight('deleted');
    const objects = (await rig.control.objects()).filter(({ key }) => key.includes(id));
    expect(objects).toHaveLength(2);
    await edges.edges.bucket('ap-singapore').remove(objects[0]?.key ?? '', AbortSignal.timeout(5_000));
    await go();
    const view = await ended(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view.history).toContainEqual(
      expect.objectContaining({ event: 'rewind', stage: 'md5', code: 'LINK_UNREADABLE' }),
    );
    expect(attempts(view, 'upload')).toBe(2);
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it('is forbidden for a moment is uploaded again: no paid call is made for it', async () => {
    const object = rig.client.idOf('forbidden-once');
    await rig.control.fault(forbidden(object, 1));
    const { id } = await rig.client.enqueue(await rig.request('forbidden-once'));
    const view = await ended(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(attempts(view, 'upload')).toBe(2);
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it('stays forbidden comes to rest after three uploads, and the vendor is never called', async () => {
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

  it('is overwritten between upload and preflight is uploaded again: no paid call is made for it', async () => {
    const { id, go } = await heldAtPreflight('overwritten-early');
    const [first] = (await rig.control.objects()).filter(({ key }) => key.includes(id));
    await rig.control.putObject(rig.bucket, first?.key ?? '', Buffer.from('somebody else wrote this'));
    await go();
    const view = await ended(rig, id);
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view.history).toContainEqual(
      expect.objectContaining({ event: 'rewind', stage: 'md5', code: 'LINK_MD5_MISMATCH' }),
    );
    expect((await detects(rig, id)).map(({ code }) => code)).toEqual(['Success']);
  });

  it.each(['own-bucket', 'create-upload-url'] as const)(
    'is overwritten between preflight and detect, by %s, is answered MD5 Error: one rewind, paid once',
    async (upload) => {
      // Links of CreateUploadUrl carry no id of ours: nothing else runs here, so the next call is this one's.
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
      const view = await ended(rig, id);
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
