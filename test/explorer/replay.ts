/** Repeats a schedule, and formats one as a test. */
import type { Redis } from 'ioredis';
import { Explorer, type Found, prefixFor } from './engine.ts';
import type { Violation } from './invariants.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import type { TextChange } from './snapshot.ts';

export class BrokenPromise extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(`${violation.invariant}: ${violation.what}`);
    this.name = 'BrokenPromise';
    this.violation = violation;
  }
}

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario “${name}”: see test/explorer/scenarios.ts`);
  return scenario;
}

/**
 * Takes the steps of a schedule, in order. Then removes all actors, and checks that everything that must happen still happens.
 *
 * @throws BrokenPromise as soon as a promise is broken; Error if a step is not possible
 */
export async function replay(
  redis: Redis,
  scenario: string,
  schedule: readonly string[],
  changes: readonly TextChange[] = [],
): Promise<void> {
  const prefix = prefixFor(`replay-${process.pid}`, scenario + JSON.stringify([schedule, changes]));
  const explorer = await Explorer.open(scenarioNamed(scenario), { redis, prefix, changes });
  try {
    let state = await explorer.first();
    for (const [index, name] of schedule.entries()) {
      const enabled = explorer.enabled(state);
      const step = enabled.find((each) => each.name === name);
      if (step === undefined) throw new Error(notPossible(index, name, enabled));
      const taken = await explorer.take(state, step);
      if (taken.violation !== null) throw new BrokenPromise(taken.violation);
      state = taken.state;
    }
    const violation = await explorer.finish(state);
    if (violation !== null) throw new BrokenPromise(violation);
  } finally {
    await explorer.end();
  }
}

function notPossible(index: number, name: string, enabled: readonly { name: string }[]): string {
  const others = enabled.map((step) => `“${step.name}”`).join(', ');
  return `step ${index + 1}, “${name}”, is not possible: choose one of ${others}`;
}

/** A schedule as a test, to be pasted into test/integration/explorer.test.ts. */
export function asTest(scenario: string, { violation, steps }: Found): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return [
    `it(${quoted(`${violation.invariant}: ${violation.what}`)}, async () => {`,
    `  await replay(redis, ${quoted(scenario)}, [`,
    ...steps.map((step) => `    ${quoted(step)},`),
    '  ]);',
    '});',
  ].join('\n');
}
