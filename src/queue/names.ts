/**
 * Every key in Redis, in one place. All of a deployment lies under one `{hash-tag}`: journal, lock, job, gate and outbox are
 * touched by one script, so they must share a Cluster slot. Cluster gives availability, not scale (docs/decisions/one-slot.md).
 */
import type { GatedCall, Region } from '../domain/actions.ts';

export const DEFAULT_PREFIX = '{bestframe}';
export const ERASE_QUEUE = 'erase';
export const NOTIFY_QUEUE = 'notify';

export interface GateKeys {
  readonly gate: string;
  readonly admitted: string;
  readonly express: string;
}

export interface JobKeys {
  readonly job: string;
  readonly lock: string;
  readonly stalled: string;
}

export interface Names {
  readonly prefix: string;
  readonly live: string;
  readonly ended: string;
  /** Held verifications by when their holding ends. */
  readonly held: string;
  /** Digests of liveness packages that were answered, by when. */
  readonly answered: string;
  readonly outbox: string;
  readonly counters: string;
  readonly sweeper: string;
  /** What sessions of the operators' site are signed with. */
  readonly siteSecret: string;
  readonly retention: string;
  /** Pub/sub: the id of a verification that was decided or ended. */
  readonly channel: string;
  /** Verifications whose frame is kept, by when it is deleted. */
  readonly frames: string;
  /** Webhook endpoints by their names. */
  readonly webhooks: string;
  journal(id: string): string;
  /** Verifications about one subject, by when they were claimed. @param hash keyed hash of the subject. */
  subject(hash: string): string;
  /** API keys, by when they were made. */
  readonly apiKeys: string;
  apiKey(id: string): string;
  /** Verifications of one tenant, by when they were claimed. */
  tenant(name: string): string;
  receipt(id: string): string;
  /** A light sequence that was given under a key of its caller's, or is being made. */
  sequence(id: string): string;
  /** How an endpoint does: failures in a row, whether it rests or is disabled. */
  webhook(name: string): string;
  history(id: string): string;
  gate(region: Region, call: GatedCall): GateKeys;
  job(region: Region, id: string): JobKeys;
}

/** BullMQ allows no `:` in queue names; links, bucket and API region must agree, hence a queue for each region. */
export function verifyQueue(region: Region): string {
  return `verify-${region}`;
}

export function createNames(prefix: string): Names {
  return {
    prefix,
    live: `${prefix}:live`,
    ended: `${prefix}:ended`,
    held: `${prefix}:held`,
    answered: `${prefix}:answered`,
    outbox: `${prefix}:outbox`,
    counters: `${prefix}:counters`,
    sweeper: `${prefix}:sweeper`,
    siteSecret: `${prefix}:site-secret`,
    retention: `${prefix}:retention`,
    channel: `${prefix}:changed`,
    frames: `${prefix}:frames`,
    webhooks: `${prefix}:webhooks`,
    subject: (hash) => `${prefix}:subject:${hash}`,
    apiKeys: `${prefix}:keys`,
    apiKey: (id) => `${prefix}:key:${id}`,
    tenant: (name) => `${prefix}:tenant:${name}`,
    receipt: (id) => `${prefix}:receipt:${id}`,
    sequence: (id) => `${prefix}:sequence:${id}`,
    webhook: (name) => `${prefix}:webhook:${name}`,
    journal: (id) => `${prefix}:v:${id}`,
    history: (id) => `${prefix}:h:${id}`,
    gate: (region, call) => {
      const gate = `${prefix}:gate:${region}:${call}`;
      return { gate, admitted: `${gate}:admitted`, express: `${gate}:express` };
    },
    job: (region, id) => {
      const queue = `${prefix}:${verifyQueue(region)}`;
      return { job: `${queue}:${id}`, lock: `${queue}:${id}:lock`, stalled: `${queue}:stalled` };
    },
  };
}
