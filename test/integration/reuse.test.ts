/**
 * Tests replays: if the vendor has already answered a liveness package, the same package in another verification is refused
 * before anything is paid. An answer that concerns only the photo is an exception: the package may be used again with another
 * photo.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
});
afterAll(() => rig.dispose());

async function runToEnd(key: string, packageOf: string) {
  const [request, other] = [await rig.request(`${key}-own`), await rig.request(packageOf)];
  const resources = { ...request.resources, liveData: other.resources.liveData };
  const { id } = await rig.client.enqueue({ ...request, key, resources });
  return { id, view: await rig.client.wait(id, { until: 'ended' }) };
}

it('refuses a replay and says when the package was answered, not for whom; a setting allows it', async () => {
  const worker = await rig.openWorker();
  const shared = await rig.request('shared');
  const first = await rig.client.enqueue(shared);
  const answered = await rig.client.wait(first.id, { until: 'ended' });
  expect(answered).toMatchObject({ state: 'completed', paidCalls: 1 });

  const image = (await rig.request('other-photo')).resources.image;
  const replay = { ...shared, key: 'replay', resources: { ...shared.resources, image } };
  const { id } = await rig.client.enqueue(replay);
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({
    state: 'failed',
    decision: null,
    paidCalls: 0,
    reason: { code: 'REUSED_LIVE_DATA', class: 'caller' },
  });
  expect(Math.abs(Date.parse(view?.reason?.answeredAt ?? '') - Date.parse(answered?.decidedAt ?? ''))).toBeLessThan(
    1_000,
  );
  expect(JSON.stringify(view?.reason)).not.toContain(first.id);
  expect(await rig.control.calls({ action: DETECT, object: id })).toEqual([]);
  await worker.stop(5_000);

  const lenient = await rig.openWorker({ BESTFRAME_REUSED_LIVE_DATA: 'warn' });
  const again = await rig.client.enqueue({ ...replay, key: 'replay-2' });
  expect(await rig.client.wait(again.id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await lenient.stop(5_000);
});

const POOR_PHOTO = 'FailedOperation.LifePhotoPoorQuality';

/** A package for which the first `times` answers concern only the photo; later answers are a match. */
const poorPhoto = (key: string, times: number) =>
  rig.request(key, { card: 'match', first: { error: { code: POOR_PHOTO, times } } });

/** Enqueues the package of `request` under a new key, with a new photo. */
async function withPhoto(request: VerificationRequest, key: string) {
  const { image } = (await rig.request(`${key}-photo`)).resources;
  const { id } = await rig.client.enqueue({ ...request, key, resources: { ...request.resources, image } });
  return rig.client.wait(id, { until: 'ended' });
}

describe('after a photo that could not be used', () => {
  it('the same package is accepted with another photo, as the advice says; after the answer it is a replay', async () => {
    const worker = await rig.openWorker();
    const request = await poorPhoto('photo', 1);
    const { id } = await rig.client.enqueue(request);
    const judged = await rig.client.wait(id, { until: 'ended' });
    expect(judged).toMatchObject({ state: 'completed', next: 'recapture', retake: 'photo' });
    expect(judged?.reason).toMatchObject({
      code: POOR_PHOTO,
      audience: 'person',
      advice: expect.stringContaining('another photo'),
    });

    expect(await withPhoto(request, 'photo-2')).toMatchObject({ state: 'completed', decision: 'match' });
    const replay = await withPhoto(request, 'photo-3');
    expect(replay).toMatchObject({ state: 'failed', retake: 'liveness', reason: { code: 'REUSED_LIVE_DATA' } });
    await worker.stop(5_000);
  });

  it.each([0, 2])('the package is accepted %i times again, and then refused before it is paid', async (retries) => {
    const worker = await rig.openWorker({ BESTFRAME_PHOTO_RETRIES: String(retries) });
    const name = `bounded-${retries}`;
    const request = await poorPhoto(name, 10);
    const { id } = await rig.client.enqueue(request);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ retake: 'photo' });
    for (let again = 1; again <= retries; again += 1) {
      expect(await withPhoto(request, `${name}-${again}`)).toMatchObject({ next: 'recapture', retake: 'photo' });
    }
    const refused = await withPhoto(request, `${name}-last`);
    expect(refused).toMatchObject({ state: 'failed', paidCalls: 0, possiblyPaidCalls: 0 });
    expect(refused?.reason).toMatchObject({ code: 'REUSED_LIVE_DATA', answeredAt: expect.any(String) });
    expect(await rig.control.calls({ action: DETECT, object: refused?.id ?? '' })).toEqual([]);
    await worker.stop(5_000);
  });

  it('a code that may concern the recording still makes the package a replay', async () => {
    const worker = await rig.openWorker();
    const request = await rig.request('either', {
      card: 'match',
      first: { error: { code: 'FailedOperation.ImageBlur', times: 1 } },
    });
    const { id } = await rig.client.enqueue(request);
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ next: 'recapture', retake: 'both' });
    expect((await withPhoto(request, 'either-2'))?.reason?.code).toBe('REUSED_LIVE_DATA');
    await worker.stop(5_000);
  });
});

it('accepts a package that was never answered, and retries of its own verification', async () => {
  const worker = await rig.openWorker();
  const request = await rig.request('unanswered', { card: 'match', first: { unreadable: 1 } });
  const { id } = await rig.client.enqueue(request);
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });

  const never = await rig.request('never', { card: 'FailedOperation.LivessSystemError', channel: 'error' });
  const failed = await rig.client.enqueue({ ...never, deadline: new Date(Date.now() + 1_500).toISOString() });
  expect(await rig.client.wait(failed.id, { until: 'ended' })).toMatchObject({ state: 'failed', paidCalls: 0 });
  const { view } = await runToEnd('never-again', 'never');
  expect(view?.reason?.code).not.toBe('REUSED_LIVE_DATA');
  await worker.stop(5_000);
});

it('remembers packages by a keyed digest, without an MD5 or an id', async () => {
  const worker = await rig.openWorker();
  await runToEnd('digest', 'digest');
  await worker.stop(5_000);
  const members = await rig.redis.zrange(rig.names.answered, '0', '-1');
  expect(members.length).toBeGreaterThan(0);
  for (const member of members) expect(member).toMatch(/^[A-Za-z0-9_-]{22}(?:#\d)?$/);
});
