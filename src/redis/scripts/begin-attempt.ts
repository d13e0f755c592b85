import { Failure } from '../../domain/errors/failure.ts';
import type { Lane } from '../../domain/verification/request.ts';
import type { Deployment } from '../deployment.ts';
import { type JournalRecord, readRecord } from '../record.ts';
import type { Admission } from './ask-admission.ts';
import { type AttemptRef, fencedKeys, gateKeys } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** What the attempt may do, see begin-attempt.lua. `sealed`: the record is sealed with a key that this process does not have. */
export type Verdict =
  | 'sealed'
  | 'lost'
  | 'missing'
  | 'terminal'
  | 'held'
  | 'wait'
  | 'poison'
  | 'expired'
  | 'hold_expired'
  | 'go';

/** The region's breakers when the attempt began. */
export interface BreakersSeen {
  readonly epoch: string;
  /** Dependencies whose breaker is open. */
  readonly open: readonly string[];
}

export interface AttemptStart {
  readonly verdict: Verdict;
  /** Redis's time, ms since 1970. */
  readonly now: number;
  /** For `wait` and `held`: ms until the attempt may run. For `go`: ms until it may ask for admission again; 0 = admitted. */
  readonly waitMs: number;
  readonly record: JournalRecord | null;
  /** The gate's current epoch. */
  readonly epoch: string;
  readonly breakers: BreakersSeen;
  /** The record's generation. It is known even if the record is sealed. */
  readonly generation: number;
}

export async function beginAttempt(
  deployment: Deployment,
  attempt: AttemptRef,
  { lane, crashBudget, admission }: { lane: Lane; crashBudget: number; admission: Admission },
): Promise<AttemptStart> {
  const { redis, names, sealer } = deployment;
  const { id, region, token, ats } = attempt;
  const { journal, lock, job } = fencedKeys(deployment, attempt);
  const { gate, admitted, express, sharing } = gateKeys(deployment, attempt);
  const reply = await runScript(
    redis,
    'begin-attempt',
    {
      ...{ journal, lock, job, gate, admitted, express, sharing },
      breakers: names.breakers(region),
      turns: names.turns(region),
    },
    { token, ats, id, lane, crashBudget, capacity: admission.capacity, holdMs: admission.holdMs },
  );
  const [verdict, now, waitMs, flat, epoch, breakersEpoch, open] = reply as [
    ...[Verdict, number, number, string[]],
    ...[string, string, string],
  ];
  const hash: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) hash[flat[i] ?? ''] = flat[i + 1] ?? '';
  const breakers = { epoch: breakersEpoch, open: open.split(' ').filter((name) => name !== '') };
  const start = { now, waitMs, epoch, breakers, generation: Number(hash.gen ?? 0) };
  try {
    return { ...start, verdict, record: readRecord(id, hash, sealer) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ...start, verdict: 'sealed', record: null };
  }
}
