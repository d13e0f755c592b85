import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DECISIONS, FRAME_STATES, isTerminal, NEXT_STEPS, nextStep, STATES } from '../../../src/domain/states.ts';

/** Rows: state. Columns: no decision, match, no_match, not_live, recapture. */
const GOES_ON = ['wait', 'accept', 'refuse', 'refuse', 'recapture'] as const;
const LOOK = ['investigate', 'investigate', 'investigate', 'investigate', 'investigate'] as const;
const TABLE = {
  queued: GOES_ON,
  active: GOES_ON,
  delayed: GOES_ON,
  held: LOOK,
  completed: GOES_ON,
  failed: LOOK,
  cancelled: LOOK,
} as const;

const CASES = STATES.flatMap((state) =>
  [null, ...DECISIONS].map((decision, column) => [state, decision, TABLE[state][column]] as const),
);

describe('next', () => {
  it.each(CASES)('%s with decision %s: %s', (state, decision, next) => {
    expect(nextStep(state, decision)).toBe(next);
  });

  it('covers every state, decision and step', () => {
    expect(CASES).toHaveLength(7 * 5);
    expect([...new Set(CASES.map(([, , next]) => next))].sort()).toEqual([...NEXT_STEPS].sort());
  });

  it('never accepts anything but a match', () => {
    expect(CASES.filter(([, , next]) => next === 'accept').every(([, decision]) => decision === 'match')).toBe(true);
  });
});

describe('ends', () => {
  it('are completed, failed and cancelled', () => {
    expect(STATES.filter(isTerminal)).toEqual(['completed', 'failed', 'cancelled']);
  });
});

describe('docs/states.md', () => {
  it('has this table, and each word', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/states.md'), 'utf8');
    for (const state of STATES) {
      const steps = [null, ...DECISIONS].map((decision) => nextStep(state, decision));
      expect(page).toContain(`| \`${state}\` | ${steps.join(' | ')} |`);
    }
    for (const word of [...STATES, ...DECISIONS, ...FRAME_STATES]) expect(page).toContain(`\n| \`${word}\` | `);
  });
});
