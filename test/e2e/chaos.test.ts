/**
 * The chaos kit in short: every short fault once, under one seed each, and some of the checks that can fail. The whole of it
 * is `npm run chaos`.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULTS } from '../chaos/faults/index.ts';
import { PROTECTIONS } from '../chaos/protections.ts';
import { provedBy, type RunResult, runOnce } from '../chaos/run.ts';
import { HOME } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const SEED = 20_261_125;
/** Of two cores. */
const SIDE_BY_SIDE = 2;
const CHEAP = new Set(['I2', 'I3', 'I9', 'I12', 'I13', 'I14']);

function place(name: string) {
  const dir = join(HOME, `chaos-${process.pid}-${name}`);
  return { dir, cacheDir: join(HOME, 'cache'), workersDir: join(DIST, 'workers/') };
}

/** At most so many at once; each begins when it is its turn. */
function inTurn<T>(tasks: readonly (() => Promise<T>)[]): Promise<T>[] {
  const turns: Promise<unknown>[] = Array.from({ length: SIDE_BY_SIDE }, () => Promise.resolve());
  return tasks.map((task, index) => {
    const mine = (turns[index % SIDE_BY_SIDE] ?? Promise.resolve()).then(task);
    turns[index % SIDE_BY_SIDE] = mine.catch(() => undefined); // whoever waits for it is told
    return mine;
  });
}

const short = FAULTS.filter(({ long }) => long !== true);
const shown = PROTECTIONS.filter(({ breaks }) => CHEAP.has(breaks));

describe('whatever breaks, the promises hold', () => {
  let runs: Promise<RunResult>[] | undefined;

  it.each(short.map((fault, index) => ({ name: fault.name, index })))('$name', async ({ index }) => {
    runs ??= inTurn(short.map((fault, turn) => () => runOnce(fault, SEED + turn, place(fault.name))));
    const { violations, seed } = (await runs[index]) ?? { violations: ['no run'], seed: 0 };
    expect(violations, `npm run chaos -- --only ${short[index]?.name} --short 1 --seed ${seed}`).toEqual([]);
  });
});

describe('and would be seen to break', () => {
  it.each(shown)('$breaks, without $name', async (protection) => {
    expect(await provedBy(protection, SEED, place(protection.breaks))).toContain(protection.breaks);
  });
});
