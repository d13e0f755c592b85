/** Tests which evidence is planned, where it lies, and what its answer contains. */
import { describe, expect, it } from 'vitest';
import { type EvidenceSettings, evidenceFolder, planEvidence } from '../../../src/domain/operations/evidence.ts';
import {
  ANSWER,
  type AnsweredRecord,
  EVIDENCE_NAMES,
  evidenceAnswer,
  evidenceKey,
  evidenceName,
  parsePlace,
  placeText,
} from '../../../src/domain/verification/evidence.ts';
import type { DetectOutcome, UploadOutcome } from '../../../src/domain/verification/outcomes.ts';

const DAY_MS = 86_400_000;
const SETTINGS: EvidenceSettings = {
  buckets: new Map([['ap-singapore', 'evidence-1250000000']]),
  days: 30,
  folder: 'bestframe',
};
const DECIDED = { id: 'v1', tenant: null, region: 'ap-singapore', decidedAt: 1_000_500, before: null } as const;

describe('a plan', () => {
  it('locks for whole seconds, at least as many days after the decision as were asked for', () => {
    expect(planEvidence(DECIDED, SETTINGS, 30)).toEqual({
      state: 'pending',
      until: 1_001_000 + 30 * DAY_MS,
      place: { region: 'ap-singapore', bucket: 'evidence-1250000000', folder: 'bestframe/v1/' },
      objects: [],
      missing: [],
    });
  });

  it('is nothing for 0 days, and keeps what an earlier end has planned', () => {
    expect(planEvidence(DECIDED, SETTINGS, 0)).toBeNull();
    const before = planEvidence(DECIDED, SETTINGS, 30);
    expect(planEvidence({ ...DECIDED, before }, SETTINGS, 0)).toBe(before);
  });

  it('never makes a lock shorter, nor moves the place', () => {
    const before = planEvidence(DECIDED, SETTINGS, 30);
    const moved = { ...SETTINGS, buckets: new Map([['ap-singapore', 'other-1250000000'] as const]) };
    expect(planEvidence({ ...DECIDED, before }, moved, 7)).toMatchObject({
      until: before?.until,
      place: before?.place,
    });
    expect(planEvidence({ ...DECIDED, before }, SETTINGS, 60)?.until).toBe(1_001_000 + 60 * DAY_MS);
  });

  it('is incomplete from the start if the region has no bucket', () => {
    const plan = planEvidence({ ...DECIDED, region: 'ap-hongkong' }, SETTINGS, 30);
    expect(plan).toMatchObject({ state: 'incomplete', place: null });
  });
});

describe('a place', () => {
  it('is apart for each tenant, and is read from its text', () => {
    const folder = evidenceFolder('bestframe', { id: 'v1', tenant: 'acme' });
    expect(folder).toBe('bestframe/t/acme/v1/');
    const place = { region: 'ap-singapore', bucket: 'evidence-1250000000', folder } as const;
    expect(parsePlace(placeText(place))).toEqual({ ...place, id: 'v1' });
    for (const text of ['', 'ap-singapore b', 'nowhere b f/v1/', 'ap-singapore b f/v1'])
      expect(parsePlace(text)).toBeNull();
  });

  it('has a key for each name, from which the name is read', () => {
    for (const name of EVIDENCE_NAMES) expect(evidenceName(evidenceKey({ folder: 'f/v1/' }, name))).toBe(name);
    expect(evidenceKey({ folder: 'f/v1/' }, ANSWER)).toBe('f/v1/answer.sealed');
    expect(evidenceName('f/v1/other')).toBeNull();
  });
});

it('an answer has what Tencent said and of which files, and no link', () => {
  const record: AnsweredRecord = {
    ...{ id: 'v1', key: 'k', tenant: null, mode: 'live', action: 'VideoLivenessCompare' },
    ...{ region: 'ap-singapore', threshold: 70, decision: 'match', decidedBy: 'vendor', decidedAt: 0 },
    outcomes: { opinion: { level: 'Low', attacks: [], requestId: 'o' } },
  };
  const link = 'https://secret.example.com/';
  const detect: DetectOutcome = {
    ...{ decision: 'match', similarity: 91, result: 'Success', requestId: 'r', billed: true },
    bestFrame: { url: link, md5: null, expiresAt: 1 },
  };
  const upload: UploadOutcome = { resources: { image: { bytes: 3, md5: 'm', link, requestId: 'u' } } };
  const answer = evidenceAnswer(record, detect, upload);
  expect(answer).toEqual({
    ...{ id: 'v1', key: 'k', tenant: null, mode: 'live', action: 'VideoLivenessCompare', region: 'ap-singapore' },
    ...{ requestId: 'r', result: 'Success', decision: 'match', similarity: 91, similarityThreshold: 70 },
    ...{ decidedBy: 'vendor', decidedAt: '1970-01-01T00:00:00.000Z', billed: true, session: null },
    resources: { image: { bytes: 3, md5: 'm' } },
    secondOpinion: { level: 'Low', attacks: [], requestId: 'o' },
  });
  expect(evidenceAnswer({ ...record, outcomes: {} }, detect, null)).toMatchObject({
    resources: {},
    secondOpinion: null,
  });
});
