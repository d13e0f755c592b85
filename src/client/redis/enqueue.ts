/**
 * Enqueues verifications in two round trips for each slice: the first creates the records (the claims), the second adds the jobs.
 *
 * What must hold: a result says `new` or `same` only after both claim and job are in Redis.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { openTelemetry } from '../../adapters/tracing.ts';
import { Failure, inputFailure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { dependenciesOf, dependencyKind } from '../../domain/operations/breakers.ts';
import type { TenantShare } from '../../domain/operations/tenants.ts';
import { parseTraceparent } from '../../domain/operations/tracing.ts';
import { type GatedCall, type ResourceName, stagesOf } from '../../domain/verification/actions.ts';
import { fingerprint, subjectHash } from '../../domain/verification/identity.ts';
import { type Mode, modeMismatch } from '../../domain/verification/mode.ts';
import type { Region } from '../../domain/verification/regions.ts';
import {
  DEFAULT_DEADLINE_MS,
  type Lane,
  MAX_DEADLINE_MS,
  type Verification,
} from '../../domain/verification/request.ts';
import { DEFAULT_SESSION_MS, type Session } from '../../domain/verification/session-request.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { redisFailure } from '../../redis/connection.ts';
import type { VerifyJob } from '../../redis/job-options.ts';
import { claimFields } from '../../redis/record.ts';
import { type ClaimAnswer, type ClaimRequest, claimVerifications } from '../../redis/scripts/claim-verification.ts';
import { countAhead } from '../../redis/scripts/count-ahead.ts';
import { verifyJob } from '../../redis/verify-queue.ts';
import type { Enqueued, EnqueueResult, TraceOptions } from '../contract.ts';
import type { Store } from './store.ts';
import { unknownWebhook, type Webhooks } from './webhooks.ts';

/** How many verifications are claimed in one round trip. */
const SLICE = 100;
/** How long an interactive claim may hold back batch work. Equals EXPRESS_MS in admission.lua. */
const EXPRESS_HOLD_MS = 15_000;
/** When to ask again if a tenant has too many unfinished verifications. */
const QUOTA_RETRY_MS = 10_000;
/** The longest time after which to ask again if the backlog is too long. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Sources that were uploaded as files in the same request as their verification, and were checked and hashed during the upload.
 */
export interface StagedSources {
  readonly names: readonly ResourceName[];
  /** Fingerprint of the request. A repeat of the request has the same fingerprint, although its files are staged anew. */
  readonly fingerprint: string;
}

/** How a parsed verification is enqueued. */
export interface ParsedOptions extends TraceOptions {
  readonly staged?: StagedSources;
  /**
   * How many calls of an action the vendor accepts per second. If given, a new verification is refused (BACKLOG) if its call could
   * not be made before its deadline.
   */
  readonly callsPerSecond?: ((region: Region, action: GatedCall) => number) | undefined;
  /** Called with the view of each new verification, before its job is added. It counts only if the verification is accepted. */
  readonly onNew?: ((view: VerificationView) => void) | undefined;
}

export interface EnqueueContext {
  readonly store: Store;
  readonly webhooks: Webhooks;
  /** Mode of the client. If undefined, the client uses the mode of the deployment. */
  readonly mode: Mode | undefined;
  readonly namespace: string;
  /** For verifications that do not name an endpoint, or a threshold. */
  readonly defaults: { readonly webhook: string | undefined; readonly similarityThreshold: number };
  /** How much of the queue the tenant gets, and the most that it may queue. */
  readonly share: TenantShare;
  /** As the caller gave it. If it is absent or invalid, the active span of OpenTelemetry is the parent. */
  readonly traceparent: string | undefined;
  readonly callsPerSecond?: ParsedOptions['callsPerSecond'];
  readonly onNew?: ParsedOptions['onNew'];
}

interface ResolvedContext extends Omit<EnqueueContext, 'traceparent'> {
  readonly mode: Mode;
  /** Of the span that enqueues; null: no trace. */
  readonly traceparent: string | null;
}

/** The mode that is used if no worker of the deployment has started yet. */
const DEFAULT_MODE: Mode = 'live';

/** A request that was parsed and checked. */
export interface CheckedRequest {
  readonly verification: Verification | Session;
  /** Why a new verification is refused now: the deadline has passed, say, or a file is gone. */
  readonly refusal: Failure | null;
}

interface Parsed extends CheckedRequest {
  /**
   * Set if files were uploaded with the request. It replaces the computed fingerprint, which would change with each repeat of the
   * request: a repeat stages the files under new paths.
   */
  readonly fingerprint?: string | undefined;
}

/** A parsed verification, or the reason for its refusal. */
export type ParsedOrRefused = Parsed | { readonly key: string; readonly error: Failure };

/** A verification that was parsed and checked, with its index among the results. */
interface Item {
  readonly index: number;
  readonly id: string;
  readonly request: Verification | Session;
  readonly fingerprint: string | undefined;
  /** Stands unless the same request was accepted before, or its verification is erased. */
  readonly refusal: Failure | null;
}

interface ClaimedItem extends Item {
  /** Its place among the jobs that have not begun. */
  readonly turn: number;
}

/**
 * @param requests for each request, the parsed verification or the reason for its refusal. @returns a result for each, in order.
 */
export function enqueueParsed(
  { traceparent: given, ...context }: EnqueueContext,
  requests: readonly ParsedOrRefused[],
  idOf: (key: string) => string,
): Promise<EnqueueResult[]> {
  const parent = parseTraceparent(given);
  const options = { kind: 'producer', ...(parent === null ? {} : { parent }) } as const;
  return openTelemetry.run('bestframe enqueue', options, async (span) => {
    const { traceparent } = span;
    const results = await enqueueAll({ ...context, traceparent }, requests, idOf);
    const [first] = results;
    const isOne = results.length === 1 && first?.status !== 'refused';
    span.note({ count: results.length, id: isOne ? first?.id : null });
    return results;
  });
}

async function enqueueAll(
  context: Omit<ResolvedContext, 'mode'> & Pick<EnqueueContext, 'mode'>,
  requests: readonly ParsedOrRefused[],
  idOf: (key: string) => string,
): Promise<EnqueueResult[]> {
  const results: EnqueueResult[] = new Array(requests.length);
  const accepted: Item[] = [];
  const deployed = requests.length === 0 ? null : await context.store.deploymentMode(context.mode);
  const mode = context.mode ?? deployed ?? DEFAULT_MODE;
  for (const [index, each] of requests.entries()) {
    if ('error' in each) {
      results[index] = refusal(each.key, each.error);
      continue;
    }
    const { verification: request, fingerprint, refusal: reason } = each;
    const { key } = request;
    if (deployed !== null && deployed !== mode) results[index] = refusal(key, modeMismatch(mode, deployed));
    else accepted.push({ index, id: idOf(key), request, fingerprint, refusal: reason });
  }
  const resolved: ResolvedContext = { ...context, mode };
  await claimAndAdd(resolved, await refuseUnknownWebhooks(resolved, accepted), results);
  return results;
}

/** Redis claims the items of one slice while the next slice is prepared. */
async function claimAndAdd(context: ResolvedContext, items: readonly Item[], results: EnqueueResult[]): Promise<void> {
  const backlogs = backlogsOf(context, items);
  const failures: unknown[] = [];
  const slices: Promise<void>[] = [];
  for (let start = 0; start < items.length; start += SLICE) {
    if (start > 0) await nextTurn(); // the commands of the last slice are sent now
    const slice = items.slice(start, start + SLICE);
    const claimed = claimAll(context, slice, backlogs.slice(start, start + SLICE), results);
    const added = claimed.then((unqueued) => addJobs(context, unqueued, results));
    slices.push(added.catch((error: unknown) => void failures.push(error)));
  }
  await Promise.all(slices);
  if (failures.length > 0) throw failures[0];
}

async function refuseUnknownWebhooks({ webhooks, defaults }: ResolvedContext, items: readonly Item[]): Promise<Item[]> {
  const unknown = await webhooks.findUnregistered(
    items.flatMap(({ request }) => request.webhook ?? defaults.webhook ?? []),
  );
  if (unknown.length === 0) return [...items];
  return items.map((item) => {
    const webhook = item.request.webhook ?? defaults.webhook;
    if (webhook === undefined || !unknown.includes(webhook)) return item;
    return { ...item, refusal: item.refusal ?? unknownWebhook(webhook) };
  });
}

/** @returns the items whose job is still to be added, with their turns. */
async function claimAll(
  context: ResolvedContext,
  items: readonly Item[],
  backlogs: readonly Backlog[],
  results: EnqueueResult[],
): Promise<ClaimedItem[]> {
  const { store, onNew } = context;
  const claims = items.map((item, position) => claimOf(context, item, backlogs[position]));
  const answers = await store.command(claimVerifications(store.deployment, claims));
  return items.flatMap((item, position) => {
    const { index, id, request } = item;
    const { key } = request;
    const answer = answers[position];
    if (answer === undefined) throw new Error('no answer to a claim');
    if (answer instanceof Failure) {
      results[index] = refusal(key, answer);
      return [];
    }
    const refused =
      item.refusal !== null && (answer.status === 'unknown' || answer.status === 'conflict')
        ? item.refusal
        : refusalOf(answer, request.region, backlogs[position]);
    if (refused !== null) {
      results[index] = refusal(key, refused);
      return [];
    }
    const { status, state, starts, turn, journal } = answer as Extract<ClaimAnswer, { state: unknown }>;
    results[index] = { id, key, status: status === 'new' ? 'new' : 'same', state };
    if (journal !== undefined) onNew?.(store.viewOfNew(id, journal));
    return status === 'new' || (starts === 0 && !isTerminal(state)) ? [{ ...item, turn }] : [];
  });
}

/**
 * Adds the jobs. A job that already exists is not added again. If adding a job fails, its item is refused, and the caller can
 * safely try again with the same key.
 */
async function addJobs(
  { store, mode }: ResolvedContext,
  items: readonly ClaimedItem[],
  results: EnqueueResult[],
): Promise<void> {
  const byRegion = new Map<Region, ClaimedItem[]>();
  for (const item of items) {
    const { region } = item.request;
    byRegion.set(region, [...(byRegion.get(region) ?? []), item]);
  }
  await Promise.all(
    [...byRegion].map(async ([region, group]) => {
      const jobs = group.map(({ id, request, turn }) => verifyJob({ ...request, id, mode, turn }));
      try {
        await addTo(store.queue(region), jobs);
      } catch (error) {
        for (const { index, request } of group) results[index] = refusal(request.key, redisFailure(error));
      }
    }),
  );
}

/** A single job needs no transaction, which costs several times as much CPU as the command. */
function addTo(queue: Queue<VerifyJob>, jobs: readonly ReturnType<typeof verifyJob>[]): Promise<unknown> {
  const [first] = jobs;
  return first !== undefined && jobs.length === 1
    ? queue.add(first.name, first.data, first.opts)
    : queue.addBulk([...jobs]);
}

/** Counts the waiting jobs that are served before the tenant's next one. @throws Failure REDIS_UNAVAILABLE */
export function aheadOf(
  store: Store,
  { region, lane, share }: { readonly region: Region; readonly lane: Lane; readonly share: TenantShare },
): Promise<number> {
  const { deployment, tenant } = store;
  return store.command(countAhead(deployment, { region, lane, tenant, weight: share.weight }));
}

/** How long a new verification may wait in the queue. */
interface Backlog {
  /** Verifications of the same call that are served before it, and whose jobs are not in the queue yet. */
  readonly before: number;
  readonly perSecond: number;
  /** Time until its deadline. */
  readonly leftMs: number;
}

/** @returns for each item its backlog, in order; nothing if a backlog of any length is accepted. */
function backlogsOf({ callsPerSecond }: ResolvedContext, items: readonly Item[]): Backlog[] {
  if (callsPerSecond === undefined) return [];
  const now = Date.now();
  const counted = new Map<string, number>();
  return items.map(({ request, refusal: reason }) => {
    const { region, lane, action } = request;
    const count = (other: Lane) => counted.get(`${region} ${other}`) ?? 0;
    const before = count('interactive') + (lane === 'batch' ? count('batch') : 0);
    if (reason === null) counted.set(`${region} ${lane}`, count(lane) + 1);
    const leftMs = request.deadline === undefined ? lifeMsOf(request) : Date.parse(request.deadline) - now;
    return { before, perSecond: callsPerSecond(region, action), leftMs };
  });
}

/** The time until the deadline of a request that names none. */
function lifeMsOf(request: Verification | Session): number {
  return 'session' in request ? DEFAULT_SESSION_MS : DEFAULT_DEADLINE_MS[request.lane];
}

function claimOf(
  { store, mode, namespace, defaults, share, traceparent, onNew }: ResolvedContext,
  { id, request, fingerprint: ofFiles, refusal: reason }: Item,
  backlog: Backlog | undefined,
): ClaimRequest {
  const { region, action, lane, deadline } = request;
  const { tenant, expiryMs, deployment } = store;
  const subject = request.subject === undefined ? null : subjectHash(namespace, request.subject);
  // The defaults are not part of the payload: if they change, the same request is still the same verification.
  const { webhook = defaults.webhook, similarityThreshold = defaults.similarityThreshold } = request;
  return {
    id,
    region,
    action,
    lane,
    fingerprint: ofFiles ?? fingerprint(namespace, request),
    deadline: deadline === undefined ? null : Date.parse(deadline),
    lifeMs: lifeMsOf(request),
    expressHoldMs: EXPRESS_HOLD_MS,
    subject,
    needs: [...new Set(stagesOf(action).flatMap((stage) => dependenciesOf(request, stage)))],
    subjectLifeMs: MAX_DEADLINE_MS + expiryMs,
    tenant,
    weight: share.weight,
    quotas: share.quotas,
    fields: claimFields(
      id,
      { ...request, webhook, similarityThreshold },
      { mode, tenant, subject, traceparent },
      deployment.sealer,
    ),
    mostAhead: backlog && Math.floor((backlog.leftMs * backlog.perSecond) / 1_000) - backlog.before,
    knownOnly: reason !== null,
    wantsJournal: onNew !== undefined,
  };
}

function refusalOf(answer: ClaimAnswer, region: Region, backlog: Backlog | undefined): Failure | null {
  switch (answer.status) {
    case 'new':
    case 'same':
      return null;
    case 'conflict':
      return keyConflict();
    case 'gone':
      return keyGone();
    case 'unknown':
      throw new Error('a claim that may create a verification answers otherwise');
    case 'unserved': {
      const message = `no worker of this deployment serves ${region}: use a region that it serves`;
      return inputFailure(CODES.REGION_UNSERVED, 'region', message);
    }
    case 'backlog': {
      const { before = 0, perSecond = 1, leftMs = 0 } = backlog ?? {};
      const waitMs = ((answer.ahead + before) * 1_000) / perSecond;
      const message = `the estimated queue wait of ${Math.ceil(waitMs / 1_000)} s exceeds the deadline in ${Math.floor(leftMs / 1_000)} s`;
      return localFailure(CODES.BACKLOG, message, { retryAfterMs: Math.min(waitMs - leftMs, MAX_RETRY_AFTER_MS) });
    }
    case 'quota': {
      const retryAfterMs = answer.waitMs > 0 ? answer.waitMs : QUOTA_RETRY_MS;
      const message = `the quota ${answer.quota} of this tenant is used up: ask again later`;
      return localFailure(CODES.QUOTA_USED_UP, message, { retryAfterMs });
    }
    case 'down': {
      const kind = dependencyKind(answer.dependency);
      const message = `${kind} is down, and the deadline passes before it can be expected back: ask again later`;
      return localFailure(CODES.DEPENDENCY_DOWN, message, { retryAfterMs: answer.waitMs });
    }
  }
}

function refusal(key: string, error: Failure): EnqueueResult {
  return { key, status: 'refused', error };
}

function keyConflict(): Failure {
  const message =
    'key was used for another payload: use a new key for a new verification, or send the same payload again';
  return inputFailure(CODES.KEY_CONFLICT, 'key', message);
}

export function keyGone(): Failure {
  return inputFailure(CODES.KEY_GONE, 'key', 'key belongs to a verification that was erased: use a new key');
}

/** The result of one request. @throws its Failure if it was refused */
export function onlyResult([result]: readonly EnqueueResult[]): Enqueued {
  if (result === undefined) throw new Error('no result for one request');
  if (result.status === 'refused') throw result.error;
  return result;
}
