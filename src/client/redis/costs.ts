/** The ledger of paid calls, as a client reads it. */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { type CostSum, dayAt, daysOf, sumCosts } from '../../domain/operations/costs.ts';
import { readCosts, readLedgerDay } from '../../redis/costs.ts';
import type { CostFilter } from '../contract.ts';
import type { Store } from './store.ts';

export async function costSums(store: Store, { by = 'day', ...range }: CostFilter): Promise<CostSum[]> {
  await store.ready();
  const { deployment, tenant } = store;
  const utc = dayAt(Date.now());
  const booked = await store.command(readLedgerDay(deployment)); // a deployment east of UTC may be a day ahead
  const days = daysOf(range, booked !== null && booked > utc ? booked : utc);
  if (days === null) {
    const message = 'since and until are no days: write 2026-11-01, since no later than until, 400 days at most';
    throw inputFailure(CODES.MALFORMED_REQUEST, 'since', message);
  }
  return sumCosts(await store.command(readCosts(deployment, days, tenant ?? undefined)), by);
}
