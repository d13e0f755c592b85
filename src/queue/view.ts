/** From journal and history to what a caller sees. */
import { explain } from '../domain/errors/index.ts';
import type { HistoryEntry } from '../domain/history.ts';
import { nextStep } from '../domain/states.ts';
import type { VerificationView, ViewReason } from '../domain/view.ts';
import type { RedisClient } from './connection.ts';
import type { Names } from './names.ts';
import { currentStage, type JournalRecord, type Reason, readEntry, readRecord, stageTimes } from './record.ts';
import type { Sealer } from './seal.ts';

/** Reads many in one round trip; null where there is none (or no more). */
export async function readViews(
  redis: RedisClient,
  names: Names,
  ids: readonly string[],
  sealer: Sealer,
): Promise<(VerificationView | null)[]> {
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.hgetall(names.journal(id)).lrange(names.history(id), 0, -1);
  const replies = (await pipeline.exec()) ?? [];
  return ids.map((id, index) => {
    const [journalError, hash] = replies[index * 2] ?? [null, {}];
    const [historyError, entries] = replies[index * 2 + 1] ?? [null, []];
    if (journalError !== null) throw journalError;
    if (historyError !== null) throw historyError;
    const record = readRecord(id, hash as Record<string, string>, sealer);
    if (record === null) return null;
    return viewOf(
      record,
      (entries as string[]).map((entry) => readEntry(sealer, id, entry)),
    );
  });
}

export function viewOf(record: JournalRecord, history: readonly HistoryEntry[]): VerificationView {
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
    next: nextStep(record.state, record.decision),
    decision: record.decision,
    similarity: record.similarity,
    similarityThreshold: record.threshold,
    reason: record.reason === null ? null : reasonInWords(record.reason),
    frame: record.frame,
    bestFrame: record.stored,
    paidCalls: record.paid,
    possiblyPaidCalls: record.possiblyPaid,
    requestIds: [...new Set(history.flatMap(requestIdsOf))],
    stage: currentStage(record),
    stages: stageTimes(history),
    createdAt: iso(record.createdAt),
    deadline: iso(record.deadline),
    decidedBy: record.decidedBy,
    heldUntil: record.heldUntil === null ? null : iso(record.heldUntil),
    lateAnswer: record.late,
    decidedAt: record.decidedAt === null ? null : iso(record.decidedAt),
    endedAt: record.endedAt === null ? null : iso(record.endedAt),
    webhook: record.webhook,
    metadata: record.metadata,
    subject: record.subject,
    purpose: record.purpose,
    consent: record.consent,
    legalHold: record.legalHold,
    history,
  };
}

function requestIdsOf({ requestId, sent }: HistoryEntry): string[] {
  return [requestId, ...(sent?.resources ?? []).map((each) => each.requestId)].flatMap((each) => each ?? []);
}

function reasonInWords(reason: Reason): ViewReason {
  const entry = explain(reason.code);
  const title = entry?.title ?? 'A code that is not in our table';
  const advice = entry?.advice ?? 'Keep the RequestId and ask Tencent Cloud support what this code means.';
  const { at, ...rest } = reason;
  return { ...rest, title, advice, ...(at === undefined ? {} : { answeredAt: iso(at) }) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
