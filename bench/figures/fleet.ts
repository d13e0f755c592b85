/**
 * Simulates what no test machine can carry: 250 worker processes in ten regions. One region gets three times the load of each other. How
 * many verifications a second the fleet carries depends on how the regions are divided among Redis servers. The costs are those that `capacity` measured (docs/operations/capacity.md).
 */
import type { Figure } from '../figure.ts';
import { type Costs, type Fleet, type FleetResult, type Part, simulate } from '../fleet.ts';

const COSTS: Costs = { redisMs: 5.4, workerMs: 35, uploadMs: 200, checkMs: 60, detectMs: 600, downloadMs: 150 };
const REGIONS = 10;
/** The largest region gets this many times the load of each other. */
const LARGEST = 3;
/** FaceID's rate in each region. High enough that Redis is the limit. */
const RATE = 300;
const WORKERS = 250;
const SLOTS = 8;
const TARGET = 1_000;
/**
 * An idle fleet finishes 95 of 100 verifications within 1.36 s. If more are unfinished than arrive in two seconds, a queue grows.
 */
const SLOW_MS = 2_000;
const STEP = 10;

const FLEETS = {
  'one Redis': () => regions(() => 0),
  'a Redis for each region': () => regions((region) => region),
  // The tenants of the largest region are divided among three deployments.
  'three for the largest region': () => [
    ...regions((region) => region + 2).slice(1),
    ...[0, 1, 2].map((redis): Part => ({ share: LARGEST / (REGIONS - 1 + LARGEST) / 3, redis, rate: RATE / 3 })),
  ],
} satisfies Readonly<Record<string, () => Part[]>>;

export const fleet: Figure = {
  name: 'fleet',
  about: `simulated: ${WORKERS} worker processes, ${REGIONS} regions, the largest with ${LARGEST} times the load of another`,
  values: [
    ...Object.keys(FLEETS).map((name) => ({ name: `most per second, ${name}`, unit: '/s' as const })),
    ...['busiest Redis', 'cores of workers', 'slots', 'rate'].map((name) => ({
      name: `${name}, ${TARGET}/s`,
      unit: '%' as const,
    })),
    { name: `95 of 100 take at most, ${TARGET}/s`, unit: 'ms' },
  ],
  seconds: { usual: 60, quick: 10 },
  measure: async (_environment, seconds) => measure(seconds),
};

function measure(seconds: number): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, parts] of Object.entries(FLEETS))
    values[`most per second, ${name}`] = mostPerSecond(parts(), seconds);
  const { busy, p95Ms } = run(FLEETS['three for the largest region'](), TARGET, seconds);
  return {
    ...values,
    [`busiest Redis, ${TARGET}/s`]: busy.redis * 100,
    [`cores of workers, ${TARGET}/s`]: busy.cores * 100,
    [`slots, ${TARGET}/s`]: busy.slots * 100,
    [`rate, ${TARGET}/s`]: busy.rate * 100,
    [`95 of 100 take at most, ${TARGET}/s`]: p95Ms,
  };
}

/** The highest load, in steps, at which nothing is slow. */
function mostPerSecond(parts: readonly Part[], seconds: number): number {
  let [carried, tooMuch] = [0, 4 * TARGET];
  while (tooMuch - carried > STEP) {
    const load = Math.round((carried + tooMuch) / 2 / STEP) * STEP;
    if (load === carried || load === tooMuch) break;
    const { p95Ms, unfinished } = run(parts, load, seconds);
    if (p95Ms <= SLOW_MS && unfinished <= (load * SLOW_MS) / 1_000) carried = load;
    else tooMuch = load;
  }
  return carried;
}

function run(parts: readonly Part[], load: number, seconds: number): FleetResult {
  const simulated: Fleet = { parts, workers: WORKERS, slots: SLOTS, load, seconds, costs: COSTS };
  return simulate(simulated);
}

/** @param redisOf which Redis holds a region; region 0 is the largest */
function regions(redisOf: (region: number) => number): Part[] {
  const other = 1 / (REGIONS - 1 + LARGEST);
  return Array.from({ length: REGIONS }, (_, region) => ({
    share: region === 0 ? LARGEST * other : other,
    redis: redisOf(region),
    rate: RATE,
  }));
}
