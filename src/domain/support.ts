/**
 * What Tencent's support asks for: RequestIds, times, region, and the parameters of each call, with links cut to host and
 * path, sizes and MD5s beside them. No face, no signature, no source of the caller's.
 */
import { ACTIONS, type ActionName, type Region } from './actions.ts';
import { explain } from './errors/index.ts';
import type { HistoryEntry } from './history.ts';
import type { Sent } from './sent.ts';
import type { Decision, State } from './states.ts';
import type { Mode, UploadWay } from './verification.ts';
import type { VerificationView } from './view.ts';

export interface SupportCall {
  /** ISO 8601: when its answer came (`unknown`: when it was given up). */
  readonly at: string;
  readonly api: ActionName | 'CreateUploadUrl' | 'PutObject' | 'GetObject';
  /** What was answered: `Success`, a Result or an error code. */
  readonly code: string;
  readonly requestId: string | null;
  readonly ms: number | null;
  readonly billed: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  readonly bytes: Readonly<Record<string, number>>;
}

export interface SupportBundle {
  readonly id: string;
  readonly mode: Mode;
  readonly service: 'faceid';
  readonly version: '2018-03-01';
  readonly action: ActionName;
  readonly region: Region;
  readonly upload: UploadWay;
  readonly state: State;
  readonly decision: Decision | null;
  readonly similarity: number | null;
  readonly createdAt: string;
  readonly decidedAt: string | null;
  readonly endedAt: string | null;
  readonly reason: string | null;
  readonly calls: readonly SupportCall[];
  /** Every attempt, oldest first, with the class of its code; bounded to the newest 40. */
  readonly history: readonly SupportEntry[];
}

export type SupportEntry = Omit<HistoryEntry, 'at' | 'sent' | 'by' | 'why'> & {
  readonly at: string;
  readonly class?: string;
};

export function supportBundle(view: VerificationView): SupportBundle {
  const { id, mode, action, region, upload, state, decision, similarity } = view;
  const { createdAt, decidedAt, endedAt, reason, history } = view;
  return {
    id,
    mode,
    service: 'faceid',
    version: '2018-03-01',
    action,
    region,
    upload,
    state,
    decision,
    similarity,
    createdAt,
    decidedAt,
    endedAt,
    reason: reason?.code ?? null,
    calls: callsIn(history, action),
    history: history.map(entryOf),
  };
}

function callsIn(history: readonly HistoryEntry[], action: ActionName): SupportCall[] {
  const calls: SupportCall[] = [];
  let given: Sent = { resources: [] };
  for (const entry of history) {
    const { stage, event, code, service, requestId = null, ms = null, billed = false } = entry;
    const at = new Date(entry.at).toISOString();
    if (entry.sent !== undefined) {
      given = entry.sent;
      for (const { requestId: made, bytes, name } of given.resources) {
        if (made === undefined) continue;
        const call = { api: 'CreateUploadUrl', code: 'Success', parameters: { TargetAction: action } } as const;
        calls.push({ at, ...call, requestId: made, ms: null, billed: false, bytes: { [name]: bytes } });
      }
    } else if (stage !== 'detect' && requestId !== null && code !== undefined) {
      const made = service === 'faceid' ? 'CreateUploadUrl' : stage === 'upload' ? 'PutObject' : 'GetObject';
      const parameters: Record<string, string> = service === 'faceid' ? { TargetAction: action } : {};
      calls.push({ at, api: made, code, requestId, ms, billed, parameters, bytes: {} });
    } else if (stage === 'detect' && PAID_CALL.has(event)) {
      calls.push({ at, api: action, code: code ?? '', requestId, ms, billed, ...parametersOf(action, given) });
    }
  }
  return calls;
}

/** Events of a call that left, or may have left. */
const PAID_CALL: ReadonlySet<HistoryEntry['event']> = new Set(['done', 'error', 'unknown', 'late']);

function parametersOf(action: ActionName, { resources, liveness }: Sent): Pick<SupportCall, 'parameters' | 'bytes'> {
  const parameters: Record<string, string> = {};
  const bytes: Record<string, number> = {};
  for (const { name, place, md5, bytes: size } of resources) {
    const rule = ACTIONS[action].resources[name];
    if (rule === undefined) continue;
    parameters[rule.urlParameter] = `https://${place}`;
    parameters[rule.md5Parameter] = md5;
    bytes[rule.urlParameter] = size;
  }
  if (liveness !== undefined) {
    parameters.LivenessType = liveness.type;
    if (liveness.validateData !== undefined) parameters.ValidateData = liveness.validateData;
  }
  return { parameters, bytes };
}

function entryOf({ sent: _sent, by: _by, why: _why, at, ...entry }: HistoryEntry): SupportEntry {
  const kind = entry.code === undefined ? undefined : explain(entry.code)?.class;
  return { at: new Date(at).toISOString(), ...entry, ...(kind === undefined ? {} : { class: kind }) };
}
