import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DECISIONS,
  FRAME_STATES,
  isTerminal,
  NEXT_STEPS,
  nextStep,
  OPINION_STATUSES,
  STATES,
} from '../../../src/domain/verification/states.ts';

/**
 * The next step for each decision, in the order: no decision, match, no_match, not_live, recapture; and of sessions live,
 * not_started, abandoned, expired, retry_limit.
 */
const BY_DECISION = [
  ...(['wait', 'accept', 'refuse', 'refuse', 'recapture'] as const),
  ...(['accept', 'recapture', 'recapture', 'recapture', 'refuse'] as const),
];
const INVESTIGATE = BY_DECISION.map(() => 'investigate' as const);
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
    expect(CASES).toHaveLength(7 * 10);
    expect([...new Set(CASES.map(([, , next]) => next))].sort()).toEqual([...NEXT_STEPS].sort());
  });

  it('accepts nothing but a match, or a live person where nothing is compared', () => {
    const accepted = CASES.filter(([, , next]) => next === 'accept').map(([, decision]) => decision);
    expect([...new Set(accepted)]).toEqual(['match', 'live']);
  });
});

describe('a second opinion', () => {
  const AFTER_MATCH = {
    ...{ pending: 'wait', not_needed: 'investigate', passed: 'accept' },
    ...{ suspected: 'refuse', unclear: 'recapture', failed: 'investigate' },
  } as const;

  it.each(OPINION_STATUSES)('that is %s stands beside a match', (opinion) => {
    for (const state of ['active', 'delayed', 'completed'] as const)
      expect(nextStep(state, 'match', opinion)).toBe(AFTER_MATCH[opinion]);
  });

  it('changes nothing but an acceptance, and never makes one', () => {
    for (const [state, decision, next] of CASES)
      for (const opinion of OPINION_STATUSES) {
        if (next !== 'accept')
          expect([state, opinion, nextStep(state, decision, opinion)]).toEqual([state, opinion, next]);
        else if (opinion !== 'passed') expect(nextStep(state, decision, opinion)).not.toBe('accept');
      }
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
