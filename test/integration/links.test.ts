/** Links of CreateUploadUrl live as long as the vendor says: none is used that could be dead before it is read. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Running } from '../../src/compose.ts';
import type { UploadOutcome } from '../../src/domain/outcomes.ts';
import type { VerificationView } from '../../src/domain/view.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const TWO_HOURS_MS = 7_200_000;

describe('links of 10 s, 5 calls a second, 300 queued', () => {
  const MANY = 300;
  let rig: Rig;

  beforeAll(async () => {
    rig = await createRig({ env: { BESTFRAME_REUSED_LIVE_DATA: 'warn' }, emulator: { linkTtlMs: 10_000 } });
  });
  afterAll(() => rig.dispose());

  it('none expires, and none is uploaded twice for it', async () => {
    const one = await rig.request('queued', { card: 'match' }, { lane: 'batch', upload: 'create-upload-url' });
    await rig.client.enqueueMany(Array.from({ length: MANY }, (_, index) => ({ ...one, key: `queued-${index}` })));
    await rig.openWorker({ BESTFRAME_SLOTS: '30' }); // more than are admitted: it is admission that keeps links young
    for (let index = 0; index < MANY; index += 1) {
      const id = rig.client.idOf(`queued-${index}`);
      const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 140_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
      expect(rewinds(view)).toEqual([]);
    }
    // Longer than any link lived: what is waiting is not uploaded yet.
    const detects = await rig.control.calls({ action: DETECT });
    expect((detects.at(-1)?.at ?? 0) - (detects[0]?.at ?? 0)).toBeGreaterThan(40_000);
    expect(detects.filter(({ code }) => code !== 'Success')).toEqual([]);
    expect(await rig.control.calls({ action: 'PutObject' })).toHaveLength(2 * MANY);
  }, 150_000);
});

describe('links with too little life left are renewed before they are used', () => {
  let rig: Rig;
  let worker: Running;

  beforeAll(async () => {
    rig = await createRig({ emulator: { qps: {} } });
    worker = await rig.openWorker();
  });
  beforeEach(() => rig.control.reset());
  afterEach(() => rig.control.settings({ linkTtlMs: TWO_HOURS_MS }));
  afterAll(async () => {
    await worker.stop(5_000);
    await rig.dispose();
  });

  it('by the preflight', async () => {
    await rig.control.settings({ linkTtlMs: 2_500 });
    const hold = await rig.control.fault({ kind: 'hold', action: 'PutObject', when: 'after', times: 2 });
    const { id } = await rig.client.enqueue(await request('short'));
    await rig.control.waitFor({ event: 'held' }, 2);
    await rig.control.settings({ linkTtlMs: TWO_HOURS_MS });
    await rig.control.release(hold);
    await endsWithOneRewind(id, 'md5');
  });

  it('by detect, whose preflight was long ago', async () => {
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, when: 'after' });
    const { id } = await rig.client.enqueue(await request('old', { throttled: 1 }));
    await rig.control.waitFor({ event: 'held' });
    const journal = rig.names.journal(id);
    const upload = JSON.parse((await rig.redis.hget(journal, 's:upload')) ?? '') as UploadOutcome;
    await rig.redis.hset(journal, 's:upload', JSON.stringify({ ...upload, linksExpireAt: Date.now() + 2_500 }));
    await rig.control.release(hold);
    await endsWithOneRewind(id, 'detect');
  });

  function request(key: string, first: { throttled?: number } = {}) {
    return rig.request(key, { card: 'match', first }, { upload: 'create-upload-url' });
  }

  async function endsWithOneRewind(id: string, stage: string): Promise<void> {
    const view = await rig.client.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
    expect(view?.history.filter(({ code }) => code === 'LINKS_EXPIRED')).toMatchObject([{ stage }]);
    expect(await rig.control.calls({ action: 'PutObject', code: 'OK' })).toHaveLength(4);
    expect(await rig.control.calls({ action: DETECT, billed: true })).toHaveLength(1);
    expect(await rig.control.calls({ action: DETECT, code: 'FailedOperation.DownLoadError' })).toEqual([]);
  }
});

function rewinds(view: VerificationView | null): unknown[] {
  return (view?.history ?? []).filter(({ event, code }) => event === 'rewind' || code === 'LINKS_EXPIRED');
}
