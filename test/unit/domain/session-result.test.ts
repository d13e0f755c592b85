/** Tests when the result of a session is final, what it decides, and how many checks count as billed. */
import { describe, expect, it } from 'vitest';
import { CODES } from '../../../src/domain/errors/index.ts';
import {
  billedChecksOf,
  expiredSession,
  type FlowResult,
  type JudgedSession,
  judgeResult,
} from '../../../src/domain/verification/session-result.ts';

const HOUR = 3_600_000;
const NONE: FlowResult = {
  code: null,
  description: '',
  similarity: null,
  chargeCount: null,
  tries: 0,
  deviceRisk: null,
  livenessTags: [],
  requestId: 'request-1',
  media: {},
};
const SESSION: JudgedSession = {
  action: 'ApplySdkVerificationToken',
  parameters: { CheckMode: 2, RetryLimit: 3 },
  wanted: ['bestFrame', 'liveVideo'],
  threshold: 70,
  isTold: false,
  startedAt: 0,
  deadline: HOUR,
};

const judge = (result: Partial<FlowResult>, session: Partial<JudgedSession> = {}, now = 1_000) =>
  judgeResult({ ...NONE, ...result }, { ...SESSION, ...session }, now);

describe('a session without a result', () => {
  it('goes on until its deadline', () => {
    expect(judge({})).toBeNull();
    expect(judge({ tries: 1 }, { isTold: true })).toBeNull();
  });

  it.each([
    [0, 'not_started', CODES.SESSION_NOT_STARTED],
    [1, 'abandoned', CODES.SESSION_ABANDONED],
  ])('after %i tries, its deadline decides: %s', (tries, decision, result) => {
    expect(judge({ tries }, {}, HOUR)).toMatchObject({ decision, result, similarity: null });
  });
});

describe('a success', () => {
  it.each([
    [69.9, 'no_match'],
    [70, 'match'],
  ])('with similarity %d is %s', (similarity, decision) => {
    expect(judge({ code: 'Result.0', similarity, tries: 1 })).toMatchObject({ decision, similarity });
  });

  it('that should have a similarity and has none is no decision', () => {
    expect(() => judge({ code: 'Result.0', tries: 1 })).toThrow(expect.objectContaining({ code: CODES.REPLY_SHAPE }));
  });

  it('of a check without a photo is live, whatever the similarity', () => {
    const liveness = { parameters: { CheckMode: 3 } };
    expect(judge({ code: 'Result.0', similarity: 12 }, liveness)).toMatchObject({ decision: 'live', similarity: null });
  });

  it('names the media that the caller wants and the vendor has, and until when the vendor keeps the result', () => {
    const media = { bestFrame: { url: 'https://x.example/1', md5: null }, liveData: { bytes: new Uint8Array(1) } };
    const outcome = judge({ code: 'Result.0', similarity: 99, media });
    expect(outcome?.media).toEqual({ names: ['bestFrame'], until: 72 * HOUR });
    expect(judge({ code: 'Result.0', similarity: 99 })?.media).toBeUndefined();
  });
});

describe('a failed try', () => {
  const failed = { code: 'Result.1201', tries: 1 };

  it('is not final while the person may try again', () => {
    expect(judge(failed)).toBeNull();
    expect(judge({ ...failed, tries: 2 })).toBeNull();
  });

  it.each([
    ['ApplySdkVerificationToken', { CheckMode: 2 }, 5],
    ['GetFaceIdTokenIntl', { CheckMode: 'compare' }, 5],
    ['ApplyLivenessToken', {}, 1],
    ['ApplyWebVerificationBizTokenIntl', {}, 99],
    ['ApplyWebVerificationBizTokenIntl', { Config: { LivenessRetryLimit: 2 } }, 2],
    ['GetFaceIdTokenIntl', { RetryLimit: 1 }, 1],
  ] as const)('of %s with %j is final at try %i', (action, parameters, most) => {
    if (most > 1) expect(judge({ ...failed, tries: most - 1 }, { action, parameters })).toBeNull();
    expect(judge({ ...failed, tries: most }, { action, parameters })).toMatchObject({ result: 'Result.1201' });
  });

  it('is final if the caller reported the end, or at the deadline', () => {
    expect(judge(failed, { isTold: true })).toMatchObject({ decision: 'recapture' });
    expect(judge(failed, {}, HOUR)).toMatchObject({ decision: 'recapture' });
  });

  it('decides retry_limit if the last of several tries cannot be judged, and otherwise as the code says', () => {
    expect(judge({ ...failed, tries: 3 })).toMatchObject({ decision: 'retry_limit', result: 'Result.1201' });
    expect(judge(failed, { parameters: { CheckMode: 2, RetryLimit: 1 } })).toMatchObject({ decision: 'recapture' });
    expect(judge({ code: 'Result.1002', tries: 3 })).toMatchObject({ decision: 'not_live' });
  });

  it('keeps its similarity only if it compared two faces', () => {
    const told = { isTold: true };
    expect(judge({ code: 'Result.2016', similarity: 31, tries: 1 }, told)).toMatchObject({ similarity: 31 });
    expect(judge({ code: 'Result.1005', similarity: 31, tries: 1 }, told)).toMatchObject({ similarity: null });
  });

  it.each([
    ['Result.15', 'expired'],
    ['Result.16', 'retry_limit'],
    ['Result.1409', 'abandoned'],
    ['Result.1410', 'abandoned'],
  ])('%s is final at once: %s', (code, decision) => {
    expect(judge({ code })).toMatchObject({ decision, result: code });
  });

  it('with a code that says nothing about the person is no decision', () => {
    expect(() => judge({ code: 'Result.31337', tries: 1 }, { isTold: true })).toThrow(
      expect.objectContaining({ code: 'Result.31337' }),
    );
  });
});

describe('how many checks are billed', () => {
  const late = 24 * HOUR;
  const billed = (result: Partial<FlowResult>, session: Partial<JudgedSession> = {}, now = late) => {
    const judged = { ...SESSION, isTold: true, ...session };
    const outcome = judgeResult({ ...NONE, ...result }, judged, now);
    if (outcome === null) throw new Error('not final');
    return billedChecksOf(outcome, judged, now);
  };

  it('is what the vendor says', () => {
    expect(billed({ code: 'Result.0', similarity: 80, chargeCount: 2 })).toBe(2);
    expect(billed({ code: 'Result.1201', tries: 1, chargeCount: 0 })).toBe(0);
  });

  it.each([
    ['Result.0', 1],
    ['Result.1002', 1],
    ['Result.1005', 1],
    ['Result.1201', 1],
    ['Result.2017', 1],
    ['Result.1001', 0],
    ['Result.2012', 0],
  ])('follows the notice about App SDKs if the vendor says nothing: %s is %i', (code, count) => {
    expect(billed({ code, similarity: 80, tries: 1 }, { action: 'GetFaceIdTokenIntl' })).toBe(count);
  });

  it('is unknown while the person may still be in the middle of a check', () => {
    const early = { deadline: 60_000 };
    expect(billed({ chargeCount: 0 }, early, 60_000)).toBeNull();
    expect(billed({ chargeCount: 0 }, early, HOUR)).toBe(0);
  });

  it('is none for a page that nobody opened', () => {
    expect(billed({}, { action: 'ApplyWebVerificationBizTokenIntl' })).toBe(0);
  });
});

describe('what a result says besides', () => {
  it.each([
    [null, false],
    [0, false],
    [1, true],
  ])('with a count of %s it is billed: %s', (chargeCount, isBilled) => {
    const found = judge({
      code: 'Result.0',
      similarity: 80,
      tries: 1,
      chargeCount,
      livenessTags: ['03'],
      deviceRisk: '4',
    });
    expect(found).toMatchObject({ billed: isBilled });
    expect(found?.session).toEqual({ chargeCount, tries: 1, deviceRisk: '4', livenessTags: ['03'] });
  });

  it('a failure has the request id, if the vendor gave one', () => {
    const failure = (requestId: string | null) => {
      try {
        return judge({ code: 'Result.0', tries: 1, requestId });
      } catch (error) {
        return error;
      }
    };
    expect(failure('request-1')).toMatchObject({ code: CODES.REPLY_SHAPE, requestId: 'request-1' });
    expect(failure(null)).toMatchObject({ code: CODES.REPLY_SHAPE, requestId: undefined });
  });

  it('a result that Tencent no longer has is expired, and not billed', () => {
    expect(expiredSession()).toEqual({
      ...{ decision: 'expired', result: CODES.SESSION_EXPIRED, similarity: null, requestId: null },
      ...{ billed: false, bestFrame: null },
      session: { chargeCount: null, tries: 0, deviceRisk: null, livenessTags: [] },
    });
  });
});
