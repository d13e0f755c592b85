/** Tests the advice for every code of the error table in every state: each reader gets advice, and none gets false advice. */
import { describe, expect, it } from 'vitest';
import { AUDIENCES, CODES, ERROR_TABLE, explain, type Language } from '../../../src/domain/errors/index.ts';
import { type Advice, advise, outlookOf, type Situation } from '../../../src/domain/verification/advice.ts';
import { type Decision, nextStep, type StageName, type State } from '../../../src/domain/verification/states.ts';

const LANGUAGES: readonly Language[] = ['en', 'zh'];
const NOVEL = 'FailedOperation.BrandNew';
/**
 * One code for each entry of the table. Some entries match a message of the vendor: records then contain the entry's title in
 * place of a code.
 */
const ALL_CODES = [
  NOVEL,
  ...new Set(ERROR_TABLE.map(({ match, title }) => (match.startsWith('/') ? title : match.replace(/\.\*$/, '.Novel')))),
];

type Place = Omit<Situation, 'code'>;
const DECIDED: readonly Decision[] = ['match', 'no_match', 'not_live', 'recapture'];
const PLACES: readonly Place[] = [
  { state: null },
  ...(['queued', 'active', 'delayed'] as const).map((state) => ({ state, decision: null })),
  ...(['queued', 'active', 'delayed', 'completed', 'cancelled'] as const).flatMap((state) =>
    DECIDED.flatMap((decision) =>
      (['detect', 'download'] as const).map((stage) => ({ state, decision, stage: stage as StageName })),
    ),
  ),
  ...(['held', 'failed', 'cancelled'] as const).map((state) => ({ state, decision: null })),
];

const EVERY = ALL_CODES.flatMap((code) => PLACES.map((place): Situation => ({ code, ...place })));
/** Checks every code in every place and in both languages. Reports everything that is wrong, not only the first case. */
function wrong(isWrong: (advice: Advice, situation: Situation) => boolean, among = EVERY): unknown[] {
  return LANGUAGES.flatMap((language) =>
    among.flatMap((situation) => {
      const advice = advise(situation, language);
      return isWrong(advice, situation) ? [{ ...situation, ...advice }] : [];
    }),
  );
}

/** Matches words for operators: settings, commands of Bestframe or of a shell, and options of a command. */
const OPERATORS_WORDS = /BESTFRAME_|TENCENTCLOUD_|REDIS_URL|`(?:bestframe|curl)\b|(?:^|[\s`])--\w/;
/** Matches promises that Bestframe will try, upload or fetch again, or that the verification will go on. */
const PROMISES =
  /Bestframe (?:tries|retries|waits|uploads|downloads|repeats|fetches|goes on)|by itself|on (?:its|their) own|uploads? (?:it )?again|Wait with the same id|Bestframe 会(?:自动|重新|继续|等待)|核验会自动|会重新上传|同一个 id 等待/;
const IS_OVER: readonly (State | null)[] = ['held', 'failed', 'cancelled'];

describe('advice for every code in every state', () => {
  it('has a situation for each entry of the table', () => {
    expect(ALL_CODES.length).toBeGreaterThan(200);
    expect(ALL_CODES.filter((code) => code !== NOVEL && explain(code) === null)).toEqual([]);
  });

  it('has words for the caller, for the operator and for whoever has to act', () => {
    expect(wrong((advice) => advice.caller === '' || advice.operator === '' || advice[advice.audience] === '')).toEqual(
      [],
    );
  });

  it('promises no retry and no upload to anybody where a verification is held, failed or cancelled', () => {
    const over = EVERY.filter(({ state }) => IS_OVER.includes(state));
    expect(over.length).toBeGreaterThan(2_000);
    expect(wrong((advice) => AUDIENCES.some((reader) => PROMISES.test(advice[reader])), over)).toEqual([]);
  });

  it('tells the caller to wait exactly where Bestframe goes on by itself without an answer', () => {
    const waits = /Wait with the same id|同一个 id 等待/;
    expect(wrong(({ caller }, situation) => waits.test(caller) !== (outlookOf(situation) === 'again'))).toEqual([]);
  });

  it('names no setting, command or option to the caller and the person', () => {
    expect(wrong(({ caller, person }) => OPERATORS_WORDS.test(caller) || OPERATORS_WORDS.test(person))).toEqual([]);
    expect(wrong(({ operator }) => OPERATORS_WORDS.test(operator)).length).toBeGreaterThan(100); // the pattern can match
  });

  it('addresses the person exactly where something must be taken again', () => {
    expect(wrong(({ person, retake }) => (person !== '') !== (retake !== 'none'))).toEqual([]);
    const recaptures = EVERY.filter(
      ({ state, decision = null }) => state !== null && nextStep(state, decision) === 'recapture',
    );
    expect(wrong(({ audience, retake }) => audience !== 'person' || retake === 'none', recaptures)).toEqual([]);
    const others = EVERY.filter(
      ({ code, state, decision = null }) =>
        (state === null || nextStep(state, decision) !== 'recapture') && code !== CODES.REUSED_LIVE_DATA,
    );
    expect(wrong(({ retake }) => retake !== 'none', others)).toEqual([]);
  });

  it('tells the caller what the decision is', () => {
    const told = /Refuse the person|拒绝该用户/;
    const settled = EVERY.filter(({ state, decision }) => state === 'completed' && decision != null);
    expect(
      wrong(
        ({ caller }, { decision }) => told.test(caller) !== ['no_match', 'not_live'].includes(decision ?? ''),
        settled,
      ),
    ).toEqual([]);
  });

  it('writes whole sentences, in the language that was asked for', () => {
    expect(
      wrong((advice) => AUDIENCES.some((reader) => advice[reader] !== '' && !/[.!。]$/.test(advice[reader]))),
    ).toEqual([]);
    const chinese = /\p{Script=Han}/u;
    for (const situation of EVERY) {
      for (const reader of AUDIENCES) {
        const [english, translated] = [advise(situation, 'en')[reader], advise(situation, 'zh')[reader]];
        expect([situation, chinese.test(english), chinese.test(translated)]).toEqual([
          situation,
          false,
          english !== '',
        ]);
      }
    }
  });
});

describe('advice in a state', () => {
  it.each([
    ['FailedOperation.DownLoadError', 'delayed', 'caller', /tries again by itself/],
    ['FailedOperation.DownLoadError', 'held', 'operator', /bucket policy.*`bestframe held/],
    ['FailedOperation.DownLoadError', 'failed', 'caller', /nothing more is tried.*new key/],
    ['UnauthorizedOperation.Arrears', 'delayed', 'operator', /Pay the bill/],
    ['OUTCOME_UNKNOWN', 'held', 'operator', /Compare the bill/],
    ['SOURCE_CUT', 'failed', 'caller', /Send the complete file again.*new key/],
    ['REUSED_LIVE_DATA', 'failed', 'person', /record again/],
    ['REDIS_UNAVAILABLE', null, 'caller', /Send the request again later, under the same key/],
    ['SEQUENCE_LATE', null, 'caller', /^Ask again under the same key\.$/],
    [NOVEL, 'held', 'operator', /Tencent’s support/],
  ] as const)('%s, %s: %s acts', (code, state, audience, words) => {
    const advice = advise({ code, state, decision: null });
    expect(advice.audience).toBe(audience);
    expect(advice[audience]).toMatch(words);
  });

  it.each([
    ['FailedOperation.ActionLightDark', 'liveness', /new recording/],
    ['FailedOperation.LifePhotoPoorQuality', 'photo', /another photo.*same recording/],
    ['InternalError.LifePhotoSizeError', 'photo', /another photo.*same recording/],
    ['FailedOperation.ImageBlur', 'both', /new recording and a new photo/],
  ] as const)('%s asks for: %s', (code, retake, words) => {
    const advice = advise({ code, state: 'completed', decision: 'recapture', stage: 'detect' });
    expect(advice).toMatchObject({ audience: 'person', retake, caller: expect.stringMatching(words) });
  });

  it('says that a decision counts while its frame is fetched, and after the frame is lost', () => {
    const lost = { code: CODES.FRAME_EXPIRED, decision: 'match', stage: 'download' } as const;
    expect(advise({ ...lost, state: 'delayed' }).caller).toBe(
      'Let the person in: the decision counts. The picture is still on its way.',
    );
    expect(advise({ ...lost, state: 'completed' }).caller).toBe(
      'Let the person in: the decision counts. Continue without the picture.',
    );
  });
});
