/** How exactly a worker knows the clock of Redis, for tests that compare times of both. */
import { AHEAD_MS } from '../../src/pipeline/gate.ts';
import { LUA } from '../../src/redis/scripts/lua.ts';
import type { ScriptRun } from './script-trace.ts';

/** Redis and the emulator report times in whole milliseconds. */
const ROUNDING_MS = 2;
/** The position of `aheadMs` in the script's arguments: `AHEAD_MS` and twice the worker's fastest round trip to Redis. */
const AHEAD_MS_AT = LUA['declare-intent'].args.indexOf('aheadMs');

/** @returns the largest error of a worker's estimate of Redis's clock: rounding, and half of the worker's fastest round trip. */
export function clockErrorMs(runs: readonly ScriptRun[]): number {
  const declared = runs.filter(({ name }) => name === 'declare-intent');
  const travelMs = declared.map(({ args }) => Number(args[AHEAD_MS_AT]) - AHEAD_MS);
  return ROUNDING_MS + Math.max(...travelMs) / 4;
}
