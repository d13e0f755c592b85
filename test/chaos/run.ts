/** One run: a fault, a seed, a world; then the oracle. The same seed gives the same run, as far as processes let it. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from './evidence.ts';
import type { Fault } from './fault.ts';
import type { Change } from './fleet.ts';
import { billedCalls, type Invariant, judge, type Violation } from './invariants.ts';
import type { Protection } from './protections.ts';
import { Random } from './random.ts';
import { ChaosWorld, type Place } from './world.ts';

/** Of all runs, those with a key ring. */
const SEALED_SHARE = 0.3;

export interface RunResult {
  readonly fault: string;
  readonly seed: number;
  readonly ms: number;
  readonly violations: readonly Violation[];
  /** Where a lossy Redis lost something: what became of it. */
  readonly lost: { readonly verifications: number; readonly calls: number } | null;
  /** Named points at which something was done to a worker. */
  readonly points: readonly string[];
  /** Where the evidence lies, if there was a violation. */
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
  const asked = fault.world?.(random) ?? {};
  const sealed =
    random.chance(SEALED_SHARE) && changes.length === 0 // what is sealed is seen by nobody
      ? { BESTFRAME_KEY_RING: `chaos:${Buffer.alloc(32, 7).toString('base64')}` }
      : {};
  const world = await ChaosWorld.open({
    place,
    random,
    changes,
    ...asked,
    settings: { ...sealed, ...asked.settings },
    ...(fault.long === true ? { long: true } : {}),
  });
  let violations: readonly Violation[] = [];
  try {
    await Promise.all([world.fleet.start([], { role: 'erase' }), fault.run(world, random)]);
    const settled = await world.settled();
    const evidence = await world.evidence(settled);
    violations = judge(evidence);
    if (violations.length > 0) await keep(place.dir, evidence, world.log);
    const lost = evidence.lossy ? lostIn(evidence) : null;
    const points = world.fleet.workers.flatMap(({ told }) => told.map(({ at }) => at));
    const kept = violations.length > 0 ? place.dir : null;
    return { fault: fault.name, seed, ms: performance.now() - startedAt, violations, lost, points, kept };
  } finally {
    await world.close(violations.length > 0);
  }
}

/** Runs what shows a protection, without it. @returns which invariants were seen to break. */
export async function provedBy(protection: Protection, seed: number, place: Place): Promise<Invariant[]> {
  const { shownBy, changes } = protection;
  const { violations } = await runOnce(shownBy, seed, place, changes).catch((error: unknown) => {
    throw new Error(`without ${protection.name} the run broke off`, { cause: error });
  });
  await rm(place.dir, { recursive: true, force: true });
  return [...new Set(violations.map(({ invariant }) => invariant))];
}

function lostIn(evidence: Evidence): { verifications: number; calls: number } {
  const ids = new Set(evidence.accepted.map(({ id }) => id));
  const known = [...ids].filter((id) => (evidence.views.get(id) ?? null) !== null);
  const recorded = known.reduce((sum, id) => sum + (evidence.views.get(id)?.paidCalls ?? 0), 0);
  return { verifications: ids.size - known.length, calls: Math.max(0, billedCalls(evidence).length - recorded) };
}

async function keep(dir: string, evidence: Evidence, log: readonly string[]): Promise<void> {
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
