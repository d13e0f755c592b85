/**
 * Tests of the simulator: without one protection of the scripts, a short day must break the promise that it protects. If a `find`
 * text no longer occurs in a script, the day does not start: update the entry.
 */
import type { TextChange } from '../explorer/snapshot.ts';
import type { Options } from './simulation.ts';

export interface Protection {
  readonly name: string;
  readonly changes: readonly TextChange[];
  readonly breaks: string;
  readonly day: Pick<Options, 'seed' | 'verifications' | 'hours' | 'faults'>;
}

const SHORT = { seed: 1, verifications: 120, hours: 0.1, faults: 10 };

const protection = (name: string, [find, put]: readonly [string, string], breaks: string): Protection => ({
  ...{ name, breaks, changes: [{ find, put }], day: SHORT },
});

export const PROTECTIONS: readonly Protection[] = [
  protection(
    'checking for an existing verification when claiming',
    ['if known then return', 'if false then return'],
    'I9',
  ),
  protection('the intent', ["redis.call('HSET', journalKey, 'open', cjson.encode(intent), unpack(fields))", ''], 'I2'),
  protection(
    'booking a call before it is made',
    ['book(ledger, { maybe = 1 })\nif showPeriods', 'if showPeriods'],
    'I17',
  ),
];
