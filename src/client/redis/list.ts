/**
 * Lists a tenant's verifications, a page at a time.
 *
 * A page reads a bounded number of records, whatever the filter. If few records match the filter, a page may be short or even
 * empty, but its cursor still leads to the next page.
 */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { type IndexEntry, tenantEntries } from '../../redis/indexes.ts';
import { MAX_PER_PAGE, type PageFilter, type PageOf } from '../contract.ts';
import type { Store } from './store.ts';

const MAX_READ = 1_000;
const BATCH = 200;
/** The newest verifications among which `tenantList` looks. */
const MAX_LIST_READ = 10_000;
const CURSOR = /^(\d{1,15})\.(v[0-9a-z]{25})$/;

/** @throws Failure INVALID_SETTINGS if the client has no tenant: only a tenant's verifications have an index for pages. */
export async function tenantPage(store: Store, filter: PageFilter): Promise<PageOf<VerificationView>> {
  const { tenant } = store;
  if (tenant === null)
    throw inputFailure(CODES.INVALID_SETTINGS, 'tenant', 'tenant is missing: pages are of one tenant');
  const limit = Math.min(filter.limit ?? 50, MAX_PER_PAGE);
  const after = filter.cursor === undefined ? null : readCursor(filter.cursor);
  const found: VerificationView[] = [];
  let last: IndexEntry | null = null;
  let read = 0;
  await store.ready();
  for await (const entries of entriesAfter(store, tenant, after)) {
    const views = await store.views(entries.map(({ id }) => id));
    for (const [index, entry] of entries.entries()) {
      if (found.length === limit || read === MAX_READ) return { verifications: found, cursor: cursorOf(last) };
      const view = views[index] ?? null;
      if (view !== null && matches(view, filter)) found.push(view);
      last = entry;
      read += 1;
    }
  }
  return { verifications: found, cursor: null };
}

/** A tenant's newest verifications. Only the tenant's own index is read, so no other tenant's verifications displace them. */
export async function tenantList(
  store: Store,
  tenant: string,
  which: 'live' | 'ended' | 'all',
  limit: number,
): Promise<VerificationView[]> {
  const found: VerificationView[] = [];
  let read = 0;
  for await (const entries of entriesAfter(store, tenant, null)) {
    const views = (await store.views(entries.map(({ id }) => id))).flatMap((view) => view ?? []);
    found.push(...views.filter(({ state }) => which === 'all' || isTerminal(state) === (which === 'ended')));
    read += entries.length;
    if (found.length >= limit || read >= MAX_LIST_READ) break;
  }
  return found.slice(0, limit);
}

/** Entries after a given one, newest first. Entries of the same millisecond are sorted by id. */
async function* entriesAfter(store: Store, tenant: string, after: IndexEntry | null): AsyncGenerator<IndexEntry[]> {
  const from = after === null ? null : after.at;
  for (let offset = 0; ; offset += BATCH) {
    const entries = await store.command(tenantEntries(store.deployment, tenant, { from, offset, limit: BATCH }));
    if (entries.length === 0) return;
    yield entries.filter(({ id, at }) => after === null || at < after.at || id < after.id);
  }
}

function matches({ state, region }: VerificationView, filter: PageFilter): boolean {
  if (filter.state !== undefined && filter.state !== state) return false;
  return filter.region === undefined || filter.region === region;
}

function cursorOf(entry: IndexEntry | null): string | null {
  return entry === null ? null : `${entry.at}.${entry.id}`;
}

function readCursor(cursor: string): IndexEntry {
  const [, at, id] = CURSOR.exec(cursor) ?? [];
  if (at !== undefined && id !== undefined) return { id, at: Number(at) };
  const message = 'cursor is not valid: give the cursor of the page before, or leave it out';
  throw inputFailure(CODES.INVALID_VERIFICATION, 'cursor', message);
}
