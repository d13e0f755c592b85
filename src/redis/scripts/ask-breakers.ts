import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Dependencies whose calls succeeded. The next write to the journal counts these successes. */
export interface Passed {
  readonly dependencies: readonly string[];
  /** Length of a counting window. */
  readonly windowMs: number;
}

export function passedArgs(passed: Passed | undefined) {
  return { passed: (passed?.dependencies ?? []).join(' '), windowMs: passed?.windowMs ?? 0 };
}

/** `wait`: `dependency` is down because of `code`. `go`: the verification may go on, and probes the dependencies in `probes`. */
export type BreakersAnswer =
  | { readonly kind: 'wait'; readonly waitMs: number; readonly dependency: string; readonly code: string }
  | { readonly kind: 'go'; readonly probes: readonly string[] };

/** @param mayProbe if false, other verifications probe first. */
export async function askBreakers(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { id, region }: { id: string; region: Region },
  dependencies: readonly string[],
  mayProbe: boolean,
): Promise<BreakersAnswer> {
  const keys = { breakers: names.breakers(region) };
  const reply = await runScript(redis, 'ask-breakers', keys, { id, mayProbe: mayProbe ? 1 : 0, dependencies });
  const [waitMs, dependency, code, ...probes] = reply as [number, string, string, ...string[]];
  return waitMs > 0 ? { kind: 'wait', waitMs, dependency, code } : { kind: 'go', probes };
}
