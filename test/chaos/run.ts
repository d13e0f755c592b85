/**
 * Executes one chaos run: a fault is applied to a fresh world, and the oracle judges the evidence. The same seed
 * repeats the run, except for the timing of processes.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from './evidence.ts';
import type { Fault } from './fault.ts';
import type { Change } from './fleet.ts';
import { billedCalls, type Invariant, judge, type Violation } from './invariants.ts';
import type { Protection } from './protections.ts';
import { Random } from './random.ts';
import { ChaosWorld, type Place } from './world.ts';

/** The share of runs that use a key ring. */
const SEALED_SHARE = 0.3;

export interface RunResult {
  readonly fault: string;
  readonly seed: number;
  readonly ms: number;
  readonly violations: readonly Violation[];
  /** How many verifications and calls Redis lost. Null if the fault does not let Redis lose anything. */
  readonly lost: { readonly verifications: number; readonly calls: number } | null;
  /** The named points at which a hook acted on a worker. */
  readonly points: readonly string[];
  /** What the fault counted. */
  readonly counts: Readonly<Record<string, number>>;
  /** The folder that holds the evidence if there was a violation. */
  readonly kept: string | null;
}

export async function runOnce(
  fault: Fault,
  seed: number,
  place: Place,
  changes: readonly Change[] = [],
): Promise<RunResult> {
  const random = new Random(seed);
  const startedAt = performance.now();
  const worldOptions = fault.world?.(random) ?? {};
  const sealed =
    random.chance(SEALED_SHARE) && changes.length === 0 // the oracle cannot read sealed values in Redis
      ? { BESTFRAME_KEY_RING: `chaos:${Buffer.alloc(32, 7).toString('base64')}` }
      : {};
  const world = await ChaosWorld.open({
    place,
    random,
    changes,
    ...worldOptions,
    settings: { ...sealed, ...worldOptions.settings },
    ...(fault.long === true ? { long: true } : {}),
  });
  let violations: readonly Violation[] = [];
  try {
    await Promise.all([world.fleet.start([], { role: 'erase' }), fault.run(world, random)]);
    const settled = await world.untilSettled();
    const evidence = await world.evidence(settled);
    violations = judge(evidence);
    if (violations.length > 0) await keepEvidence(place.dir, evidence, world.log);
    const lost = evidence.lossy ? countLosses(evidence) : null;
    const points = world.fleet.workers.flatMap(({ reports }) => reports.map(({ at }) => at));
    const kept = violations.length > 0 ? place.dir : null;
    const ms = performance.now() - startedAt;
    return { fault: fault.name, seed, ms, violations, lost, points, counts: world.counts, kept };
  } finally {
    await world.close(violations.length > 0);
  }
}

/**
 * Removes a protection, and runs the fault that reveals that the protection is missing.
 * @returns the invariants that were broken
 */
export async function invariantsBrokenWithout(
  protection: Protection,
  seed: number,
  place: Place,
): Promise<Invariant[]> {
  const { exposedBy, changes } = protection;
  const { violations } = await runOnce(exposedBy, seed, place, changes).catch((error: unknown) => {
    throw new Error(`the run without ${protection.name} failed`, { cause: error });
  });
  await rm(place.dir, { recursive: true, force: true });
  return [...new Set(violations.map(({ invariant }) => invariant))];
}

function countLosses(evidence: Evidence): { verifications: number; calls: number } {
  const ids = new Set(evidence.accepted.map(({ id }) => id));
  const known = [...ids].filter((id) => (evidence.views.get(id) ?? null) !== null);
  const recorded = known.reduce((sum, id) => sum + (evidence.views.get(id)?.paidCalls ?? 0), 0);
  return { verifications: ids.size - known.length, calls: Math.max(0, billedCalls(evidence).length - recorded) };
}

async function keepEvidence(dir: string, evidence: Evidence, log: readonly string[]): Promise<void> {
  const plain = {
    ...evidence,
    views: [...evidence.views],
    frames: [...evidence.frames],
    texts: [],
    excused: [...evidence.excused],
  };
  await writeFile(join(dir, 'evidence.json'), JSON.stringify(plain, null, 1));
  await writeFile(join(dir, 'workers.log'), `${log.join('\n')}\n`);
}
