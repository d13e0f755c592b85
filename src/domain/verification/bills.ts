/** What a history says about the bill of each call. */
import { MICROS } from './cost.ts';
import type { HistoryEntry } from './history.ts';
import type { StageName } from './states.ts';

/** The price of a call as histories show it. @example '0.15 USD' */
export function priceText({ currency, micros }: { readonly currency: string; readonly micros: number }): string {
  return `${micros / MICROS} ${currency}`;
}

/**
 * Says of each call without an answer that it may be billed. This is not stored, because an answer may still come: then a later entry of
 * the same call says how it is billed. The same holds for a decision that was recovered from a receipt. A receipt names no call, so it
 * answers the earliest one.
 * @param priceOf the price of a stage's call, as '0.15 USD'; undefined if there is none.
 */
export function withPossibleBills(
  history: readonly HistoryEntry[],
  priceOf: (stage: StageName | undefined) => string | undefined,
): readonly HistoryEntry[] {
  const isAnswered = (call: string | undefined, index: number) =>
    call !== undefined && history.slice(index + 1).some((later) => later.call === call);
  const unanswered = history.filter(({ event, call }, index) => event === 'unknown' && !isAnswered(call, index));
  const isAdopted = history.some(({ event }) => event === 'adopted');
  const open = new Set(unanswered.slice(isAdopted ? 1 : 0));
  if (open.size === 0) return history;
  return history.map((entry) => {
    if (!open.has(entry)) return entry;
    const cost = priceOf(entry.stage);
    return { ...entry, possiblyBilled: true, ...(cost === undefined ? {} : { cost }) };
  });
}
