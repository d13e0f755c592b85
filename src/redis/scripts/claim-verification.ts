import { SERIES_KEPT_MS } from '../../domain/operations/series.ts';
import type { TenantShare } from '../../domain/operations/tenants.ts';
import type { GatedCall } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Lane } from '../../domain/verification/request.ts';
import type { State } from '../../domain/verification/states.ts';
import { redisFailure } from '../connection.ts';
import type { Deployment } from '../deployment.ts';
import { LAST_TURN, priorityOf } from '../job-options.ts';
import type { GateFields } from '../read-surroundings.ts';
import { runScriptMany } from './run.ts';

export interface ClaimRequest {
  readonly id: string;
  readonly region: Region;
  readonly action: GatedCall;
  readonly lane: Lane;
  readonly fingerprint: string;
  /** The deadline, ms since 1970. Null means `lifeMs` from now. */
  readonly deadline: number | null;
  readonly lifeMs: number;
  /** The longest time that batch work waits for an interactive verification to be admitted. */
  readonly expressHoldMs: number;
  /** Keyed hash of the subject. */
  readonly subject: string | null;
  readonly subjectLifeMs: number;
  readonly tenant: string | null;
  /** How much of the queue the tenant gets, compared with others. */
  readonly weight: number;
  readonly quotas: TenantShare['quotas'];
  /** Dependencies of the verification: if one is down, the claim is refused or gets a reason to wait. */
  readonly needs: readonly string[];
  /** Journal fields to write: name, value, name, value, … */
  readonly fields: readonly string[];
  /** The most jobs that may be served before this one. Absent: any number. */
  readonly mostAhead?: number | undefined;
  /** Whether only a known verification is looked for, and none is created. */
  readonly knownOnly?: boolean;
  /** Whether a new verification is answered with its journal. */
  readonly wantsJournal?: boolean;
}

/** A journal that was just created, with what its view needs. */
export interface NewJournal {
  readonly hash: Readonly<Record<string, string>>;
  readonly gate: GateFields;
  /** The region's open breakers. */
  readonly open: string;
}

export type ClaimAnswer =
  | {
      readonly status: 'new' | 'same' | 'conflict' | 'gone';
      readonly state: State;
      /** How many runs have started. If the number is 0, the job may be missing, so the producer adds it again. */
      readonly starts: number;
      /** See includes/turn.lua. */
      readonly turn: number;
      /** Only of a new verification, and only if the request asks for it. */
      readonly journal?: NewJournal;
    }
  /** More jobs would be served before the verification than `mostAhead`. */
  | { readonly status: 'backlog'; readonly ahead: number }
  /** There is none under this id, and the request asks only for a known one. */
  | { readonly status: 'unknown' }
  /** No worker serves the region. */
  | { readonly status: 'unserved' }
  /** One of the tenant's quotas is used up. `waitMs`: until its period ends; 0 if that is unknown. */
  | { readonly status: 'quota'; readonly quota: string; readonly waitMs: number }
  /** The dependency is down, probably until after the verification's deadline. The caller may try again after `waitMs`. */
  | { readonly status: 'down'; readonly dependency: string; readonly waitMs: number };

/**
 * Claims many ids in one round trip.
 * @returns an answer for each request, in order. If Redis refused a claim, its answer is a Failure REDIS_UNAVAILABLE.
 */
export async function claimVerifications({ redis, names }: Deployment, requests: readonly ClaimRequest[]) {
  const now = Date.now();
  const calls = requests.map((request) => {
    const { id, region, action, subject, tenant, fields, deadline, lane } = request;
    const journal = names.journal(id);
    const { gate, express } = names.gate(region, action);
    return {
      keys: {
        journal,
        live: names.live,
        express,
        subjectIndex: subject === null ? journal : names.subject(subject),
        tenantIndex: tenant === null ? journal : names.tenant(tenant),
        breakers: names.breakers(region),
        regions: names.regions,
        turns: names.turns(region),
        waiting: names.waiting(region),
        resuming: names.resuming(region),
        use: tenant === null ? journal : names.use(tenant),
        budget: names.budget,
        minute: names.minute(now),
        gate: request.wantsJournal === true ? gate : journal,
      },
      args: {
        id,
        fingerprint: request.fingerprint,
        deadline: deadline ?? 0,
        lifeMs: request.lifeMs,
        lane,
        expressHoldMs: request.expressHoldMs,
        subjectLifeMs: request.subjectLifeMs,
        region,
        needs: request.needs.join(' '),
        tenant: tenant ?? '',
        weight: request.weight,
        quotas: request.quotas === null ? '' : JSON.stringify(request.quotas),
        minuteKeptMs: SERIES_KEPT_MS,
        mostAhead: request.mostAhead ?? '',
        firstPriority: priorityOf(lane, 1) - 1,
        turnsPerLane: LAST_TURN,
        knownOnly: request.knownOnly === true ? '1' : '',
        fields,
      },
    };
  });
  const replies = await runScriptMany(redis, 'claim-verification', calls);
  return replies.map((reply, index) => {
    if (reply instanceof Error) return redisFailure(reply);
    return claimAnswer(reply as Reply, requests[index]);
  });
}

type Reply = [
  status: ClaimAnswer['status'],
  text: string,
  number: number,
  turn?: string,
  at?: number,
  deadline?: number,
  reason?: string,
  gate?: GateFields,
  open?: string,
];

function claimAnswer(reply: Reply, request: ClaimRequest | undefined): ClaimAnswer {
  const [status, text, number, turn, , , , gate, open] = reply;
  if (status === 'unknown' || status === 'unserved') return { status };
  if (status === 'backlog') return { status, ahead: number };
  if (status === 'quota') return { status, quota: text, waitMs: number };
  if (status === 'down') return { status, dependency: text, waitMs: number };
  const answer = { status, state: text as State, starts: number, turn: Number(turn ?? 0) };
  if (gate === undefined || open === undefined || request === undefined) return answer;
  return { ...answer, journal: { hash: newJournal(reply, request), gate, open } };
}

/** The journal as the script has just written it. */
function newJournal([, state, , turn, at, deadline, reason]: Reply, { fingerprint, fields }: ClaimRequest) {
  const hash: Record<string, string> = {
    fp: fingerprint,
    state,
    at: String(at),
    deadline: String(deadline),
    gen: '0',
    turn: turn ?? '',
  };
  for (let index = 0; index < fields.length; index += 2) hash[fields[index] ?? ''] = fields[index + 1] ?? '';
  if (reason !== undefined && reason !== '') hash.reason = reason;
  return hash;
}
