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
