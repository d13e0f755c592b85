/**
 * Lists verifications a page at a time: those of one tenant, by the time of their claim, or those of all tenants. The latter come in two
 * parts, because each index has its own time: first the live ones by the time of their claim, then the ended ones by their end.
 *
 * A page reads a bounded number of records, whatever the filter. If few records match the filter, a page may be short or even
 * empty, but its cursor still leads to the next page.
 */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { matchesFilter, mayMatch, type VerificationFilter } from '../../domain/verification/filter.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { type IndexEntry, newestEntries, newestIds, tenantEntries } from '../../redis/indexes.ts';
import { readPlainFacts } from '../../redis/plain-facts.ts';
import { type ListOptions, MAX_PER_PAGE, type PageFilter, type PageOf } from '../contract.ts';
import type { Store } from './store.ts';

const MAX_READ = 1_000;
const BATCH = 200;
/** The newest verifications among which `tenantList` looks. */
const MAX_LIST_READ = 10_000;
const CURSOR = /^([le]?)(\d{1,15})\.(v[0-9a-z]{25})$/;

/** The last entry of a page, and the index from which it was read. */
interface Position extends IndexEntry {
  /** `l`: live, `e`: ended, both of all tenants; empty: the index of one tenant. */
  readonly index: 'l' | 'e' | '';
}

/** `ended` as in `list`: true for ended verifications only, false for live ones only. */
export type StoredPageFilter = PageFilter & Pick<ListOptions, 'ended'>;

/** @throws Failure INVALID_VERIFICATION if the cursor is not one of this list */
export async function pageOf(store: Store, filter: StoredPageFilter): Promise<PageOf<VerificationView>> {
  const limit = Math.min(filter.limit ?? 50, MAX_PER_PAGE);
  const after = filter.cursor === undefined ? null : readCursor(store, filter.cursor);
  const found: VerificationView[] = [];
  let last: Position | null = null;
  let read = 0;
  await store.ready();
  const ended = filter.ended ?? (filter.state === undefined ? undefined : isTerminal(filter.state));
  for await (const entries of entriesAfter(store, after, { ended, batch: isFilter(filter) ? BATCH : limit + 1 })) {
    const candidates = await candidatesOf(store, entries, { filter, limit: limit - found.length });
    for (const entry of entries) {
      const view = candidates.get(entry.id);
      if (found.length === limit || read === MAX_READ || view === 'unread')
        return { verifications: found, cursor: cursorOf(last) };
      if (view != null && isEither(view, filter.ended) && matchesFilter(view, filter)) found.push(view);
      last = entry;
      read += 1;
    }
  }
  return { verifications: found, cursor: null };
}

function isFilter({ limit: _limit, cursor: _cursor, ended: _ended, ...filter }: StoredPageFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/**
 * Views of the entries that may match. Before views are read, entries are sorted out by a few fields of their records, because a view
 * costs ten times as much. If the reason does not count, only `limit` views are read; the others are `unread`.
 */
async function candidatesOf(
  store: Store,
  entries: readonly IndexEntry[],
  { filter, limit }: { filter: StoredPageFilter; limit: number },
): Promise<Map<string, VerificationView | null | 'unread'>> {
  const { limit: _limit, cursor: _cursor, ended: _ended, ...wanted } = filter;
  const all = entries.map(({ id }) => id);
  const ids = isFilter(filter) ? await fitting(store, all, wanted) : all;
  const isByReason = filter.code !== undefined || filter.class !== undefined;
  const chosen = isByReason ? ids : ids.slice(0, limit);
  const views = await store.views(chosen);
  return new Map(ids.map((id, index) => [id, index < chosen.length ? (views[index] ?? null) : 'unread']));
}

async function fitting(store: Store, ids: readonly string[], filter: VerificationFilter): Promise<string[]> {
  const facts = await store.command(readPlainFacts(store.deployment, ids));
  return ids.filter((_, index) => {
    const known = facts[index] ?? null;
    return known !== null && mayMatch(known, filter);
  });
}

/** The newest verifications: of one tenant, or the newest live and the newest ended ones of all. */
export async function newestViews(store: Store, ended: boolean | undefined, most: number): Promise<VerificationView[]> {
  await store.ready();
  if (store.tenant !== null) return tenantList(store, ended, most);
  const which = ended === undefined ? 'all' : ended ? 'ended' : 'live';
  const ids = await store.command(newestIds(store.deployment, which, most));
  const views = await store.views(ids);
  return views
    .flatMap((view) => view ?? [])
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
    .slice(0, most);
}

/** A tenant's newest verifications. Only the tenant's own index is read, so no other tenant's verifications displace them. */
async function tenantList(store: Store, ended: boolean | undefined, limit: number): Promise<VerificationView[]> {
  const found: VerificationView[] = [];
  let read = 0;
  for await (const entries of entriesAfter(store, null)) {
    const views = (await store.views(entries.map(({ id }) => id))).flatMap((view) => view ?? []);
    found.push(...views.filter((view) => isEither(view, ended)));
    read += entries.length;
    if (found.length >= limit || read >= MAX_LIST_READ) break;
  }
  return found.slice(0, limit);
}

/**
 * Entries after a given one, newest first. Entries of the same millisecond are sorted by id.
 * @param ended skips the index of the others, if each has its own
 * @param batch how many to read at a time
 */
async function* entriesAfter(
  store: Store,
  after: Position | null,
  { ended, batch = BATCH }: { ended?: boolean | undefined; batch?: number } = {},
): AsyncGenerator<Position[]> {
  const { tenant, deployment } = store;
  for (const index of tenant === null ? sharedIndexes(after, ended) : ([''] as const)) {
    const start = after?.index === index ? after : null;
    for (let offset = 0; ; offset += batch) {
      const range = { from: start?.at ?? null, offset, limit: batch };
      const entries = await store.command(
        tenant === null
          ? newestEntries(deployment, index === 'l' ? 'live' : 'ended', range)
          : tenantEntries(deployment, tenant, range),
      );
      if (entries.length === 0) break;
      yield entries
        .filter(({ id, at }) => start === null || at < start.at || id < start.id)
        .map((entry) => ({ ...entry, index }));
    }
  }
}

function sharedIndexes(after: Position | null, ended: boolean | undefined): ('l' | 'e')[] {
  const left: ('l' | 'e')[] = after?.index === 'e' ? ['e'] : ['l', 'e'];
  return left.filter((index) => ended === undefined || (index === 'e') === ended);
}

function isEither({ state }: VerificationView, ended: boolean | undefined): boolean {
  return ended === undefined || isTerminal(state) === ended;
}

function cursorOf(position: Position | null): string | null {
  return position === null ? null : `${position.index}${position.at}.${position.id}`;
}

function readCursor({ tenant }: Store, cursor: string): Position {
  const [, index, at, id] = CURSOR.exec(cursor) ?? [];
  if (at !== undefined && id !== undefined && (index === '') === (tenant !== null))
    return { index: index as Position['index'], id, at: Number(at) };
  const message = 'cursor is not valid: give the cursor of the page before, or leave it out';
  throw inputFailure(CODES.INVALID_VERIFICATION, 'cursor', message);
}
