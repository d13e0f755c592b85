/**
 * One attempt's use of the breakers: the attempt checks them before its first stage, reports trouble with a dependency at once,
 * and counts successful calls together with its next journal write.
 *
 * What must hold: while no dependency is in trouble, no script call is made for breakers alone.
 */
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, failureCode } from '../domain/errors/index.ts';
import { type BreakerTuning, dependencyKind, mayBeOwnTrouble } from '../domain/operations/breakers.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { Deployment } from '../redis/deployment.ts';
import { askBreakers, type Passed } from '../redis/scripts/ask-breakers.ts';
import type { BreakersSeen } from '../redis/scripts/begin-attempt.ts';
import { endProbes } from '../redis/scripts/end-probes.ts';
import { reportTrouble, type TroubleAnswer } from '../redis/scripts/report-trouble.ts';
import type { RunLog } from './run-log.ts';

/** Thrown if the breaker of a dependency is open. `waitMs`: how long to wait before the breaker is asked again. */
export class DependencyDown extends Error {
  readonly dependency: string;
  readonly waitMs: number;

  constructor(dependency: string, waitMs: number) {
    super(`${dependencyKind(dependency)} is down`);
    this.name = 'DependencyDown';
    this.dependency = dependency;
    this.waitMs = waitMs;
  }
}

export interface BreakersOptions {
  readonly deployment: Deployment;
  readonly id: string;
  readonly region: Region;
  readonly tuning: BreakerTuning;
  readonly seen: BreakersSeen;
  readonly log: RunLog;
}

export class Breakers {
  readonly #options: BreakersOptions;
  readonly #passed = new Set<string>();
  /** Dependencies with an open breaker that this attempt probes. */
  readonly #probing = new Set<string>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /**
   * @param mayProbe whether this attempt may probe an open breaker of FaceID.
   * @throws DependencyDown if a needed breaker is open and this attempt does not probe that breaker.
   */
  async ask(needed: readonly string[], mayProbe: boolean): Promise<void> {
    const { deployment, seen } = this.#options;
    const open = needed.filter((each) => seen.open.includes(each));
    if (open.length === 0) return;
    const risky = open.some((each) => each.startsWith('faceid:'));
    const answer = await askBreakers(deployment, this.#options, open, mayProbe || !risky);
    if (answer.kind === 'wait') throw new DependencyDown(answer.dependency, answer.waitMs);
    for (const each of answer.probes) this.#probing.add(each);
  }

  /** Notes that calls to these dependencies succeeded. The next journal write counts the successes. */
  pass(dependencies: readonly string[]): void {
    for (const each of dependencies) this.#passed.add(each);
  }

  /** Returns the dependencies that worked since the previous `takePassed`, for the journal write that counts them. */
  takePassed(): Passed {
    const { tuning, log } = this.#options;
    const dependencies = [...this.#passed];
    this.#passed.clear();
    for (const each of dependencies) if (this.#probing.delete(each)) log.breaker('closed', each, null);
    return { dependencies, windowMs: tuning.windowMs };
  }

  /** @param failure a failure that shows trouble of its dependency. */
  async report(failure: Failure): Promise<TroubleAnswer> {
    const { deployment, tuning, seen, log } = this.#options;
    const { dependency = '' } = failure;
    const code = failureCode(failure);
    const trouble = { dependency, code, epoch: seen.epoch, spread: 0.75 + Math.random() / 2 };
    const answer = await reportTrouble(deployment, this.#options, trouble, tuning);
    this.#probing.delete(dependency);
    if (answer.verdict === 'opened' || answer.verdict === 'probed') log.breaker(answer.verdict, dependency, code);
    return answer.verdict === 'counts' && !mayBeOwnTrouble(failure) ? { ...answer, verdict: 'shared' } : answer;
  }

  /** Call at the end of the attempt. Gives up the probes that the attempt did not make, so that other attempts may make them. */
  async end(): Promise<void> {
    if (this.#probing.size === 0) return;
    const passed = this.takePassed();
    await endProbes(this.#options.deployment, this.#options, passed, [...this.#probing]);
  }
}

/** The failure that is recorded while a verification waits for an open breaker. */
export function dependencyDown(dependency: string): Failure {
  const message = `${dependencyKind(dependency)} is down: the verification waits until it works again`;
  return localFailure(CODES.DEPENDENCY_DOWN, message, { dependency });
}
