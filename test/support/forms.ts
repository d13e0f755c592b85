/**
 * Some tests have two forms. The short form is part of `npm test`. The long form tries more cases of the same kind; `npm run
 * test:long` runs the files that import this one.
 */

const isLong = process.env.BESTFRAME_TEST_LONG === '1';

/** @returns the size of the form that runs */
export function inForm<T>({ short, long }: { readonly short: T; readonly long: T }): T {
  return isLong ? long : short;
}
