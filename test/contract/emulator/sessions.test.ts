/** Tests FaceID's token flows: what a token's result is before, while and after somebody uses the phone or the page. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CARDS } from '../../../src/emulator/cards.ts';
import type { PlayStep } from '../../../src/emulator/play-step.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { DEFAULT_SETTINGS } from '../../../src/emulator/settings.ts';
import { answerDifferences } from '../../support/vendor-facts.ts';
import { type Lab, md5Of, openLab } from './lab.ts';

const PHOTO = sampleImage().toString('base64');
const REDIRECT = 'https://shop.example.com/done?order=7';
const MINUTE_MS = 60_000;

interface FlowCase {
  readonly start: string;
  readonly result: string;
  readonly token: 'SdkToken' | 'BizToken';
  /** Parameters of a session that compares with a photo. ApplyLivenessToken never compares. */
  readonly parameters: object;
}

const SDK: FlowCase = {
  start: 'ApplySdkVerificationToken',
  result: 'GetSdkVerificationResult',
  token: 'SdkToken',
  parameters: { CheckMode: 2, CompareImage: PHOTO, Extra: 'order 7' },
};
const FACE_ID: FlowCase = {
  start: 'GetFaceIdTokenIntl',
  result: 'GetFaceIdResultIntl',
  token: 'SdkToken',
  parameters: { CheckMode: 'compare', Image: PHOTO, Extra: 'order 7' },
};
const LIVENESS: FlowCase = {
  start: 'ApplyLivenessToken',
  result: 'GetLivenessResult',
  token: 'SdkToken',
  parameters: {},
};
const WEB: FlowCase = {
  start: 'ApplyWebVerificationBizTokenIntl',
  result: 'GetWebVerificationResultIntl',
  token: 'BizToken',
  parameters: { RedirectURL: REDIRECT, CompareImageBase64: PHOTO, Extra: 'order 7' },
};
const FLOWS = [SDK, FACE_ID, LIVENESS, WEB];
const APPS = [SDK, FACE_ID, LIVENESS];

const { clockSkewMs, tokenTtlMs, resultTtlMs, mediaTtlMs } = DEFAULT_SETTINGS;

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.settings({ clockSkewMs, tokenTtlMs, resultTtlMs, mediaTtlMs, showOpenResults: false });
});
afterAll(() => lab.close());

async function open(flow: FlowCase, parameters: object = {}): Promise<string> {
  const { ok, error } = await lab.faceId(flow.start, { ...flow.parameters, ...parameters });
  expect(error).toBeUndefined();
  return String(ok?.[flow.token]);
}

async function ask({ result, token }: FlowCase, value: string): Promise<Readonly<Record<string, unknown>>> {
  const { ok, error } = await lab.faceId(result, { [token]: value });
  expect(error).toBeUndefined();
  expect(answerDifferences(result, ok ?? {})).toEqual([]);
  return ok ?? {};
}

/** The final code of an answer as text; null if there is none. */
function codeOf(answer: Readonly<Record<string, unknown>>): string | null {
  const code = answer.Result ?? answer.ErrorCode ?? null;
  return code === null ? null : String(code);
}

async function play(flow: FlowCase, step: Omit<Extract<PlayStep, { step: 'finish' }>, 'token' | 'step'> = {}) {
  const token = await open(flow);
  await lab.control.play({ token, step: 'finish', ...step });
  return ask(flow, token);
}

describe.each(FLOWS)('$start', (flow) => {
  it('issues tokens that differ, for a phone that must start while the token lives', async () => {
    const [one, other] = [await open(flow), await open(flow)];
    expect(one).not.toBe(other);
    await lab.control.settings({ tokenTtlMs: 0 });
    await expect(lab.control.play({ token: one, step: 'finish' })).rejects.toThrow('the token has expired');
    expect((await lab.control.sessions()).find(({ token }) => token === one)).toMatchObject({
      action: flow.start,
      state: 'expired',
      codes: [],
    });
    expect(codeOf(await ask(flow, one))).toBe(flow === WEB ? '15' : '-999');
  });

  it('answers that nothing is finished, until the phone has finished, which may be after the token has expired', async () => {
    const token = await open(flow);
    const unfinished = flow === WEB ? null : '-999';
    expect(codeOf(await ask(flow, token))).toBe(unfinished);
    await lab.control.play({ token, step: 'start' });
    expect(codeOf(await ask(flow, token))).toBe(unfinished);
    await lab.control.play({ token, step: 'try', card: 'badLight' });
    expect(codeOf(await ask(flow, token))).toBe(unfinished);
    await lab.control.settings({ tokenTtlMs: 0 });
    await lab.control.play({ token, step: 'finish' });
    expect(codeOf(await ask(flow, token))).toBe('0');
    expect(codeOf(await ask(flow, token))).toBe('0');
    await expect(lab.control.play({ token, step: 'finish' })).rejects.toThrow('the session is over');
  });

  it('answers the last attempt while the person may try again, if a test asks for it', async () => {
    await lab.control.settings({ showOpenResults: true });
    const token = await open(flow);
    expect(codeOf(await ask(flow, token))).toBe(flow === WEB ? null : '-999');
    for (const card of ['badLight', 'spoof']) await lab.control.play({ token, step: 'try', card });
    expect(codeOf(await ask(flow, token))).toBe('1002');
    await lab.control.play({ token, step: 'try' });
    expect(codeOf(await ask(flow, token))).toBe('0');
  });

  it('answers BizTokenExpired once the life of the result is over', async () => {
    const token = await open(flow);
    await lab.control.play({ token, step: 'finish' });
    expect(codeOf(await ask(flow, token))).toBe('0');
    await lab.control.settings({ resultTtlMs: { [flow.start]: 0 } });
    const { error } = await lab.faceId(flow.result, { [flow.token]: token });
    expect(error?.code).toBe('InvalidParameterValue.BizTokenExpired');
  });

  it('answers BizTokenIllegal for an unknown token, and for a token of another action or region', async () => {
    const token = await open(flow);
    const other = await open(FLOWS[(FLOWS.indexOf(flow) + 1) % FLOWS.length] as FlowCase);
    for (const [value, region] of [
      ['unknown', 'ap-singapore'],
      [other, 'ap-singapore'],
      [token, 'ap-hongkong'],
    ] as const) {
      const { error } = await lab.faceId(flow.result, { [flow.token]: value }, { region });
      expect(error?.code).toBe('InvalidParameterValue.BizTokenIllegal');
    }
  });

  it('ends a session when no attempt is left, with the bill of each attempt in the log', async () => {
    const token = await open(flow, flow === WEB ? { Config: { LivenessRetryLimit: 5 } } : {});
    const view = await lab.control.play({ token, step: 'exhaust', card: 'spoof' });
    expect(view).toMatchObject({ state: 'over', end: 'retryLimit', codes: Array(5).fill('1002'), retryLimit: 5 });
    expect(codeOf(await ask(flow, token))).toBe(flow === WEB ? '16' : '1002');
    const attempts = await lab.control.calls({ event: 'attempt', session: view.id });
    expect(attempts.map(({ action, code, billed }) => [action, code, billed])).toEqual(
      Array(5).fill([flow.start, '1002', flow !== WEB]),
    );
    expect(view.chargeCount).toBe(flow === WEB ? 0 : 5);
  });

  it('bills no call, and names the session without its token', async () => {
    const token = await open(flow);
    const { id } = await lab.control.play({ token, step: 'finish' });
    await ask(flow, token);
    const calls = await lab.control.calls({ session: id });
    expect(calls.map(({ action, code, billed }) => [action, code, billed])).toEqual([
      [flow.start, 'Success', false],
      [flow.result, '0', false],
    ]);
    expect(JSON.stringify(await lab.control.calls())).not.toContain(token);
  });

  it('obeys faults', async () => {
    await lab.control.fault({ kind: 'error', action: flow.start, code: 'InternalError' });
    expect((await lab.faceId(flow.start, flow.parameters)).error?.code).toBe('InternalError');
    await lab.control.fault({ kind: 'drop', action: flow.start });
    expect((await lab.faceId(flow.start, flow.parameters)).error).toBeDefined();
    const orphan = (await lab.control.sessions()).at(-1);
    expect(orphan).toMatchObject({ action: flow.start, state: 'waiting' });
    const token = await open(flow);
    await lab.control.fault({ kind: 'result', action: flow.result, code: '1004' });
    expect(codeOf(await ask(flow, token))).toBe('1004');
    await lab.control.fault({ kind: 'shape', action: flow.result, remove: ['Result', 'ErrorCode'] });
    const { ok } = await lab.faceId(flow.result, { [flow.token]: token });
    expect(answerDifferences(flow.result, ok ?? {})).toEqual([
      flow === WEB ? 'ErrorCode is missing' : 'Result is missing',
    ]);
  });
});

it.each(APPS)(
  '$start: leaving and timing out leave the result unfinished, because the app tells nobody',
  async (flow) => {
    for (const step of ['leave', 'timeout'] as const) {
      const token = await open(flow);
      expect(await lab.control.play({ token, step })).toMatchObject({ state: 'started', end: null });
      expect(codeOf(await ask(flow, token))).toBe('-999');
      await lab.control.play({ token, step: 'try', card: 'notLive' });
      expect(await lab.control.play({ token, step })).toMatchObject({ state: 'over', end: 'attempt' });
      expect(codeOf(await ask(flow, token))).toBe('1005');
    }
  },
);

it.each([
  ['leave', 1410],
  ['timeout', 1409],
] as const)('a web page reports %s as %i, which is not billed', async (step, code) => {
  const token = await open(WEB);
  const { id } = await lab.control.play({ token, step });
  expect(await ask(WEB, token)).toMatchObject({ ErrorCode: code, VerificationDetailList: null, BestFrameBase64: null });
  expect(await lab.control.calls({ event: 'attempt', session: id })).toEqual([]);
});

describe('test cards', () => {
  it.each(Object.entries(CARDS))('end a session that compares: %s', async (card, { sessionCode, similarity }) => {
    const { CompareResults } = (await play(SDK, { card })) as { CompareResults: Record<string, unknown>[] };
    const isLive = sessionCode === '0' || Number(sessionCode) >= 2_000;
    expect(CompareResults).toHaveLength(1);
    expect(CompareResults[0]).toMatchObject({
      ErrorCode: sessionCode,
      LiveErrorCode: isLive ? '0' : sessionCode,
      CompareErrorCode: isLive ? sessionCode : null,
      Sim: ['0', '2016'].includes(sessionCode) ? similarity : isLive ? 0 : null,
    });
    expect(CompareResults[0]?.BestFrame === null).toBe(!isLive);
  });

  it.each([
    ['lowSimilarity', '0'],
    ['poorPhoto', '0'],
    ['manyFaces', '1004'],
    ['2017', '2017'],
  ])('end a session that checks liveness only: %s %s', async (card, code) => {
    expect(codeOf(await play(LIVENESS, { card }))).toBe(code);
  });

  it('can be a code, with a similarity, tags and a device level', async () => {
    const token = await open(FACE_ID, { SdkVersion: 'PLUS' });
    await lab.control.play({ token, step: 'finish', card: '1002', tags: ['04', '07'], deviceLevel: '3' });
    expect(await ask(FACE_ID, token)).toMatchObject({
      Result: '1002',
      LivenessInfoTag: ['04', '07'],
      DeviceInfoLevel: '3',
    });
    expect(await play(FACE_ID, { card: '2016', similarity: 12.5 })).toMatchObject({ Result: '2016', Similarity: 12.5 });
  });
});

describe('media', () => {
  it('is behind links that live ten minutes from the answer, and stays for the next answer', async () => {
    const token = await open(SDK, { CheckMode: 1, CompareImage: undefined });
    await lab.control.play({ token, step: 'finish' });
    const first = linksOf(await ask(SDK, token));
    expect(Object.keys(first).sort()).toEqual([
      'CardVerifyResults.0.CardImage',
      'CardVerifyResults.0.CardInfoOcrJson',
      'CardVerifyResults.0.CardVideo',
      'CompareResults.0.ActionVideo',
      'CompareResults.0.BestFrame',
      'CompareResults.0.LiveData',
      'CompareResults.0.LiveVideo',
      'CompareResults.0.ProfileImage',
    ]);
    for (const { Url, MD5, Size } of Object.values(first)) {
      const { status, body } = await lab.http('GET', Url);
      expect([status, md5Of(body), body.length]).toEqual([200, MD5, Size]);
    }
    await lab.control.settings({ clockSkewMs: 11 * MINUTE_MS });
    for (const { Url } of Object.values(first)) expect((await lab.http('GET', Url)).status).toBe(403);
    await lab.control.settings({ clockSkewMs: 0 });
    const second = linksOf(await ask(SDK, token));
    for (const [name, { Url, MD5 }] of Object.entries(second)) {
      expect([name, MD5]).toEqual([name, first[name]?.MD5]);
      expect((await lab.http('GET', Url)).status).toBe(200);
    }
  });

  it('is behind links for ApplyLivenessToken, whose life is a setting', async () => {
    await lab.control.settings({ mediaTtlMs: 30_000 });
    const { BestFrame, Video } = linksOf(await play(LIVENESS));
    for (const file of [BestFrame, Video]) expect((await lab.http('GET', String(file?.Url))).status).toBe(200);
    await lab.control.settings({ clockSkewMs: 31_000 });
    expect((await lab.http('GET', String(BestFrame?.Url))).status).toBe(403);
  });

  it('is Base64 for GetFaceIdResultIntl and on web pages, of the size that the test asks for', async () => {
    const inApp = await play(FACE_ID, { videoBytes: 3_000_000 });
    expect(Buffer.from(String(inApp.BestFrame), 'base64').subarray(0, 2).toString('hex')).toBe('ffd8');
    for (const video of [inApp.Video, inApp.ActionVideo]) {
      const content = Buffer.from(String(video), 'base64');
      expect(content.toString('latin1', 4, 8)).toBe('ftyp');
      expect(content.length).toBeGreaterThan(3_000_000);
    }
    const onPage = await play(WEB);
    expect(Buffer.from(String(onPage.BestFrameBase64), 'base64').subarray(0, 2).toString('hex')).toBe('ffd8');
    expect(Buffer.from(String(onPage.VideoBase64), 'base64').toString('latin1', 4, 8)).toBe('ftyp');
  });

  it('has a video of the actions only at security levels with actions', async () => {
    const token = await open(FACE_ID, { SecureLevel: '3' });
    await lab.control.play({ token, step: 'finish' });
    expect((await ask(FACE_ID, token)).ActionVideo).toBe('');
  });
});

interface FileInfo {
  readonly Url: string;
  readonly MD5: string;
  readonly Size: number;
}

/** The FileInfos in an answer, by path. */
function linksOf(value: object, prefix = ''): Record<string, FileInfo> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]): [string, FileInfo][] => {
      if (inner === null || typeof inner !== 'object') return [];
      if ('Url' in inner && 'MD5' in inner) return [[`${prefix}${name}`, inner as FileInfo]];
      return Object.entries(linksOf(inner, `${prefix}${name}.`));
    }),
  );
}
