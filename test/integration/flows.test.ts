/** Sessions from the start to the end, for each token flow, against the emulator: the control port plays the phone. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedSession } from '../../src/client/contract.ts';
import { FLOWS } from '../../src/domain/verification/flows.ts';
import type { SessionRequest } from '../../src/domain/verification/session-request.ts';
import { sampleImage } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let photo: string;
let count = 0;

beforeAll(async () => {
  rig = await createRig();
  photo = await rig.file('photo.jpg', sampleImage());
  await rig.openWorker();
});
afterAll(() => rig.dispose());

type Action = SessionRequest['action'];

function request(action: Action, more: object = {}): SessionRequest {
  count += 1;
  const base = { key: `session-${count}`, action, region: 'ap-singapore' } as const;
  return { ...base, ...PARAMETERS[action](photo), ...more } as unknown as SessionRequest;
}

/** A request that compares with a photo, if the flow can. */
const PARAMETERS: Readonly<Record<Action, (path: string) => object>> = {
  ApplySdkVerificationToken: (path) => ({
    parameters: { CheckMode: 2, SdkVersion: 'PLUS', RetryLimit: 3 },
    resources: { image: { from: 'file', path } },
  }),
  GetFaceIdTokenIntl: (path) => ({
    parameters: { CheckMode: 'compare', SdkVersion: 'PLUS' },
    resources: { image: { from: 'file', path } },
  }),
  ApplyLivenessToken: () => ({}),
  ApplyWebVerificationBizTokenIntl: (path) => ({
    parameters: { RedirectURL: 'https://shop.example/back/{id}' },
    resources: { image: { from: 'file', path } },
  }),
};
const ACTIONS = Object.keys(PARAMETERS) as Action[];

async function start(action: Action, more: object = {}): Promise<StartedSession & { readonly token: string }> {
  const started = await rig.client.startSession(request(action, more));
  expect(started).toMatchObject({ status: 'new', token: expect.any(String), startBy: expect.any(String) });
  return started as StartedSession & { readonly token: string };
}

async function finish(id: string) {
  expect(await rig.client.finishSession(id)).toBe('asked');
  return rig.client.wait(id, { until: 'ended', timeoutMs: 20_000 });
}

describe.each(ACTIONS)('a session of %s', (action) => {
  const compares = action !== 'ApplyLivenessToken';

  it('gives the token, waits, and ends with the decision and its media', async () => {
    const { id, token, url, serverParamInfo } = await start(action, { media: ['bestFrame', 'liveVideo'] });
    expect(url === null).toBe(action !== 'ApplyWebVerificationBizTokenIntl');
    expect(serverParamInfo === null).toBe(action !== 'ApplySdkVerificationToken');
    // The token is handed out before the run that got it has ended.
    await expect.poll(() => rig.client.get(id)).toMatchObject({ state: 'delayed', stage: 'await' });
    const waiting = await rig.client.get(id);
    expect(waiting).toMatchObject({ next: 'wait', decision: null, reason: null });
    expect(JSON.stringify(waiting)).not.toContain(serverParamInfo ?? token);
    expect(JSON.stringify(waiting)).not.toContain(token);
    await rig.control.play({ token, step: 'finish' });
    const view = await finish(id);
    expect(view).toMatchObject({
      state: 'completed',
      decision: compares ? 'match' : 'live',
      next: 'accept',
      frame: 'stored',
      paidCalls: 1,
      possiblyPaidCalls: 0,
      stage: 'download',
    });
    expect(view?.session?.media).toMatchObject([{ name: 'liveVideo', bytes: expect.any(Number) }]);
    const path = view?.bestFrame && 'path' in view.bestFrame ? String(view.bestFrame.path) : '';
    expect((await readFile(path)).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    expect(JSON.stringify(rig.lines)).not.toContain(token);
  });

  it('may have a deadline up to the last moment at which its result can be asked for', async () => {
    const deadline = new Date(Date.now() + FLOWS[action].resultMs + 60_000).toISOString();
    const refused = rig.client.startSession({ ...request(action), deadline });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_VERIFICATION', field: 'deadline' });
  });

  it('returns the same token to the same request, and none after the end', async () => {
    const asked = request(action);
    const first = await rig.client.startSession(asked);
    const again = await rig.client.startSession(asked);
    expect(again).toMatchObject({ id: first.id, status: 'same', token: first.token });
    await rig.control.play({ token: first.token ?? '', step: 'finish' });
    await finish(first.id);
    expect(await rig.client.startSession(asked)).toMatchObject({ state: 'completed', token: null });
  });

  it.each([
    ['spoof', 'not_live', 'refuse', 'Result.1002'],
    ['badLight', 'recapture', 'recapture', 'Result.1201'],
  ])('that ends with %s is %s', async (card, decision, next, code) => {
    const { id, token } = await start(action);
    await rig.control.play({ token, step: 'finish', card });
    expect(await finish(id)).toMatchObject({ state: 'completed', decision, next, reason: { code, class: 'rejected' } });
  });
});

it.each(['ap-jakarta', 'sa-saopaulo'])('runs in %s, which serves no other action', async (region) => {
  const worker = await rig.openWorker({ BESTFRAME_REGIONS: region });
  try {
    const { id, token } = await start('ApplySdkVerificationToken', { region });
    await rig.control.play({ token, step: 'finish' });
    expect(await finish(id)).toMatchObject({ region, state: 'completed', decision: 'match', frame: 'stored' });
    const gates = await rig.client.gates();
    const calls = gates.filter((gate) => gate.region === region).map(({ action }) => action);
    expect(calls).toEqual(['ApplySdkVerificationToken', 'GetSdkVerificationResult']);
    const act = rig.client.steerGate({ region, action: 'VideoLivenessCompare' } as never, 'pause', {
      by: 'a',
      why: 'b',
    });
    await expect(act).rejects.toMatchObject({ code: 'INVALID_VERIFICATION', field: 'region' });
  } finally {
    await worker.stop(10_000);
  }
});

it('carries a photo of the largest size', async () => {
  const jpeg = sampleImage('large');
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0xfd, 0xe8]), Buffer.alloc(0xfde8 - 2)]);
  const comments = Array.from({ length: 90 }, () => comment); // 5.85 of 6 MB
  const path = await rig.file('large.jpg', Buffer.concat([jpeg.subarray(0, 2), ...comments, jpeg.subarray(2)]));
  const resources = { image: { from: 'file', path } } as const;
  const { id, token } = await start('ApplyWebVerificationBizTokenIntl', { resources });
  await rig.control.play({ token, step: 'finish' });
  expect(await finish(id)).toMatchObject({ decision: 'match' });
});

it('judges by the threshold of the request', async () => {
  const { id, token } = await start('GetFaceIdTokenIntl', { similarityThreshold: 95 });
  await rig.control.play({ token, step: 'finish', similarity: 94 });
  expect(await finish(id)).toMatchObject({ decision: 'no_match', similarity: 94, reason: { code: 'BELOW_THRESHOLD' } });
});

it('says what the device and the liveness check say', async () => {
  const { id, token } = await start('ApplySdkVerificationToken');
  await rig.control.play({ token, step: 'finish', card: 'spoof', tags: ['03'], deviceLevel: '4' });
  const view = await finish(id);
  expect(view?.session).toMatchObject({ deviceRisk: '4', livenessTags: ['03'], tries: 1, chargeCount: 1 });
});

it('tells the person’s last try from one that may be repeated', async () => {
  const { id, token } = await start('ApplySdkVerificationToken');
  await rig.control.play({ token, step: 'exhaust', card: 'badLight' });
  expect(await finish(id)).toMatchObject({ decision: 'retry_limit', next: 'refuse', paidCalls: 3 });
});

it('moves the document and what was read from it, and keeps the fields out of Redis', async () => {
  const media = ['bestFrame', 'profileImage', 'cardImage', 'ocr'];
  const { id, token } = await start('ApplySdkVerificationToken', {
    parameters: { CheckMode: 1 },
    resources: {},
    media,
  });
  await rig.control.play({ token, step: 'finish' });
  const view = await finish(id);
  expect(view?.session?.media.map(({ name }) => name)).toEqual(['profileImage', 'cardImage', 'ocr']);
  const record = await rig.redis.hgetall(rig.names.journal(id));
  const stored = JSON.parse(record.media ?? '[]') as { name: string; path: string }[];
  const path = stored.find(({ name }) => name === 'ocr')?.path ?? '';
  const fields = Object.values(JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>).filter(
    (value) => typeof value === 'string' && value.length > 5,
  );
  expect(fields.length).toBeGreaterThan(0);
  for (const value of fields) expect(JSON.stringify(record)).not.toContain(String(value));
});
