import { SERIES_KEPT_MS } from '../../domain/operations/series.ts';
import type { TenantShare } from '../../domain/operations/tenants.ts';
import type { GatedCall } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Lane } from '../../domain/verification/request.ts';
import type { State } from '../../domain/verification/states.ts';
import { redisFailure } from '../connection.ts';
import type { Deployment } from '../deployment.ts';
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
}

export type ClaimAnswer =
  | {
      readonly status: 'new' | 'same' | 'conflict' | 'gone';
      readonly state: State;
      /** How many runs have started. If the number is 0, the job may be missing, so the producer adds it again. */
      readonly starts: number;
      /** See includes/turn.lua. */
      readonly turn: number;
    }
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
    return {
      keys: {
        journal,
        live: names.live,
        express: names.gate(region, action).express,
        subjectIndex: subject === null ? journal : names.subject(subject),
        tenantIndex: tenant === null ? journal : names.tenant(tenant),
        breakers: names.breakers(region),
        regions: names.regions,
        turns: names.turns(region),
        waiting: names.waiting(region),
        use: tenant === null ? journal : names.use(tenant),
        budget: names.budget,
        minute: names.minute(now),
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
        fields,
      },
    };
  });
  const replies = await runScriptMany(redis, 'claim-verification', calls);
  return replies.map((reply) => {
    if (reply instanceof Error) return redisFailure(reply);
    return claimAnswer(reply as [ClaimAnswer['status'], string, number, string?]);
  });
}

function claimAnswer([status, text, number, turn]: [ClaimAnswer['status'], string, number, string?]): ClaimAnswer {
  if (status === 'unserved') return { status };
  if (status === 'quota') return { status, quota: text, waitMs: number };
  if (status === 'down') return { status, dependency: text, waitMs: number };
  return { status, state: text as State, starts: number, turn: Number(turn ?? 0) };
}
