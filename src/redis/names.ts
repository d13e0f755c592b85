/**
 * The names of all keys in Redis. All keys of a deployment share one `{hash-tag}`, which puts them into one Cluster slot, because
 * a single script may access journal, lock, job, gate and outbox. A Cluster gives availability, not scale
 * (docs/decisions/one-slot.md).
 */
import { createHash } from 'node:crypto';
import type { LoginTry } from '../domain/operations/login-limits.ts';
import type { GatedCall } from '../domain/verification/actions.ts';
import type { ResultCall } from '../domain/verification/flows.ts';
import type { Region } from '../domain/verification/regions.ts';

export const DEFAULT_PREFIX = '{bestframe}';
export const ERASE_QUEUE = 'erase';
export const NOTIFY_QUEUE = 'notify';

export interface GateKeys {
  readonly gate: string;
  readonly admitted: string;
  readonly express: string;
  /** How tenants share the capacity of the gate. */
  readonly sharing: string;
  /** Slots that are not settled yet. */
  readonly reserved: string;
}

export interface WaitKeys {
  /** Waiting sessions, by the time at which they are asked for. */
  readonly due: string;
  /** Those that are due, by their deadline. */
  readonly ripe: string;
  /** BullMQ's jobs of the region that resume work. */
  readonly resuming: string;
  /** Prefixes of the keys of journals and jobs. */
  readonly journals: string;
  readonly jobs: string;
}

export interface JobKeys {
  readonly job: string;
  readonly lock: string;
  readonly stalled: string;
}

export interface Names {
  readonly prefix: string;
  readonly live: string;
  /** Those of one tenant, see scripts/includes/live.lua. */
  liveOf(tenant: string): string;
  readonly ended: string;
  /** Held verifications, by the end of their hold. */
  readonly held: string;
  /** Digests of answered liveness packages, by the time of the answer. */
  readonly answered: string;
  readonly outbox: string;
  /** Ordinary deletions, by the time from which they may be taken. */
  readonly deletions: string;
  readonly counters: string;
  /** Ledger of paid calls. @param period a day or a month: '2026-11-28', '2026-11'. */
  costs(period: string): string;
  /** The current day and month of the ledger, and their budgets. */
  readonly budget: string;
  readonly sweeper: string;
  readonly feeder: string;
  /** Written and read by health checks. */
  readonly probe: string;
  /** Ids of the sessions of the operators' site, by the time at which they end at the latest. */
  readonly sessions: string;
  session(id: string): string;
  /** Counts of failed logins. Names are hashed, because people type passwords into the wrong field. */
  loginTries(who: LoginTry): { readonly pair: string; readonly address: string; readonly user: string };
  readonly retention: string;
  /** The last heartbeat of each verify worker. */
  readonly workers: string;
  /** Check value of the deployment's namespace. */
  readonly namespace: string;
  /** Mode of the deployment: the first worker sets it. */
  readonly mode: string;
  /** Pub/sub: the id of a verification that was decided or ended. */
  readonly channel: string;
  /** What the deployment did in one minute. @param at ms since 1970. */
  minute(at: number): string;
  /** Regions that workers serve, by the time of the last heartbeat. */
  readonly regions: string;
  /** Verifications with a stored frame, by the time at which the frame is deleted. */
  readonly frames: string;
  /** Webhook endpoints, by name. */
  readonly webhooks: string;
  journal(id: string): string;
  /** Verifications about one subject, by the time of their claim. @param hash keyed hash of the subject. */
  subject(hash: string): string;
  /** Ids of API keys, by creation time. */
  readonly apiKeys: string;
  apiKey(id: string): string;
  /** Pub/sub: the id of an API key that was revoked or got another expiry. */
  readonly keyChannel: string;
  /** Verifications of one tenant, by the time of their claim. */
  tenant(name: string): string;
  /** How many verifications a tenant had accepted today. */
  use(tenant: string): string;
  /** Turns of the tenants in a region's queue. */
  turns(region: Region): string;
  /** BullMQ's waiting jobs of a region that have not begun, by priority. */
  waiting(region: Region): string;
  /** Policies of tenants, by name. */
  readonly tenants: string;
  /** The last version of each tenant's policy. */
  readonly tenantVersions: string;
  /** BullMQ's jobs of a region that continue. They are served before those in `waiting`. */
  resuming(region: Region): string;
  receipt(id: string): string;
  /** A plan of an act on many verifications, and the claim of the process that runs it. */
  bulk(id: string): { readonly plan: string; readonly runner: string };
  /** A light sequence that was generated under a caller's key, or is being generated. */
  sequence(id: string): string;
  /** Health of an endpoint: consecutive failures, and whether it rests or is disabled. */
  webhook(name: string): string;
  /** What is known about rewrites of the append-only file. */
  readonly aof: string;
  /** Exists for an hour after a rewrite was asked for. */
  readonly aofAsked: string;
  history(id: string): string;
  /** What a retry of an ended verification needs. The key expires by itself. */
  kept(id: string): string;
  /** What the copies of a verification's evidence are made of. The key expires by itself. */
  toCopy(id: string): string;
  /** Verifications whose evidence is to be copied, by the time at which this is given up. */
  readonly copies: string;
  /** Places of evidence, by the end of its lock. */
  readonly evidence: string;
  gate(region: Region, call: GatedCall): GateKeys;
  /** Sessions that wait, by the result call that asks for their results. */
  waits(region: Region, call: ResultCall): WaitKeys;
  /** The breakers of a region, by dependency. */
  breakers(region: Region): string;
  job(region: Region, id: string): JobKeys;
}

/** One queue for each region, because links, bucket and API must be in the same region. BullMQ allows no `:` in queue names. */
export function verifyQueue(region: Region): string {
  return `verify-${region}`;
}

export function createNames(prefix: string): Names {
  return {
    prefix,
    live: `${prefix}:live`,
    liveOf: (tenant) => `${prefix}:live:${tenant}`,
    ended: `${prefix}:ended`,
    held: `${prefix}:held`,
    answered: `${prefix}:answered`,
    outbox: `${prefix}:outbox`,
    counters: `${prefix}:counters`,
    costs: (period) => `${prefix}:costs:${period}`,
    budget: `${prefix}:budget`,
    sweeper: `${prefix}:sweeper`,
    feeder: `${prefix}:feeder`,
    probe: `${prefix}:probe`,
    sessions: `${prefix}:sessions`,
    session: (id) => `${prefix}:session:${id}`,
    loginTries: (who) => loginTryNames(prefix, who),
    retention: `${prefix}:retention`,
    namespace: `${prefix}:namespace`,
    mode: `${prefix}:mode`,
    aof: `${prefix}:aof`,
    aofAsked: `${prefix}:aof:asked`,
    workers: `${prefix}:workers`,
    channel: `${prefix}:changed`,
    minute: (at) => `${prefix}:minute:${Math.floor(at / 60_000)}`,
    regions: `${prefix}:regions`,
    frames: `${prefix}:frames`,
    webhooks: `${prefix}:webhooks`,
    subject: (hash) => `${prefix}:subject:${hash}`,
    apiKeys: `${prefix}:keys`,
    keyChannel: `${prefix}:keys-changed`,
    apiKey: (id) => `${prefix}:key:${id}`,
    tenants: `${prefix}:tenants`,
    tenantVersions: `${prefix}:tenant-versions`,
    tenant: (name) => `${prefix}:tenant:${name}`,
    use: (name) => `${prefix}:use:${name}`,
    turns: (region) => `${prefix}:turns:${region}`,
    waiting: (region) => `${prefix}:${verifyQueue(region)}:prioritized`,
    resuming: (region) => `${prefix}:${verifyQueue(region)}:wait`,
    receipt: (id) => `${prefix}:receipt:${id}`,
    bulk: (id) => ({ plan: `${prefix}:bulk:${id}`, runner: `${prefix}:bulk:${id}:runner` }),
    sequence: (id) => `${prefix}:sequence:${id}`,
    webhook: (name) => `${prefix}:webhook:${name}`,
    journal: (id) => `${prefix}:v:${id}`,
    ...namesAfterEnd(prefix),
    history: (id) => `${prefix}:h:${id}`,
    gate: (region, call) => {
      const gate = `${prefix}:gate:${region}:${call}`;
      return {
        gate,
        admitted: `${gate}:admitted`,
        express: `${gate}:express`,
        sharing: `${gate}:sharing`,
        reserved: `${gate}:reserved`,
      };
    },
    waits: (region, call) => waitNames(prefix, region, call),
    breakers: (region) => `${prefix}:breakers:${region}`,
    job: (region, id) => {
      const queue = `${prefix}:${verifyQueue(region)}`;
      return { job: `${queue}:${id}`, lock: `${queue}:${id}:lock`, stalled: `${queue}:stalled` };
    },
  };
}

function namesAfterEnd(prefix: string): Pick<Names, 'kept' | 'deletions' | 'toCopy' | 'copies' | 'evidence'> {
  return {
    kept: (id) => `${prefix}:kept:${id}`,
    deletions: `${prefix}:deletions`,
    toCopy: (id) => `${prefix}:copy:${id}`,
    copies: `${prefix}:copies`,
    evidence: `${prefix}:evidence`,
  };
}

function waitNames(prefix: string, region: Region, call: ResultCall): WaitKeys {
  const queue = `${prefix}:${verifyQueue(region)}`;
  return {
    due: `${prefix}:due:${region}:${call}`,
    ripe: `${prefix}:ripe:${region}:${call}`,
    resuming: `${queue}:wait`,
    journals: `${prefix}:v:`,
    jobs: `${queue}:`,
  };
}

/** A try without a name or key counts for its address only. */
function loginTryNames(prefix: string, { user, address }: LoginTry) {
  const who = user === null ? `none ${address}` : `user ${user}`;
  const digest = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 22);
  return {
    pair: `${prefix}:tries:${digest(`${who} from ${address}`)}`,
    address: `${prefix}:tries:${digest(`address ${address}`)}`,
    user: `${prefix}:tries:${digest(who)}`,
  };
}
