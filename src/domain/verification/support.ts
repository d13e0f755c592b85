/**
 * The support bundle that Tencent asks for: RequestId, time, region and parameters of each call, with sizes, MD5s, and host and
 * path of each link. If an answer does not have the documented shape, the bundle also has the answer's field names and types. It
 * contains no face, no signature and no source of the caller.
 */

import { explain } from '../errors/index.ts';
import { ACTIONS, type ActionName, livenessParameters, OPINION, OPINION_CALL, type PaidCall } from './actions.ts';
import type { HistoryEntry } from './history.ts';
import type { Mode } from './mode.ts';
import type { Region } from './regions.ts';
import type { UploadWay } from './request.ts';
import type { SentParameters } from './sent-parameters.ts';
import type { Decision, State } from './states.ts';
import type { VerificationView } from './view.ts';

/** One call to FaceID or COS. */
export interface SupportCall {
  /** ISO 8601: when the answer arrived, or when the call was abandoned without an answer. */
  readonly at: string;
  readonly api: PaidCall | 'CreateUploadUrl' | 'PutObject' | 'GetObject';
  /** The answer: `Success`, a Result or an error code. */
  readonly code: string;
  readonly requestId: string | null;
  /** Duration of the call, ms. */
  readonly ms: number | null;
  readonly billed: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  /** Sizes in bytes, by resource or URL parameter. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** What to send to Tencent for a support case. */
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
  /** The newest 40 history entries, oldest first, with the class of each code. */
  readonly history: readonly SupportEntry[];
}

/** A history entry without parameters and operators. */
export type SupportEntry = Omit<HistoryEntry, 'at' | 'sent' | 'by' | 'why'> & {
  /** ISO 8601. */
  readonly at: string;
  /** Error class of the code. */
  readonly class?: string;
};

/** Builds the support bundle from a view. Calls that have dropped out of the 40-entry history are missing. */
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
    calls: listCalls(history, action),
    history: history.map(describeEntry),
  };
}

function listCalls(history: readonly HistoryEntry[], action: ActionName): SupportCall[] {
  const calls: SupportCall[] = [];
  let sent: SentParameters = { resources: [] };
  for (const entry of history) {
    const { stage, event, code, service, requestId = null, ms = null, billed = false } = entry;
    const at = new Date(entry.at).toISOString();
    if (entry.sent !== undefined) {
      sent = entry.sent;
      for (const { requestId: linkRequestId, bytes, name } of sent.resources) {
        if (linkRequestId === undefined) continue;
        const call = { api: 'CreateUploadUrl', code: 'Success', parameters: { TargetAction: action } } as const;
        calls.push({ at, ...call, requestId: linkRequestId, ms: null, billed: false, bytes: { [name]: bytes } });
      }
    } else if (stage === 'opinion') {
      if (!PAID_CALL_EVENTS.has(event)) continue;
      const parameters = {
        [OPINION.typeParameter]: String(OPINION.picture),
        [OPINION.parameter]: 'Base64 of BestFrame',
      };
      calls.push({ at, api: OPINION_CALL, code: code ?? '', requestId, ms, billed, parameters, bytes: {} });
    } else if (stage !== 'detect' && requestId !== null && code !== undefined) {
      const api = service === 'faceid' ? 'CreateUploadUrl' : stage === 'upload' ? 'PutObject' : 'GetObject';
      const parameters: Record<string, string> = service === 'faceid' ? { TargetAction: action } : {};
      calls.push({ at, api, code, requestId, ms, billed, parameters, bytes: {} });
    } else if (stage === 'detect' && PAID_CALL_EVENTS.has(event)) {
      calls.push({ at, api: action, code: code ?? '', requestId, ms, billed, ...describeParameters(action, sent) });
    }
  }
  return calls;
}

/** Events of a paid call that was sent, or may have been sent. */
const PAID_CALL_EVENTS: ReadonlySet<HistoryEntry['event']> = new Set(['done', 'error', 'unknown', 'late']);

function describeParameters(
  action: ActionName,
  { resources, liveness }: SentParameters,
): Pick<SupportCall, 'parameters' | 'bytes'> {
  const parameters: Record<string, string> = {};
  const bytes: Record<string, number> = {};
  for (const { name, place, md5, bytes: size } of resources) {
    const rule = ACTIONS[action].resources[name];
    if (rule === undefined) continue;
    parameters[rule.parameter] =
      rule.md5Parameter === null ? `Base64 of a file with the MD5 ${md5}` : `https://${place}`;
    if (rule.md5Parameter !== null) parameters[rule.md5Parameter] = md5;
    bytes[rule.parameter] = size;
  }
  return { parameters: { ...parameters, ...(liveness === undefined ? {} : livenessParameters(liveness)) }, bytes };
}

function describeEntry({ sent: _sent, by: _by, why: _why, at, ...entry }: HistoryEntry): SupportEntry {
  const kind = entry.code === undefined ? undefined : explain(entry.code)?.class;
  return { at: new Date(at).toISOString(), ...entry, ...(kind === undefined ? {} : { class: kind }) };
}
