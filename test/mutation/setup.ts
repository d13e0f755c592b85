/**
 * Deactivates the thread's last mutant, so that it is not active while the test files of the next one load. Property tests draw
 * the same inputs for every mutant.
 */
import fc from 'fast-check';
import { inject } from 'vitest';

const stryker = Reflect.get(globalThis, '__stryker__') as { activeMutant?: string | undefined } | undefined;
if (stryker !== undefined && inject('mutantActivation' as never) !== 'static') stryker.activeMutant = undefined;
fc.configureGlobal({ seed: 1 });
