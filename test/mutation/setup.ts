/**
 * Deactivates the thread's last mutant, so that it is not active while the test files of the next one load.
 */
import { inject } from 'vitest';

const stryker = Reflect.get(globalThis, '__stryker__') as { activeMutant?: string | undefined } | undefined;
if (stryker !== undefined && inject('mutantActivation' as never) !== 'static') stryker.activeMutant = undefined;
