/**
 * Some tests have two forms. The short form is part of `npm test`. The long form tries more cases of the same kind; `npm run
 * test:long` runs the files that import this one.
 *
 * Random cases are the same in each short run, so that a run on unchanged code has the same result. A long run draws new ones.
 */

const isLong = process.env.BESTFRAME_TEST_LONG === '1';
const MAX_SEED = 1_000_000;

/** Where random cases begin. BESTFRAME_TEST_SEED repeats a run: a failure prints its seed. Default: 1, or random in a long run. */
export const SEED = Number(process.env.BESTFRAME_TEST_SEED ?? inForm({ short: 1, long: Date.now() % MAX_SEED }));

/** @returns the size of the form that runs */
export function inForm<T>({ short, long }: { readonly short: T; readonly long: T }): T {
  return isLong ? long : short;
}
