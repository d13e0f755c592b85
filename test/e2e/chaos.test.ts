/**
 * A short run of the chaos kit: some faults once with a fixed seed, and some runs with a protection removed. The long form runs every
 * short fault. `npm run chaos` runs the whole kit.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULTS } from '../chaos/faults/index.ts';
import { PROTECTIONS } from '../chaos/protections.ts';
import { invariantsBrokenWithout, runOnce } from '../chaos/run.ts';
import { inForm } from '../support/forms.ts';
import { HOME } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const SEED = 20_261_125;

function place(name: string) {
  const dir = join(HOME, `chaos-${process.pid}-${name}`);
  return { dir, cacheDir: join(HOME, 'cache'), workersDir: join(DIST, 'workers/') };
}

/** One fault of each kind: of workers, of Redis, of the vendor, of operators. */
const FEW = ['kill', 'redis-kill', 'vendor', 'buttons'];
const short = FAULTS.filter(({ long }) => long !== true);
const chosen = inForm({ short: FEW, long: short.map(({ name }) => name) });
const faults = short
  .map((fault, turn) => ({ name: fault.name, fault, turn }))
  .filter(({ name }) => chosen.includes(name));
/** Invariants that a run breaks if a protection is removed, the quickest first. */
const broken: readonly string[] = inForm({ short: ['I9'], long: ['I9', 'I13', 'I2', 'I3', 'I12', 'I14', 'I17'] });
const removed = PROTECTIONS.filter(({ breaks }) => broken.includes(breaks)).map((protection, turn) => ({
  ...{ protection, turn },
  ...{ name: protection.name, breaks: protection.breaks },
}));

describe('every promise holds under the fault', () => {
  it.concurrent.each(faults)('$name', async ({ name, fault, turn }) => {
    const { violations, seed } = await runOnce(fault, SEED + turn, place(name));
    expect(violations, `npm run chaos -- --only ${name} --short 1 --seed ${seed}`).toEqual([]);
  });
});

describe('the oracle detects that a promise is broken', () => {
  it.concurrent.each(removed)('$breaks, without $name', async ({ protection, breaks, turn }) => {
    expect(await invariantsBrokenWithout(protection, SEED, place(`without-${turn}`))).toContain(breaks);
  });
});
