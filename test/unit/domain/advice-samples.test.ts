/**
 * Writes the advice on one code of each class, in each state, into a page that a reviewer can read. A change of the words or of
 * their choice shows up as a change of the page (`-u` writes it again).
 */
import { expect, it } from 'vitest';
import { type Advice, advise, adviseOn, outlookOf, type Situation } from '../../../src/domain/verification/advice.ts';

/** One code of each class, and codes with words for a reader of their own. */
const CODES = [
  'TIMEOUT', // transient
  'RequestLimitExceeded', // throttled
  'LINKS_EXPIRED', // reupload
  'FailedOperation.ImageBlur', // rejected, both must be taken again
  'FailedOperation.LivessDetectFake', // rejected, nothing to take again
  'AuthFailure.SecretIdNotFound', // account
  'SPOOL_FULL', // machine
  'SOURCE_CUT', // caller
  'REUSED_LIVE_DATA', // caller, but the person must act
  'FRAME_EXPIRED', // about the frame
  'FAKE_SUSPECTED', // of the second opinion
  'INTERNAL', // a bug
  'Vendor.NeverSeen', // unknown
] as const;

const SITUATIONS: readonly Omit<Situation, 'code'>[] = [
  { state: null },
  ...(['queued', 'active', 'delayed', 'held', 'failed', 'cancelled'] as const).map((state) => ({ state })),
  { state: 'delayed', decision: 'match', stage: 'download' },
  { state: 'delayed', decision: 'recapture', stage: 'download' },
  { state: 'delayed', decision: 'recapture', stage: 'detect' },
  { state: 'completed', decision: 'match', stage: 'download' },
  { state: 'completed', decision: 'no_match', stage: 'detect' },
  { state: 'completed', decision: 'not_live' },
  { state: 'completed', decision: 'recapture', stage: 'detect' },
  { state: 'completed', decision: 'recapture', stage: 'download' },
  { state: 'failed', decision: 'recapture' },
  { state: 'delayed', decision: 'match', stage: 'opinion', opinion: 'pending' },
  { state: 'delayed', decision: 'match', stage: 'download', opinion: 'pending' },
  { state: 'completed', decision: 'match', stage: 'opinion', opinion: 'suspected' },
  { state: 'completed', decision: 'match', stage: 'opinion', opinion: 'unclear' },
  { state: 'completed', decision: 'match', stage: 'opinion', opinion: 'failed' },
];

function row({ audience, retake, person, caller, operator }: Advice): string {
  return [audience, retake, person, caller, operator].map((text) => text || '–').join(' | ');
}

it('is as on the page', async () => {
  const lines = CODES.flatMap((code) => [
    '',
    `## ${code}`,
    ...SITUATIONS.map((situation) => {
      const { state, decision = '', stage = '', opinion } = situation;
      const where = [state ?? 'refused', decision, stage, opinion == null ? '' : `opinion ${opinion}`]
        .filter((word) => word !== '')
        .join(', ');
      return `- ${where} (${outlookOf(situation)}): ${row(advise({ code, ...situation }))}`;
    }),
  ]);
  const title = '# Advice: who acts | what is taken again | for the person | for the caller | for the operator';
  await expect(`${[title, ...lines].join('\n')}\n`).toMatchFileSnapshot('advice-samples.md');
});

it('on a record is the same as on its facts', () => {
  const record = { state: 'completed', decision: 'recapture' } as const;
  const reason = { code: 'FailedOperation.ImageBlur', stage: 'detect' } as const;
  for (const language of ['en', 'zh'] as const)
    expect(adviseOn(record, reason, language)).toEqual(advise({ ...record, ...reason }, language));
});
