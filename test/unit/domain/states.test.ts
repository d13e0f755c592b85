import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DECISIONS,
  FRAME_STATES,
  isTerminal,
  NEXT_STEPS,
  nextStep,
  STATES,
} from '../../../src/domain/verification/states.ts';

/** The next step for each decision, in the order: no decision, match, no_match, not_live, recapture. */
const BY_DECISION = ['wait', 'accept', 'refuse', 'refuse', 'recapture'] as const;
const INVESTIGATE = ['investigate', 'investigate', 'investigate', 'investigate', 'investigate'] as const;
const TABLE = {
  queued: BY_DECISION,
  active: BY_DECISION,
  delayed: BY_DECISION,
  held: INVESTIGATE,
  completed: BY_DECISION,
  failed: INVESTIGATE,
  cancelled: INVESTIGATE,
} as const;

const CASES = STATES.flatMap((state) =>
  [null, ...DECISIONS].map((decision, column) => [state, decision, TABLE[state][column]] as const),
);

describe('nextStep', () => {
  it.each(CASES)('leads from %s with decision %s to %s', (state, decision, next) => {
    expect(nextStep(state, decision)).toBe(next);
  });

  it('covers every state, decision and step', () => {
    expect(CASES).toHaveLength(7 * 5);
    expect([...new Set(CASES.map(([, , next]) => next))].sort()).toEqual([...NEXT_STEPS].sort());
  });

  it('accepts nothing but a match', () => {
    expect(CASES.filter(([, , next]) => next === 'accept').every(([, decision]) => decision === 'match')).toBe(true);
  });
});

describe('terminal states', () => {
  it('are completed, failed and cancelled', () => {
    expect(STATES.filter(isTerminal)).toEqual(['completed', 'failed', 'cancelled']);
  });
});

describe('docs/states.md', () => {
  it('contains this table and all its values', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/states.md'), 'utf8');
    for (const state of STATES) {
      const steps = [null, ...DECISIONS].map((decision) => nextStep(state, decision));
      expect(page).toContain(`| \`${state}\` | ${steps.join(' | ')} |`);
    }
    for (const word of [...STATES, ...DECISIONS, ...FRAME_STATES]) expect(page).toContain(`\n| \`${word}\` | `);
  });
});
