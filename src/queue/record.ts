/**
 * The journal as it lies in Redis (a hash of strings) and as the code sees it. Written by the scripts in `lua/`; this is the
 * only reader.
 */
import type { ActionName, Region } from '../domain/actions.ts';
import type { LegalHold } from '../domain/erasure.ts';
import { type HistoryEntry, packHistory, unpackHistory } from '../domain/history.ts';
import type { DetectOutcome, StageOutcomes, StoredFrame, UploadOutcome } from '../domain/outcomes.ts';
import { type Decision, type FrameState, isTerminal, STAGES, type StageName, type State } from '../domain/states.ts';
import type { Consent, FrameTarget, Lane, Mode, Order, UploadWay, Verification } from '../domain/verification.ts';
import type { Sealer } from './seal.ts';

/** Version of what the pipeline writes; a journal says which one began it. */
export const PIPELINE_VERSION = 1;

/** Why a verification waits, or why it ended without an answer. */
export interface Reason {
  readonly code: string;
  readonly class: string;
  readonly stage?: StageName;
  readonly requestId?: string;
  readonly field?: string;
  /** When, ms since 1970; of a reused liveness package. */
  readonly at?: number;
}

export interface OpenIntent {
  readonly iid: string;
  readonly gen: number;
  readonly at: number;
  readonly until: number;
}

export interface JournalRecord {
  readonly id: string;
  readonly key: string;
  /** Of what was asked: the same payload has the same. */
  readonly fingerprint: string;
  readonly version: number;
  readonly mode: Mode;
  readonly action: ActionName;
  readonly region: Region;
  readonly upload: UploadWay;
  readonly lane: Lane;
  readonly threshold: number;
  /** Name of the endpoint that is told; null: nobody is. */
  readonly webhook: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whose it is, where several share a deployment. */
  readonly tenant: string | null;
  /** Keyed hash of whom it is about. */
  readonly subject: string | null;
  readonly purpose: string | null;
  readonly consent: Consent | null;
  /** Why it must not be erased. */
  readonly legalHold: LegalHold | null;
  /** Null once the verification has ended: sources are forgotten then. */
  readonly order: Order | null;
  readonly state: State;
  readonly decision: Decision | null;
  readonly similarity: number | null;
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
  readonly reason: Reason | null;
  readonly generation: number;
  /** Generations before this one count no more: a person has let it go on since. */
  readonly freshFrom: number;
  /** ms since 1970, while it is held. */
  readonly heldUntil: number | null;
  /** The vendor, or the person who did. */
  readonly decidedBy: string | null;
  /** An answer that came too late to count by itself. */
  readonly late: boolean;
  readonly createdAt: number;
  readonly deadline: number;
  readonly notBefore: number | null;
  readonly decidedAt: number | null;
  readonly endedAt: number | null;
  readonly starts: number;
  /** Runs that have not said how they ended: the one that goes on, those that died, and those that live on without their lease. */
  readonly unheard: number;
  readonly paid: number;
  readonly possiblyPaid: number;
  readonly cancelled: boolean;
  readonly open: OpenIntent | null;
  readonly outcomes: StageOutcomes;
  readonly attempts: Readonly<Record<StageName, number>>;
}

/** An answer that is told by a code is a reason too: it says what the person can do better. */
export function whyDecided({ result, requestId }: DetectOutcome): Reason | null {
  if (result === 'Success') return null;
  return { code: result, class: 'rejected', stage: 'detect', ...(requestId === null ? {} : { requestId }) };
}

/** What a claim writes and nobody changes: one field, since each costs Redis more than its text. */
function readRequest(packed: string | undefined) {
  const [version, mode, action, region, upload, lane, threshold, webhook] = (packed ?? '').split('|');
  return {
    version: number(version) ?? PIPELINE_VERSION,
    mode: mode as Mode,
    action: action as ActionName,
    region: region as Region,
    upload: upload as UploadWay,
    lane: lane as Lane,
    threshold: number(threshold) ?? 100,
    webhook: webhook === undefined || webhook === '' ? null : webhook,
  };
}

/** Whose a verification is. */
export interface Owner {
  readonly mode: Mode;
  readonly tenant: string | null;
  /** Keyed hash of whom it is about, or '' where that was not said. */
  readonly subject: string;
}

/** The fields that a claim writes. */
export function claimFields(
  id: string,
  request: Verification,
  { mode, tenant, subject }: Owner,
  sealer: Sealer,
): string[] {
  const { resources, frame, liveness, purpose, consent } = request;
  const { action, region, upload, lane, similarityThreshold, webhook } = request;
  const fields: Record<string, string> = {
    key: request.key,
    src: JSON.stringify({ resources, frame, liveness }),
  };
  if (request.metadata !== undefined) fields.meta = JSON.stringify(request.metadata);
  if (purpose !== undefined || consent !== undefined) fields.who = JSON.stringify({ purpose, consent });
  return [
    'rq',
    [
      PIPELINE_VERSION,
      mode,
      action,
      region,
      upload,
      lane,
      similarityThreshold,
      ...(webhook === undefined ? [] : [webhook]),
    ].join('|'),
    ...(tenant === null ? [] : ['tn', tenant]),
    ...(subject === '' ? [] : ['sub', subject]),
    ...Object.entries(fields).flatMap(([name, value]) => [name, sealer.seal(id, name, value)]),
  ];
}

/** What is sealed where there is a key ring. */
const SEALED = ['key', 'src', 'meta', 'who', 's:upload', 's:detect', 'stored', 'legal'] as const;

/**
 * @returns null where there is no journal (or only a tombstone).
 * @throws Failure SEAL_KEY_MISSING
 */
export function readRecord(id: string, kept: Readonly<Record<string, string>>, sealer: Sealer): JournalRecord | null {
  if (kept.state === undefined) return null;
  const opened = SEALED.flatMap((field) => {
    const value = kept[field];
    return value === undefined ? [] : [[field, sealer.open(id, field, value)] as const];
  });
  const hash: Readonly<Record<string, string>> = { ...kept, ...Object.fromEntries(opened) };
  const who = json<Pick<JournalRecord, 'purpose' | 'consent'>>(hash.who);
  const request = readRequest(hash.rq);
  const outcomes: StageOutcomes = {};
  const upload = json<UploadOutcome>(hash['s:upload']);
  if (upload !== null) outcomes.upload = upload;
  const md5 = json<{ checkedAt: number }>(hash['s:md5']);
  if (md5 !== null) outcomes.md5 = md5;
  const detect = json<DetectOutcome>(hash['s:detect']);
  if (detect !== null) outcomes.detect = detect;
  return {
    id,
    key: hash.key ?? '',
    fingerprint: hash.fp ?? '',
    ...request,
    metadata: json<Record<string, string>>(hash.meta) ?? {},
    tenant: hash.tn ?? null,
    subject: hash.sub ?? null,
    purpose: who?.purpose ?? null,
    consent: who?.consent ?? null,
    legalHold: json<LegalHold>(hash.legal),
    order: readOrder(hash, request),
    state: hash.state as State,
    decision: (hash.decision as Decision | undefined) ?? null,
    similarity: number(hash.similarity),
    frame: (hash.frame as FrameState | undefined) ?? 'none',
    stored: json<StoredFrame>(hash.stored),
    reason: json<Reason>(hash.reason),
    generation: number(hash.gen) ?? 0,
    freshFrom: number(hash.gen0) ?? 0,
    heldUntil: number(hash.heldUntil),
    decidedBy: hash.decidedBy ?? (hash.decision === undefined ? null : 'vendor'),
    late: hash.late !== undefined,
    createdAt: number(hash.at) ?? 0,
    deadline: number(hash.deadline) ?? 0,
    notBefore: number(hash.notBefore),
    decidedAt: number(hash.decidedAt),
    endedAt: number(hash.endedAt),
    starts: number(hash.starts) ?? 0,
    unheard: Number(hash.starts ?? 0) - Number(hash.yields ?? 0),
    paid: number(hash.paid) ?? 0,
    possiblyPaid: number(hash.maybe) ?? 0,
    cancelled: hash.cancel !== undefined,
    open: json<OpenIntent>(hash.open),
    outcomes,
    attempts: Object.fromEntries(STAGES.map((stage) => [stage, number(hash[`a:${stage}`]) ?? 0])) as Record<
      StageName,
      number
    >,
  };
}

/** What an erasure on demand left to be deleted outside Redis. */
export interface Tombstone {
  readonly region: Region;
  readonly upload: UploadWay;
  readonly stored: StoredFrame | null;
  /** Where the frame was to go, where it may have been on its way there. */
  readonly target: FrameTarget | null;
}

/** @returns null where nothing is left to be done. @throws Failure SEAL_KEY_MISSING */
export function readTombstone(id: string, hash: Readonly<Record<string, string>>, sealer: Sealer): Tombstone | null {
  if (hash.erased === undefined || hash.pending === undefined) return null;
  const open = (field: string) => {
    const value = hash[field];
    return value === undefined ? undefined : sealer.open(id, field, value);
  };
  const { region, upload } = readRequest(hash.rq);
  const order = json<Pick<Order, 'frame'>>(open('src'));
  return { region, upload, stored: json<StoredFrame>(open('stored')), target: order?.frame ?? null };
}

/** An entry of the history, as it is kept. */
export function writeEntry(sealer: Sealer, id: string, entry: HistoryEntry): string {
  return sealer.seal(id, 'history', packHistory(entry));
}

export function readEntry(sealer: Sealer, id: string, text: string): HistoryEntry {
  return unpackHistory(sealer.open(id, 'history', text));
}

function readOrder(hash: Readonly<Record<string, string>>, request: ReturnType<typeof readRequest>): Order | null {
  const kept = json<Pick<Order, 'resources' | 'frame' | 'liveness'>>(hash.src);
  if (kept === null) return null;
  const { action, region, upload } = request;
  return { action, region, upload, ...kept };
}

/** The first stage that has left no outcome; of one that has ended, where it ended. */
export function currentStage(record: JournalRecord): StageName {
  if (isTerminal(record.state)) return record.reason?.stage ?? 'download';
  return STAGES.find((stage) => record.outcomes[stage] === undefined) ?? 'download';
}

/** Attempts and time by stage, from the history. */
export function stageTimes(history: readonly HistoryEntry[]): { name: StageName; attempts: number; ms: number }[] {
  return STAGES.map((name) => {
    const entries = history.filter((entry) => entry.stage === name && entry.ms !== undefined);
    return { name, attempts: entries.length, ms: entries.reduce((sum, entry) => sum + (entry.ms ?? 0), 0) };
  });
}

function number(text: string | undefined): number | null {
  return text === undefined || text === '' ? null : Number(text);
}

function json<T>(text: string | undefined): T | null {
  return text === undefined ? null : (JSON.parse(text) as T);
}
