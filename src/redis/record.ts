/**
 * Converts the journal between its Redis form (a hash of strings) and the typed record. The scripts in `scripts/` write the
 * hash; this file is its only reader.
 */

import { CODES } from '../domain/errors/index.ts';
import { parseTraceparent } from '../domain/operations/tracing.ts';
import type { ActionName } from '../domain/verification/actions.ts';
import { isSuccess } from '../domain/verification/decision.ts';
import type { EvidenceRecord } from '../domain/verification/evidence.ts';
import type { LegalHold } from '../domain/verification/legal-hold.ts';
import type { Mode } from '../domain/verification/mode.ts';
import {
  type DetectOutcome,
  type DownloadOutcome,
  type Md5Outcome,
  type OpinionOutcome,
  opinionStatus,
  type SessionResult,
  type StageOutcomes,
  type StartOutcome,
  type StoredFrame,
  type StoredMedium,
  type UploadOutcome,
} from '../domain/verification/outcomes.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Consent, Lane, Order, UploadWay, Verification } from '../domain/verification/request.ts';
import type { Session } from '../domain/verification/session-request.ts';
import {
  type Decision,
  type FrameState,
  isAccepted,
  isTerminal,
  type OpinionStatus,
  STAGES,
  type StageName,
  type State,
} from '../domain/verification/states.ts';
import type { WaitedFor } from '../domain/verification/view.ts';
import type { Sealer } from './sealer.ts';

/** Version of the records that this pipeline writes. A journal keeps the version that created it. */
export const PIPELINE_VERSION = 3;

/** Why a verification waits, or why it ended without an answer. */
export interface Reason {
  readonly code: string;
  readonly class: string;
  readonly stage?: StageName;
  readonly requestId?: string;
  readonly field?: string;
  /** Only with DEPENDENCY_DOWN: the dependency that is down. */
  readonly dependency?: string;
  /** Only in an outage: when the verification is tried again, ms since 1970. */
  readonly retryAt?: number;
  /** HTTP status that the server of an https source returned. */
  readonly httpStatus?: number;
  /** For a reused liveness package: when the vendor answered it, ms since 1970. */
  readonly at?: number;
  /** Only with DEADLINE_EXCEEDED: the reason of the last wait. */
  readonly waitedFor?: WaitedFor;
}

/** Adds the reason of the last wait to the reason of a verification that ends because its deadline has passed. */
export function withLastWait(reason: Reason, last: Reason | null | undefined): Reason {
  if (last == null) return reason;
  const { code, class: kind, dependency } = last;
  return { ...reason, waitedFor: { code, class: kind, ...(dependency === undefined ? {} : { dependency }) } };
}

/** The prefix of the fields in which a journal counts a call: none for the check, `o:` for the second opinion. See includes/counts.lua. */
export type CallCounts = '' | 'o:';

/** An open intent as the scripts store it. Times are ms since 1970. */
export interface OpenIntent {
  /** Id of the intent. */
  readonly iid: string;
  readonly gen: number;
  readonly at: number;
  /** Deadline of the call. */
  readonly until: number;
  /** Absent in a record of an older version. */
  readonly counts?: CallCounts;
}

/** Millionths of a currency. */
export interface Price {
  readonly currency: string;
  readonly micros: number;
}

export interface JournalRecord {
  readonly id: string;
  readonly key: string;
  /** Hash of the payload: equal payloads have equal fingerprints. */
  readonly fingerprint: string;
  readonly version: number;
  readonly mode: Mode;
  readonly action: ActionName;
  readonly region: Region;
  readonly upload: UploadWay;
  readonly lane: Lane;
  readonly threshold: number;
  /** W3C `traceparent` under which the verification was enqueued; null: none. */
  readonly traceparent: string | null;
  /** Name of the endpoint to notify; null: none. */
  readonly webhook: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** The tenant that owns the verification, in a deployment that several tenants share. */
  readonly tenant: string | null;
  /** Keyed hash of the subject. */
  readonly subject: string | null;
  readonly purpose: string | null;
  readonly consent: Consent | null;
  /** While set, nothing of the verification may be erased. */
  readonly legalHold: LegalHold | null;
  /** Null after the end, because the sources are dropped then. */
  readonly order: Order | null;
  readonly state: State;
  readonly decision: Decision | null;
  readonly similarity: number | null;
  readonly frame: FrameState;
  readonly stored: StoredFrame | null;
  /** What a session stored besides its frame. */
  readonly media: readonly StoredMedium[];
  /** Null: no evidence is kept, or none any more. */
  readonly evidence: EvidenceRecord | null;
  /** What the result of a session says besides the decision; null before the result. */
  readonly session: SessionResult | null;
  /** Whether it is a session that waits without a job. */
  readonly isParked: boolean;
  /** When the caller last reported that the person has finished, ms since 1970. */
  readonly toldAt: number | null;
  readonly reason: Reason | null;
  readonly generation: number;
  /** Rewinds are counted from this generation. It is the generation in which an operator last released a hold. */
  readonly freshFrom: number;
  /** How often an operator started the verification again after its end. */
  readonly retries: number;
  /** End of the hold, ms since 1970; null when not held. */
  readonly heldUntil: number | null;
  /** Who decided: `vendor`, or the operator's name. */
  readonly decidedBy: string | null;
  /** Whether an answer came too late to be used automatically. An operator may accept the answer. */
  readonly hasLateAnswer: boolean;
  readonly createdAt: number;
  readonly deadline: number;
  readonly notBefore: number | null;
  readonly decidedAt: number | null;
  readonly endedAt: number | null;
  /** Its place among the jobs that have not begun; 0 if it has ended. See includes/turn.lua. */
  readonly turn: number;
  /** Runs that were started. */
  readonly starts: number;
  /** Runs that never reported an end: the current run, runs that died, and runs that continue without their lease. */
  readonly unreportedRuns: number;
  /** Calls that were billed. */
  readonly paid: number;
  /** Calls whose outcome or billing is unknown, with the call that has no outcome yet. The ledger counts them likewise. */
  readonly possiblyPaid: number;
  /** Price of the latest call; null if no price was set. */
  readonly price: Price | null;
  /** Whether the request asked for a second opinion. */
  readonly secondOpinion: boolean;
  /** What became of the second opinion; null: none was asked for. */
  readonly opinion: OpinionStatus | null;
  /** The calls for the second opinion. They are not in the counts above. */
  readonly opinionCalls: Pick<JournalRecord, 'paid' | 'possiblyPaid' | 'price'>;
  readonly cancelled: boolean;
  readonly openIntent: OpenIntent | null;
  readonly outcomes: StageOutcomes;
  readonly attempts: Readonly<Record<StageName, number>>;
}

/** The reason for a decision. A match has a reason only if the answer does not have its frame in the documented fields. */
export function decisionReason({ decision, result, requestId, frameHidden, session }: DetectOutcome): Reason | null {
  const facts = {
    stage: session === undefined ? 'detect' : 'collect',
    ...(requestId === null ? {} : { requestId }),
  } as const;
  if (decision === 'match' || decision === 'live')
    return frameHidden === true ? { code: CODES.REPLY_SHAPE, class: 'transient', ...facts } : null;
  return { code: isSuccess(result) ? CODES.BELOW_THRESHOLD : result, class: 'rejected', ...facts };
}

/**
 * Reads the request fields, which a claim packs into a single hash field. If each had its own field, Redis would use more memory
 * for the overhead of the fields than for their text.
 */
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

/** The packed request fields of a journal. */
export function readPacked(packed: string): Pick<JournalRecord, 'region' | 'lane' | 'action' | 'upload'> {
  return readRequest(packed);
}

/** The owner of a verification. */
export interface Owner {
  readonly mode: Mode;
  readonly tenant: string | null;
  /** Keyed hash of the subject. */
  readonly subject: string | null;
}

/**
 * The journal fields that a claim writes, as field, value, …
 * @param traceparent of the span that enqueues the verification; null: no trace.
 */
export function claimFields(
  id: string,
  request: (Verification | Session) & { readonly similarityThreshold: number },
  { mode, tenant, subject, traceparent = null }: Owner & { readonly traceparent?: string | null },
  sealer: Sealer,
): string[] {
  const { resources, frame, liveness, purpose, consent } = request;
  const { action, region, upload, lane, similarityThreshold, webhook } = request;
  const fields: Record<string, string> = {
    key: request.key,
    src: JSON.stringify({ resources, frame, liveness, session: 'session' in request ? request.session : undefined }),
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
    ...(subject === null ? [] : ['sub', subject]),
    ...(traceparent === null ? [] : ['tp', traceparent]),
    ...('secondOpinion' in request ? ['so', '1'] : []),
    ...Object.entries(fields).flatMap(([name, value]) => [name, sealer.seal(id, name, value)]),
  ];
}

/** Fields that are sealed when a key ring is configured. */
const SEALED_FIELDS = [
  ...(['key', 'src', 'meta', 'who', 's:start', 's:upload', 's:detect', 'ses'] as const),
  ...(['s:download', 's:opinion', 'stored', 'media', 'legal'] as const),
];

/**
 * @returns null if there is no journal, or only a tombstone.
 * @throws Failure SEAL_KEY_MISSING
 */
export function readRecord(id: string, stored: Readonly<Record<string, string>>, sealer: Sealer): JournalRecord | null {
  if (stored.state === undefined) return null;
  const opened = SEALED_FIELDS.flatMap((field) => {
    const value = stored[field];
    return value === undefined ? [] : [[field, sealer.open(id, field, value)] as const];
  });
  const hash: Readonly<Record<string, string>> = { ...stored, ...Object.fromEntries(opened) };
  const who = json<Pick<JournalRecord, 'purpose' | 'consent'>>(hash.who);
  const request = readRequest(hash.rq);
  const openIntent = json<OpenIntent>(hash.open);
  const outcomes = readOutcomes(hash);
  const callsOf = (counts: CallCounts) => ({
    paid: number(hash[`${counts}paid`]) ?? 0,
    possiblyPaid:
      (number(hash[`${counts}maybe`]) ?? 0) + (openIntent !== null && (openIntent.counts ?? '') === counts ? 1 : 0),
    price: readPrice(hash[`${counts}price`]),
  });
  return {
    id,
    key: hash.key ?? '',
    fingerprint: hash.fp ?? '',
    ...request,
    traceparent: parseTraceparent(hash.tp),
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
    media: json<StoredMedium[]>(hash.media) ?? [],
    evidence: json<EvidenceRecord>(hash.ev),
    session: json<SessionResult>(hash.ses),
    isParked: hash.parked !== undefined,
    toldAt: number(hash.toldAt),
    reason: json<Reason>(hash.reason),
    generation: number(hash.gen) ?? 0,
    freshFrom: number(hash.gen0) ?? 0,
    retries: number(hash.retries) ?? 0,
    heldUntil: number(hash.heldUntil),
    decidedBy: hash.decidedBy ?? (hash.decision === undefined ? null : 'vendor'),
    hasLateAnswer: hash.late !== undefined,
    createdAt: number(hash.at) ?? 0,
    deadline: number(hash.deadline) ?? 0,
    notBefore: number(hash.notBefore),
    decidedAt: number(hash.decidedAt),
    endedAt: number(hash.endedAt),
    turn: number(hash.turn) ?? 0,
    starts: number(hash.starts) ?? 0,
    unreportedRuns: Number(hash.starts ?? 0) - Number(hash.yields ?? 0),
    ...callsOf(''),
    secondOpinion: hash.so !== undefined,
    opinion: hash.so === undefined ? null : opinionOf(hash, outcomes),
    opinionCalls: callsOf('o:'),
    cancelled: hash.cancel !== undefined,
    openIntent,
    outcomes,
    attempts: readAttempts(hash),
  };
}

function readPrice(packed: string | undefined): Price | null {
  const [micros, currency] = (packed ?? '').split(' ');
  return currency === undefined ? null : { currency, micros: Number(micros) };
}

function readOutcomes(hash: Readonly<Record<string, string>>): StageOutcomes {
  const outcomes: StageOutcomes = {};
  const start = json<StartOutcome>(hash['s:start']);
  if (start !== null) outcomes.start = start;
  const upload = json<UploadOutcome>(hash['s:upload']);
  if (upload !== null) outcomes.upload = upload;
  const md5 = json<Md5Outcome>(hash['s:md5']);
  if (md5 !== null) outcomes.md5 = md5;
  const detect = json<DetectOutcome>(hash['s:detect']);
  if (detect !== null) outcomes.detect = detect;
  const download = json<DownloadOutcome>(hash['s:download']);
  if (download !== null) outcomes.download = download;
  const opinion = json<OpinionOutcome>(hash['s:opinion']);
  if (opinion !== null) outcomes.opinion = opinion;
  return outcomes;
}

function opinionOf(hash: Readonly<Record<string, string>>, { opinion }: StageOutcomes): OpinionStatus {
  if (opinion !== undefined) return opinionStatus(opinion);
  const decision = (hash.decision as Decision | undefined) ?? null;
  const isOver = isTerminal(hash.state as State);
  return isOver || (decision !== null && !isAccepted(decision)) ? 'not_needed' : 'pending';
}

function readAttempts(hash: Readonly<Record<string, string>>): Record<StageName, number> {
  const counts = STAGES.map((stage) => [stage, number(hash[`a:${stage}`]) ?? 0]);
  return Object.fromEntries(counts) as Record<StageName, number>;
}

function readOrder(hash: Readonly<Record<string, string>>, request: ReturnType<typeof readRequest>): Order | null {
  const sources = json<Pick<Order, 'resources' | 'frame' | 'liveness' | 'session'>>(hash.src);
  if (sources === null) return null;
  const { action, region, upload } = request;
  return { action, region, upload, ...sources };
}

/** What a job is made of, from the packed request fields of a journal. */
export function readQueued(packed: string): Pick<JournalRecord, 'action' | 'upload' | 'lane' | 'mode'> {
  const { action, upload, lane, mode } = readRequest(packed);
  return { action, upload, lane, mode };
}

function number(text: string | undefined): number | null {
  return text === undefined || text === '' ? null : Number(text);
}

function json<T>(text: string | undefined): T | null {
  return text === undefined ? null : (JSON.parse(text) as T);
}
