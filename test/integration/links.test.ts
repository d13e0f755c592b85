/** Tests that the pipeline never uses a link of CreateUploadUrl that could expire before the vendor reads it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import type { UploadOutcome } from '../../src/domain/verification/outcomes.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const TWO_HOURS_MS = 7_200_000;

describe('120 queued verifications, 5 calls a second, links that are valid for 10 s', () => {
  const MANY = 120;
  const LINK_MS = 10_000;
  /** A link that expires in less than this time is not used. Must equal the value in pipeline/stages/links.ts. */
  const LEAST_MS = 3_000;
  /** The time between two paid calls at 5 a second, as in pipeline/gate.ts. */
  const CALL_MS = 1_080 / 5;
  /** The most verifications that may have links at once: so many calls are made while a link is valid. */
  const MAX_WITH_LINKS = Math.floor((LINK_MS - LEAST_MS) / CALL_MS);
  /** The worker's slots. If admission did not limit uploads, this many verifications would get links at once. */
  const SLOTS = 60;
  let rig: Rig;

  beforeAll(async () => {
    // The emulator's links are valid for hours, because the test counts links and not time: a busy machine uses links later, but
    // issues no more of them.
    rig = await createRig({ env: { BESTFRAME_REUSED_LIVE_DATA: 'warn' }, emulator: { qps: {} } });
  });
  afterAll(() => rig.dispose());

  it('no more links are issued than calls can use while they are valid, and nothing is uploaded twice', async () => {
    expect(SLOTS).toBeGreaterThan(1.5 * MAX_WITH_LINKS);
    const one = await rig.request('queued', { card: 'match' }, { lane: 'batch', upload: 'create-upload-url' });
    await rig.client.enqueueMany(Array.from({ length: MANY }, (_, index) => ({ ...one, key: `queued-${index}` })));
    await rig.openWorker({ BESTFRAME_SLOTS: String(SLOTS) });
    for (let index = 0; index < MANY; index += 1) {
      const id = rig.client.idOf(`queued-${index}`);
      const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 140_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1, possiblyPaidCalls: 0 });
      expect(rewinds(view)).toEqual([]);
    }
    expect(await rig.control.calls({ action: 'PutObject' })).toHaveLength(2 * MANY);
    const detects = await rig.control.calls({ action: DETECT });
    expect(detects).toHaveLength(MANY);
    expect(detects.filter(({ code }) => code !== 'Success')).toEqual([]);

    const issues = await rig.control.calls({ action: 'CreateUploadUrl' });
    const issuedAt = detects.map((detect) => {
      const links = issues.filter(({ objects }) => objects?.some((object) => detect.objects?.includes(object)));
      expect(links).toHaveLength(2);
      return Math.min(...links.map(({ seq }) => seq));
    });
    const withLinks = detects.map((_, index) => {
      const now = issuedAt[index] ?? Number.NaN;
      return detects.filter(({ seq }, other) => (issuedAt[other] ?? Number.NaN) <= now && seq > now).length;
    });
    console.info(`at most ${Math.max(...withLinks)} verifications have links at once, ${MAX_WITH_LINKS} may`);
    expect(Math.max(...withLinks)).toBeLessThanOrEqual(MAX_WITH_LINKS);
  }, 150_000);
});

describe('links that expire too soon are renewed before they are used', () => {
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

  it('by the preflight, directly after the upload', async () => {
    await rig.control.settings({ linkTtlMs: 2_500 });
    const hold = await rig.control.fault({ kind: 'hold', action: 'PutObject', when: 'after', times: 2 });
    const { id } = await rig.client.enqueue(await request('short'));
    await rig.control.waitFor({ event: 'held' }, 2);
    await rig.control.settings({ linkTtlMs: TWO_HOURS_MS });
    await rig.control.release(hold);
    await endsWithOneRewind(id, 'md5');
  });

  it('by detect, long after the preflight', async () => {
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
