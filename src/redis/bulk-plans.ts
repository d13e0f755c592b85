/**
 * Plans of acts on many verifications and the progress of their runs, for all processes of the site. A process that runs a plan holds a
 * claim on it and renews it; when the process dies, the claim expires. Plan and order are sealed if there is a key ring.
 */
import {
  type BulkOrder,
  type BulkPlan,
  type BulkProgress,
  type BulkRun,
  NO_PROGRESS,
} from '../domain/operations/bulk.ts';
import { openPipeline, repliesOf } from './connection.ts';
import type { Deployment } from './deployment.ts';

/** How long a plan waits to be started. */
const PLANNED_MS = 3_600_000;
/** How long a plan is kept after the last progress of its run. */
const STARTED_MS = 24 * 3_600_000;
/** How long a claim lives without being renewed: longer than one act takes. */
const CLAIM_MS = 30_000;

export interface PlannedRun {
  readonly plan: BulkPlan;
  /** Null: the run has not been started. */
  readonly run: BulkRun | null;
}

export async function writePlan({ redis, names, sealer }: Deployment, plan: BulkPlan): Promise<void> {
  const { plan: key } = names.bulk(plan.id);
  const sealed = sealer.seal(plan.id, 'plan', JSON.stringify(plan));
  await repliesOf(redis.multi().hset(key, { plan: sealed }).pexpire(key, PLANNED_MS).exec());
}

/** @returns null if there is no such plan, or its time is over. */
export async function readPlan({ redis, names, sealer }: Deployment, id: string): Promise<PlannedRun | null> {
  const { plan: key, runner } = names.bulk(id);
  const [fields, isClaimed] = await repliesOf(openPipeline(redis).hgetall(key).exists(runner).exec());
  const { plan, order, state, progress } = fields as Record<string, string>;
  if (plan === undefined) return null;
  const parsed = JSON.parse(sealer.open(id, 'plan', plan)) as BulkPlan;
  if (order === undefined) return { plan: parsed, run: null };
  const given = JSON.parse(sealer.open(id, 'order', order)) as BulkOrder;
  const soFar = progress === undefined ? NO_PROGRESS : (JSON.parse(progress) as BulkProgress);
  const now = state === 'running' && isClaimed === 0 ? 'interrupted' : (state as BulkRun['state']);
  return { plan: parsed, run: { ...given, ...soFar, state: now } };
}

/** @returns false if another process runs the plan. */
export async function claimPlan({ redis, names }: Deployment, id: string, runner: string): Promise<boolean> {
  return (await redis.set(names.bulk(id).runner, runner, 'PX', CLAIM_MS, 'NX')) === 'OK';
}

/** Renews the claim. @returns `lost` if it has expired, and `stopped` if the run is to end; the claim is then still held. */
export async function renewClaim(
  { redis, names }: Deployment,
  id: string,
  runner: string,
): Promise<'held' | 'stopped' | 'lost'> {
  const { plan, runner: key } = names.bulk(id);
  const [holder, state] = await repliesOf(openPipeline(redis).get(key).hget(plan, 'state').exec());
  if (holder !== runner || (await redis.pexpire(key, CLAIM_MS)) !== 1) return 'lost';
  return state === 'stopped' ? 'stopped' : 'held';
}

/** Ends the claim. Only its holder may call this: another process could claim the plan while an act is under way. */
export async function endClaim({ redis, names }: Deployment, id: string): Promise<void> {
  await redis.del(names.bulk(id).runner);
}

/** Notes the order of a run, its state or its progress. */
export async function noteRun(
  { redis, names, sealer }: Deployment,
  id: string,
  { order, state, progress }: { order?: BulkOrder; state?: 'running' | 'stopped' | 'done'; progress?: BulkProgress },
): Promise<void> {
  const { plan: key } = names.bulk(id);
  const fields = {
    ...(order === undefined ? {} : { order: sealer.seal(id, 'order', JSON.stringify(order)) }),
    ...(state === undefined ? {} : { state }),
    ...(progress === undefined ? {} : { progress: JSON.stringify(progress) }),
  };
  await repliesOf(redis.multi().hset(key, fields).pexpire(key, STARTED_MS).exec());
}
