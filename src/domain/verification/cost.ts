/** Inside Bestframe, amounts are whole millionths of a currency unit. In Bestframe's answers, amounts are decimal numbers. */
export const MICROS = 1_000_000;

/** Amounts in one currency, as decimal numbers. */
export interface Cost {
  /** ISO 4217. @example 'USD' */
  readonly currency: string;
  readonly paid: number;
  readonly possiblyPaid: number;
}
