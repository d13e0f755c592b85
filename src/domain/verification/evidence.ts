/**
 * Evidence: copies of what a decision was based on, in a bucket with object lock. The record says until when the objects are locked,
 * and their names follow from the verification, so each attempt to copy them writes the same objects with the same lock.
 */
import { RESOURCE_NAMES, type ResourceName } from './actions.ts';
import { MEDIA_NAMES, type MediaName } from './flows.ts';
import type { DetectOutcome, OpinionOutcome, SessionResult, UploadOutcome } from './outcomes.ts';
import { REGIONS, type Region } from './regions.ts';

/** Tencent's answer, sealed with the key ring. */
export const ANSWER = 'answer';
/** One object of the evidence: a resource, a medium that was stored, or the answer. */
export type EvidenceName = ResourceName | MediaName | typeof ANSWER;
export const EVIDENCE_NAMES: readonly EvidenceName[] = [
  ...new Set([...RESOURCE_NAMES, ...MEDIA_NAMES, ANSWER] as const),
];

/** The field for which the answer is sealed. */
export const ANSWER_FIELD = 'evidence';

/** Where the evidence of one verification lies. */
export interface EvidencePlace {
  readonly region: Region;
  readonly bucket: string;
  /** With a slash at its end. */
  readonly folder: string;
}

/** What a record says about its evidence. */
export interface EvidenceRecord {
  /**
   * `pending`: not everything is copied yet. `copied`: everything is. `incomplete`: something could not be copied, and is given up.
   */
  readonly state: 'pending' | 'copied' | 'incomplete';
  /** Until when the objects are locked, ms since 1970. */
  readonly until: number;
  /** Null: no bucket is configured for the region. */
  readonly place: EvidencePlace | null;
  readonly objects: readonly EvidenceName[];
  readonly missing: readonly MissingEvidence[];
}

/** An object that is not copied, and the code of the reason. */
export interface MissingEvidence {
  readonly name: EvidenceName;
  readonly code: string;
}

/** Evidence as callers see it: that it exists, and until when. */
export interface EvidenceView {
  readonly state: EvidenceRecord['state'];
  /** ISO 8601: until then, nobody can delete the objects. */
  readonly lockedUntil: string;
  readonly objects: readonly EvidenceName[];
  /** What could not be copied. While `state` is `pending`, it is tried again. */
  readonly missing: readonly MissingEvidence[];
}

export function viewOfEvidence({ state, until, objects, missing }: EvidenceRecord): EvidenceView {
  return { state, lockedUntil: new Date(until).toISOString(), objects, missing };
}

/** The place as a member of the index of evidence. The folder ends with the id of the verification. */
export function placeText({ region, bucket, folder }: EvidencePlace): string {
  return `${region} ${bucket} ${folder}`;
}

/** @returns null if the text is no place. */
export function parsePlace(text: string): (EvidencePlace & { readonly id: string }) | null {
  const [, name, bucket, folder, id] = /^(\S+) (\S+) ((?:.+\/)?([^/]+)\/)$/s.exec(text) ?? [];
  const region = REGIONS.find((each) => each === name);
  if (region === undefined || bucket === undefined || folder === undefined || id === undefined) return null;
  return { region, bucket, folder, id };
}

/** Key of an object. The answer is no JSON before it is opened. */
export function evidenceKey({ folder }: Pick<EvidencePlace, 'folder'>, name: EvidenceName): string {
  return `${folder}${name === ANSWER ? `${ANSWER}.sealed` : name}`;
}

/** The name of the object with a key; null if the evidence has no such object. */
export function evidenceName(key: string): EvidenceName | null {
  const last = key.slice(key.lastIndexOf('/') + 1).replace(/\.sealed$/, '');
  return EVIDENCE_NAMES.find((name) => name === last) ?? null;
}

/** What {@link evidenceAnswer} takes of a record. */
export interface AnsweredRecord {
  readonly id: string;
  readonly key: string;
  readonly tenant: string | null;
  readonly mode: string;
  readonly action: string;
  readonly region: Region;
  readonly threshold: number;
  readonly decision: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: number | null;
  readonly outcomes: { readonly opinion?: OpinionOutcome };
}

/** Tencent's answer, and what it was an answer to. */
export interface EvidenceAnswer {
  readonly id: string;
  /** The caller's key. */
  readonly key: string;
  readonly tenant: string | null;
  readonly mode: string;
  readonly action: string;
  readonly region: string;
  readonly requestId: string | null;
  /** Tencent's code or Result, e.g. `Success`. */
  readonly result: string;
  readonly decision: string;
  readonly similarity: number | null;
  readonly similarityThreshold: number;
  /** `vendor`, or the operator who accepted a late answer. */
  readonly decidedBy: string | null;
  /** ISO 8601. */
  readonly decidedAt: string | null;
  readonly billed: boolean;
  /** The files that were sent: bytes, and MD5 (32 hex digits). Empty if the record does not say them. */
  readonly resources: Readonly<Record<string, { readonly bytes: number; readonly md5: string }>>;
  readonly session: SessionResult | null;
  /** What became of the second opinion. Null if none was needed or asked for. */
  readonly secondOpinion: OpinionOutcome | null;
}

/** Contains no link. */
export function evidenceAnswer(
  record: AnsweredRecord,
  { decision, similarity, result, requestId, billed, session }: DetectOutcome,
  upload: UploadOutcome | null,
): EvidenceAnswer {
  const { id, key, tenant, mode, action, region, threshold, decidedBy, decidedAt, outcomes } = record;
  return {
    ...{ id, key, tenant, mode, action, region, requestId, result, decision, similarity },
    ...{ similarityThreshold: threshold, decidedBy },
    decidedAt: decidedAt === null ? null : new Date(decidedAt).toISOString(),
    billed,
    resources: Object.fromEntries(
      Object.entries(upload?.resources ?? {}).map(([name, { bytes, md5 }]) => [name, { bytes, md5 }]),
    ),
    session: session ?? null,
    secondOpinion: outcomes.opinion ?? null,
  };
}
