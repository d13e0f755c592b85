/** Runs before each test file. */
import fc from 'fast-check';
import { SEED } from './forms.ts';

fc.configureGlobal({ seed: SEED });
