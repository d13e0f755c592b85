/** Tests `pausedBy`: which shared cause delays a waiting verification. */
import { expect, it } from 'vitest';
import { type GateFacts, pauseOf, type Waiting } from '../../../src/domain/verification/pauses.ts';

const NOW = 1_000_000;
const OPEN: GateFacts = { paused: false, closedFor: null, nextProbe: null, nextSlot: 0 };
const FREE: Waiting = { needs: ['cos:put', 'cos:get'], code: null, until: null };

const pause = (waiting: Partial<Waiting>, gate: Partial<GateFacts> = {}, down: readonly string[] = []) =>
  pauseOf({ ...FREE, ...waiting }, { gate: { ...OPEN, ...gate }, down, now: NOW });

it('is nothing where it waits for its own retry', () => {
  expect(pause({})).toBeNull();
  expect(pause({ code: 'TIMEOUT', until: NOW + 5_000 })).toBeNull();
  expect(pause({}, {}, ['source:other.example'])).toBeNull();
});

it.each([
  [{ paused: true, closedFor: 'BUDGET_SPENT', nextProbe: NOW + 9 }, 'operator', 'PAUSED_BY_OPERATOR', null],
  [{ closedFor: 'CLOSED_BY_OPERATOR', nextProbe: NOW + 9 }, 'operator', 'CLOSED_BY_OPERATOR', NOW + 9],
  [{ closedFor: 'BUDGET_SPENT', nextProbe: NOW + 9 }, 'budget', 'BUDGET_SPENT', NOW + 9],
  [{ closedFor: 'AuthFailure', nextProbe: NOW - 9 }, 'account', 'AuthFailure', null],
] as const)('is the gate before anything else: %j', (gate, by, code, until) => {
  expect(pause({ code: 'TIMEOUT', until: NOW + 5_000 }, gate, ['cos:get'])).toEqual({ by, code, until });
});

it('is the breaker of something that it still needs', () => {
  const broken = { by: 'breaker', code: 'DEPENDENCY_DOWN', dependency: 'cos:get' };
  expect(pause({}, {}, ['cos:get'])).toEqual({ ...broken, until: null });
  expect(pause({ until: NOW + 7 }, {}, ['cos:get', 'CreateUploadUrl'])).toEqual({ ...broken, until: NOW + 7 });
});

it('is the rate after the vendor throttled it, or while the next free slot is far away', () => {
  const throttled = { code: 'RequestLimitExceeded', until: NOW + 900 };
  expect(pause(throttled)).toEqual({ by: 'rate', ...throttled });
  expect(pause({ ...throttled, until: NOW })).toBeNull();
  expect(pause({ ...throttled, until: null })).toBeNull();
  expect(pause({ code: null, until: NOW + 900 })).toBeNull();
  expect(pause({ code: 'SlowDown', until: NOW + 900 })).toBeNull(); // COS throttled it
  expect(pause({ code: 'RUNS_ALONE', until: NOW + 900 })).toBeNull(); // the verification waits for a worker, not for the vendor
  expect(pause({}, { nextSlot: NOW + 1_000 })).toBeNull();
  expect(pause({}, { nextSlot: NOW + 1_001 })).toEqual({ by: 'rate', code: null, until: NOW + 1_001 });
});
