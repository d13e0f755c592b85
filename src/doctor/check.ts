/**
 * Checks: run at once, each after those that it needs, each with a limit of its own.
 *
 * 1. A check never ends another one: what it throws is its own `fail`.
 * 2. One whose need is not met is `skipped`, and says which need.
 * 3. At its limit a check's signal fires; one that does not end then is given up a little later.
 * 4. Results come in the order of the checks, whichever ended first.
 */
import { explain } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export type Status = 'ok' | 'warn' | 'fail' | 'skipped';

export interface Finding {
  readonly status: Status;
  /** What was found, in one line, without links, secrets or paths. */
  readonly found: string;
  /** What to do. */
  readonly advice?: string;
}

export interface Check {
  /** Dotted, the same in every run: scripts may count on it. */
  readonly name: string;
  /** Checks that must not have failed. */
  readonly needs?: readonly string[];
  /** Checks that must have ended, however. */
  readonly after?: readonly string[];
  readonly limitMs?: number;
  run(signal: AbortSignal): Promise<Finding>;
}

export interface CheckResult {
  readonly name: string;
  readonly status: Status;
  readonly found: string;
  readonly advice: string | null;
}

const LIMIT_MS = 15_000;
/** For what a check still has to put away. */
const GRACE_MS = 6_000;

/** @param checks each behind those that it names. */
export async function runChecks(checks: readonly Check[]): Promise<CheckResult[]> {
  const results = new Map<string, Promise<CheckResult>>();
  const known = (name: string) => {
    const result = results.get(name);
    if (result === undefined) throw new Error(`there is no check ${name} before this one`);
    return result;
  };
  for (const check of checks) {
    const needs = (check.needs ?? []).map(known);
    const after = (check.after ?? []).map(known);
    results.set(check.name, runOne(check, needs, after));
  }
  return Promise.all(results.values());
}

async function runOne(
  check: Check,
  needs: readonly Promise<CheckResult>[],
  after: readonly Promise<CheckResult>[],
): Promise<CheckResult> {
  const [needed] = await Promise.all([Promise.all(needs), Promise.all(after)]);
  const missing = needed.find(({ status }) => status === 'fail' || status === 'skipped');
  const { name } = check;
  if (missing !== undefined) {
    const why = missing.status === 'fail' ? 'failed' : 'was skipped';
    return { name, status: 'skipped', found: `not looked at: ${missing.name} ${why}`, advice: null };
  }
  const { status, found, advice } = await finding(check);
  return { name, status, found, advice: advice ?? null };
}

async function finding({ run, limitMs = LIMIT_MS }: Check): Promise<Finding> {
  const limit = new AbortController();
  const soft = setTimeout(() => limit.abort(new DOMException('', 'TimeoutError')), limitMs);
  let hard: NodeJS.Timeout | undefined;
  const givenUp = new Promise<Finding>((resolve) => {
    const words = `no end after ${Math.round((limitMs + GRACE_MS) / 1_000)} s`;
    const advice = 'Look at what it waits for: a server that does not answer, a network drive that is away.';
    hard = setTimeout(() => resolve({ status: 'fail', found: words, advice }), limitMs + GRACE_MS);
  });
  try {
    return await Promise.race([run(limit.signal), givenUp]);
  } catch (error) {
    return failed(error);
  } finally {
    clearTimeout(soft);
    clearTimeout(hard);
  }
}

/** A failure in words, with the vendor's RequestId for a ticket. */
export function failed(error: unknown, found = ''): Finding {
  const before = found === '' ? '' : `${found}: `;
  if (!(error instanceof Failure)) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unexpected';
    return { status: 'fail', found: `${before}an error of this program or this machine (${code})` };
  }
  const { code, message, requestId } = error;
  const ticket = requestId === undefined ? '' : ` (RequestId ${requestId})`;
  const advice = explain(code)?.advice;
  const words = `${before}${code}: ${message}${ticket}`;
  return { status: 'fail', found: words, ...(advice === undefined ? {} : { advice }) };
}
