/**
 * Runs checks concurrently, each after the checks that it needs, each with its own time limit.
 *
 * What must hold:
 * 1. A check never stops another one: if it throws, only its own result is `fail`.
 * 2. A check is `skipped` if a check that it needs failed or was skipped. Its result names the other check.
 * 3. At the time limit the check's signal fires. A check that still has not ended shortly afterwards is given up.
 * 4. Results come in the order of the checks, not in the order in which they end.
 */

import { Failure } from '../../domain/errors/failure.ts';
import { explain } from '../../domain/errors/index.ts';

export type Status = 'ok' | 'warn' | 'fail' | 'skipped';

export interface Finding {
  readonly status: Status;
  /** One line, without links, secrets or paths. */
  readonly found: string;
  readonly advice?: string;
}

export interface Check {
  /** Dotted name. It is the same in every run, so that scripts may rely on it. */
  readonly name: string;
  /** Checks that must have succeeded first. A warning counts as success. */
  readonly needs?: readonly string[];
  /** Checks that must have ended first, with any result. */
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
/** Time for a check to clean up after its signal fired. */
const GRACE_MS = 6_000;

/** @param checks the checks to run, sorted so that each one comes after the checks that it names in `needs` and `after`. */
export async function runChecks(checks: readonly Check[]): Promise<CheckResult[]> {
  const results = new Map<string, Promise<CheckResult>>();
  const resultOf = (name: string) => {
    const result = results.get(name);
    if (result === undefined) throw new Error(`no check ${name} comes before this one`);
    return result;
  };
  for (const check of checks) {
    const needs = (check.needs ?? []).map(resultOf);
    const after = (check.after ?? []).map(resultOf);
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
  const unmet = needed.find(({ status }) => status === 'fail' || status === 'skipped');
  const { name } = check;
  if (unmet !== undefined) {
    const reason = unmet.status === 'fail' ? 'failed' : 'was skipped';
    return { name, status: 'skipped', found: `not checked: ${unmet.name} ${reason}`, advice: null };
  }
  const { status, found, advice } = await runWithLimit(check);
  return { name, status, found, advice: advice ?? null };
}

async function runWithLimit({ run, limitMs = LIMIT_MS }: Check): Promise<Finding> {
  const limit = new AbortController();
  const soft = setTimeout(() => limit.abort(new DOMException('', 'TimeoutError')), limitMs);
  let hard: NodeJS.Timeout | undefined;
  const givenUp = new Promise<Finding>((resolve) => {
    const found = `still running after ${Math.round((limitMs + GRACE_MS) / 1_000)} s`;
    const advice = 'Find what it waits for: a server that does not answer, or a network drive that is not reachable.';
    hard = setTimeout(() => resolve({ status: 'fail', found, advice }), limitMs + GRACE_MS);
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

/** An error as a finding, with the vendor's RequestId for a support ticket. @param context goes before the message. */
export function failed(error: unknown, context = ''): Finding {
  const prefix = context === '' ? '' : `${context}: `;
  if (!(error instanceof Failure)) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unexpected';
    return { status: 'fail', found: `${prefix}an error in this program or on this machine (${code})` };
  }
  const { code, message, requestId } = error;
  const ticket = requestId === undefined ? '' : ` (RequestId ${requestId})`;
  const words = explain(code)?.advice;
  const advice = words?.operator || words?.caller || undefined;
  const found = `${prefix}${code}: ${message}${ticket}`;
  return { status: 'fail', found, ...(advice === undefined ? {} : { advice }) };
}
