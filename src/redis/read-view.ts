/**
 * Builds the view of a verification for callers, from its journal, its history, and the gates and breakers that it shares with
 * others.
 */

import { explain } from '../domain/errors/index.ts';
import { dependenciesOf } from '../domain/operations/breakers.ts';
import { traceIdOf } from '../domain/operations/tracing.ts';
import { OPINION_CALL, planOf } from '../domain/verification/actions.ts';
import { type Advice, adviseOn, outlookOf } from '../domain/verification/advice.ts';
import { priceText, withPossibleBills } from '../domain/verification/bills.ts';
import { type Cost, MICROS } from '../domain/verification/cost.ts';
import { viewOfEvidence } from '../domain/verification/evidence.ts';
import { FLOWS, isFlow } from '../domain/verification/flows.ts';
import type { HistoryEntry } from '../domain/verification/history.ts';
import { MEDIA_TYPES } from '../domain/verification/media.ts';
import { type Pause, pauseOf, type Surroundings } from '../domain/verification/pauses.ts';
import { isTerminal, nextStep, type StageName } from '../domain/verification/states.ts';
import type { OpinionView, SessionView, VerificationView, ViewReason } from '../domain/verification/view.ts';
import { openPipeline } from './connection.ts';
import type { Deployment } from './deployment.ts';
import { openHistory } from './history.ts';
import { currentStage, isDone, stageTimes } from './progress.ts';
import { askSurroundings, type Place, type SurroundingsOf, surroundings } from './read-surroundings.ts';
import { decisionReason, type JournalRecord, type Reason, readRecord } from './record.ts';
import type { NewJournal } from './scripts/claim-verification.ts';
import { isSealed } from './sealer.ts';

/**
 * Reads many views, in the order of the ids. A view is null if there is no record. Takes one round trip; a second one if a waiting
 * verification is the first of its region and action that this process reads.
 */
export async function readViews(deployment: Deployment, ids: readonly string[]): Promise<(VerificationView | null)[]> {
  if (ids.length === 0) return [];
  const { redis, names, sealer, places } = deployment;
  const pipeline = openPipeline(redis);
  for (const id of ids) pipeline.hgetall(names.journal(id)).lrange(names.history(id), 0, -1);
  const readSurroundings = askSurroundings(pipeline, names, places.all);
  const replies = (await pipeline.exec()) ?? [];
  const found = ids.map((id, index) => {
    const [journalError, hash] = replies[index * 2] ?? [null, {}];
    const [historyError, entries] = replies[index * 2 + 1] ?? [null, []];
    if (journalError !== null) throw journalError;
    if (historyError !== null) throw historyError;
    const record = readRecord(id, hash as Record<string, string>, sealer);
    if (record === null) return null;
    const { key = '' } = hash as Record<string, string>;
    const { createdAt } = record;
    return { record, history: openHistory(sealer, id, entries as string[], { isSealed: isSealed(key), createdAt }) };
  });
  const waiting = found.flatMap((each) =>
    each !== null && outlookOf(each.record) === 'again' ? [placeOf(each.record)] : [],
  );
  const around = places.add(waiting) ? await surroundingsOf(deployment) : readSurroundings(replies, Date.now());
  return found.map((each) => (each === null ? null : viewOf(each.record, each.history, around(placeOf(each.record)))));
}

/** The gate that a waiting verification has to pass next. */
function placeOf({ region, action, outcomes }: JournalRecord): Place {
  return { region, action: outcomes.detect === undefined ? action : OPINION_CALL };
}

/** The view of a verification that was just created, without another round trip. */
export function viewOfNew({ sealer }: Deployment, id: string, { hash, gate, open }: NewJournal): VerificationView {
  const record = readRecord(id, hash, sealer);
  if (record === null) throw new Error('a new journal has no state');
  return viewOf(record, [], surroundings(gate, open, Date.now()));
}

async function surroundingsOf({ redis, names, places }: Deployment): Promise<SurroundingsOf> {
  const pipeline = openPipeline(redis);
  const read = askSurroundings(pipeline, names, places.all);
  return read((await pipeline.exec()) ?? [], Date.now());
}

function viewOf(record: JournalRecord, history: readonly HistoryEntry[], surroundings: Surroundings): VerificationView {
  const stage = stageOf(record, history);
  const pause = outlookOf(record) === 'again' ? pauseOf(waitingOf(record, stage, surroundings), surroundings) : null;
  const reason = reasonOf(record, pause, stage);
  const advice = reason === null ? null : adviseOn(record, reason);
  return {
    id: record.id,
    key: record.key,
    tenant: record.tenant,
    mode: record.mode,
    action: record.action,
    region: record.region,
    upload: record.upload,
    lane: record.lane,
    state: record.state,
    next: nextStep(record.state, record.decision, record.opinion),
    decision: record.decision,
    similarity: record.similarity,
    similarityThreshold: record.threshold,
    reason: reason === null || advice === null ? null : explainReason(record, reason, advice),
    retake: advice?.retake ?? 'none',
    pausedBy: pause?.by ?? null,
    retryAfter: retryAfter(record, reason, pause, surroundings.now),
    frame: record.frame,
    bestFrame: record.stored,
    paidCalls: record.paid,
    possiblyPaidCalls: record.possiblyPaid,
    cost: costOf(record),
    requestIds: [...new Set(history.flatMap(requestIds))],
    stage,
    stages: stageTimes(record, history),
    session: sessionOf(record),
    secondOpinion: secondOpinionOf(record),
    createdAt: iso(record.createdAt),
    deadline: iso(record.deadline),
    decidedBy: record.decidedBy,
    heldUntil: record.heldUntil === null ? null : iso(record.heldUntil),
    lateAnswer: record.hasLateAnswer,
    decidedAt: record.decidedAt === null ? null : iso(record.decidedAt),
    endedAt: record.endedAt === null ? null : iso(record.endedAt),
    evidence: record.evidence === null ? null : viewOfEvidence(record.evidence),
    retries: record.retries,
    webhook: record.webhook,
    metadata: record.metadata,
    subject: record.subject,
    purpose: record.purpose,
    consent: record.consent,
    legalHold: record.legalHold,
    traceId: traceIdOf(record.traceparent),
    history: withPossibleBills(history, (stage) => priceOf(stage === 'opinion' ? record.opinionCalls : record)),
  };
}

/** The stage that is running or comes next. For an ended verification: the stage in which it ended, if the record shows it. */
function stageOf(record: JournalRecord, history: readonly HistoryEntry[]): StageName {
  const { state, reason, outcomes } = record;
  if (!isTerminal(state)) return currentStage(record);
  if (state === 'completed') return outcomes.opinion === undefined ? 'download' : 'opinion';
  const [first = 'upload'] = planOf(record);
  return reason?.stage ?? history.findLast((entry) => entry.stage !== undefined)?.stage ?? first;
}

/**
 * A waiting session needs nothing: it is asked for whenever its result call can be made. If nothing is down, the needs make no
 * difference, and are left out.
 */
function waitingOf(record: JournalRecord, stage: StageName, { down }: Surroundings) {
  const { order, reason, notBefore, isParked } = record;
  const plan = planOf(record);
  const isFree = isParked || down.length === 0;
  const left = isFree ? [] : plan.slice(plan.indexOf(stage)).filter((each) => !isDone(record, each));
  return {
    needs: order === null ? [] : left.flatMap((each) => dependenciesOf(order, each)),
    code: reason?.code ?? null,
    until: reason?.retryAt ?? notBefore,
  };
}

/**
 * A decision other than a match keeps its own reason, even if the download of the frame fails. If a gate or a breaker blocks the
 * verification, the reason is that gate or breaker: the reason in the journal may date from an earlier retry. Exception: if the
 * verification itself had trouble with the account, its own reason says more than the code that closed the gate.
 */
function reasonOf(
  { decision, state, reason, outcomes, opinion }: JournalRecord,
  pause: Pause | null,
  stage: StageName,
): Reason | null {
  const { detect } = outcomes;
  const isWaiting = outlookOf({ state, decision, opinion }) === 'again';
  if (detect !== undefined && decision !== null && state !== 'held' && !isWaiting)
    return decisionReason(detect) ?? reason;
  if (pause === null || pause.code === null || pause.code === reason?.code) return reason;
  if (pause.by === 'account' && reason?.class === 'account') return reason;
  const { code, dependency } = pause;
  const kind = explain(code)?.class ?? 'unknown';
  return { code, class: kind, stage, ...(dependency === undefined ? {} : { dependency }) };
}

/**
 * When the verification may continue. Null if only a person can end the wait, or if the wait is over and the verification runs
 * next.
 */
function retryAfter(record: JournalRecord, reason: Reason | null, pause: Pause | null, now: number): string | null {
  if (outlookOf(record) !== 'again') return null;
  const at = pause === null ? (reason?.retryAt ?? record.notBefore) : pause.until;
  return at !== null && at > now ? iso(Math.ceil(at)) : null;
}

/** The token is left out: it is a secret of the phone or page. */
function sessionOf({ action, outcomes, session, media, order, toldAt }: JournalRecord): SessionView | null {
  if (!isFlow(action)) return null;
  const { start } = outcomes;
  const at = (ms: number | undefined | null) => (ms == null ? null : iso(ms));
  return {
    startedAt: at(start?.at),
    startBy: at(start && start.at + FLOWS[action].startMs),
    resultUntil: at(start && start.at + FLOWS[action].resultMs),
    toldAt: at(toldAt),
    chargeCount: session?.chargeCount ?? null,
    tries: session?.tries ?? 0,
    deviceRisk: session?.deviceRisk ?? null,
    livenessTags: session?.livenessTags ?? [],
    wanted: order?.session?.media ?? [],
    media: media.map((medium) => ({ ...medium, type: MEDIA_TYPES[medium.name] })),
  };
}

function secondOpinionOf({ opinion: status, outcomes, opinionCalls }: JournalRecord): OpinionView | null {
  if (status === null) return null;
  const { opinion } = outcomes;
  const answer = opinion === undefined || 'failed' in opinion ? null : opinion;
  return {
    status,
    level: answer?.level ?? null,
    attacks: answer?.attacks ?? [],
    code: opinion !== undefined && 'failed' in opinion ? opinion.failed.code : null,
    requestId: answer?.requestId ?? null,
    paidCalls: opinionCalls.paid,
    possiblyPaidCalls: opinionCalls.possiblyPaid,
    cost: costOf(opinionCalls),
  };
}

function priceOf({ price }: JournalRecord['opinionCalls']): string | undefined {
  return price === null ? undefined : priceText(price);
}

function costOf({ price, paid, possiblyPaid }: JournalRecord['opinionCalls']): Cost | null {
  if (price === null) return null;
  const { currency, micros } = price;
  const amount = (calls: number) => (calls * micros) / MICROS;
  return { currency, paid: amount(paid), possiblyPaid: amount(possiblyPaid) };
}

function requestIds({ requestId, sent }: HistoryEntry): string[] {
  return [requestId, ...(sent?.resources ?? []).map((resource) => resource.requestId)].flatMap((id) => id ?? []);
}

function explainReason({ decision, similarity, threshold }: JournalRecord, reason: Reason, advice: Advice): ViewReason {
  const entry = explain(reason.code);
  const { at, retryAt: _retryAt, httpStatus, ...rest } = reason;
  const title = `${entry?.title ?? 'An unknown code'}${httpStatus === undefined ? '' : ` (HTTP status ${httpStatus})`}`;
  return {
    ...rest,
    title,
    advice: advice.caller,
    audience: advice.audience,
    ...(advice.person === '' ? {} : { personAdvice: advice.person }),
    ...(at === undefined ? {} : { answeredAt: iso(at) }),
    ...(decision === 'no_match' ? { threshold, ...(similarity === null ? {} : { similarity }) } : {}),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
