/** What calls of verifications cost at most, as text. */
import type { Prices } from '../../domain/operations/costs.ts';
import { MICROS } from '../../domain/verification/cost.ts';
import type { VerificationView } from '../../domain/verification/view.ts';

/** @returns the price of one call for each verification, e.g. `1.50 USD`; null without prices. */
export function priceText(prices: Prices | null, views: readonly Pick<VerificationView, 'action'>[]): string | null {
  if (prices === null) return null;
  const micros = views.reduce((sum, { action }) => sum + (prices.perCall[action] ?? 0), 0);
  return `${(micros / MICROS).toFixed(2)} ${prices.currency}`;
}
