/** A figure: one question about the speed of Bestframe, and how it is answered. */
import type { BenchEnvironment } from './environment.ts';

export interface Figure {
  readonly name: string;
  /** What is compared with what. */
  readonly about: string;
  /** The values, in the order in which they are shown. Values without a goal are shown beside the others. */
  readonly values: readonly Value[];
  /** How long one sample takes, in seconds: by default, and with `--quick`. */
  readonly seconds: { readonly usual: number; readonly quick: number };
  /** @returns a number for each value. */
  measure(environment: BenchEnvironment, seconds: number): Promise<Readonly<Record<string, number>>>;
}

export interface Value {
  readonly name: string;
  readonly unit: '×' | 'ms' | '/s' | 'MB' | '%' | '';
  readonly goal?: { readonly atMost: number } | { readonly atLeast: number };
}

/** The median of some samples, with their spread. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly n: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), n: samples.length };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [below = Number.NaN, above = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (below + above) / 2;
}

/** How long a measurement is repeated. */
export interface Repetition {
  /** The first rounds, while code is compiled and connections are opened, are not counted. */
  readonly warm: number;
  /** At least so many rounds are counted. */
  readonly least: number;
  readonly seconds: number;
}

/**
 * Repeats a round of a measurement.
 * @param run measures both sides once, the other one first if `reversed`. It alternates, so that neither side always runs first.
 * @returns the results of the rounds that count
 */
export async function repeat<T>({ warm, least, seconds }: Repetition, run: (reversed: boolean) => Promise<T>) {
  const results: T[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let round = 0; round < warm + least || performance.now() < end; round += 1) {
    if (round === warm) end = performance.now() + seconds * 1_000;
    results.push(await run(round % 2 === 1));
  }
  return results.slice(warm);
}
