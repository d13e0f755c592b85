/**
 * Many at once: a tenant's verifications, a page at a time, and where each of some ids stands.
 *
 * A page looks at a bounded number of records, whatever the filter: one that finds few may be short, or empty, and still have
 * a cursor that goes on.
 */
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';
import { isTerminal, type State } from '../domain/states.ts';
import type { VerificationView } from '../domain/view.ts';
import { redisFailure } from '../queue/connection.ts';
import type { PageOf } from './bestframe.ts';
import type { Store } from './store.ts';

export interface PageFilter {
  readonly state?: State | undefined;
  readonly region?: Region | undefined;
  /** Default 50, at most 200. */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

export type Page = PageOf<VerificationView>;

export type Standing = 'goes on' | 'ended' | 'erased' | 'missing';

export const MOST_PER_PAGE = 200;
const LOOKED_AT = 1_000;
const AT_ONCE = 200;
const CURSOR = /^(\d{1,15})\.(v[0-9a-z]{25})$/;

/** @throws Failure INVALID_SETTINGS without a tenant: nobody else has such an index. */
export async function pageOf(store: Store, filter: PageFilter): Promise<Page> {
  if (store.tenant === null)
    throw inputFailure(CODES.INVALID_SETTINGS, 'tenant', 'tenant is missing: pages are of one tenant');
  const limit = Math.min(filter.limit ?? 50, MOST_PER_PAGE);
  const after = filter.cursor === undefined ? null : readCursor(filter.cursor);
  const found: VerificationView[] = [];
  let last: Place | null = null;
  let looked = 0;
  await store.ready();
  for await (const places of placesOf(store, store.names.tenant(store.tenant), after)) {
    const views = await store.views(places.map(({ id }) => id));
    for (const [index, place] of places.entries()) {
      if (found.length === limit || looked === LOOKED_AT) return { verifications: found, cursor: cursorOf(last) };
      const view = views[index] ?? null;
      if (view !== null && fits(view, filter)) found.push(view);
      last = place;
      looked += 1;
    }
  }
  return { verifications: found, cursor: null };
}

/** Of what is not there, that it is not; of what others have, what is: whoever keeps their files asks. */
export async function standingOf(store: Store, ids: readonly string[]): Promise<Standing[]> {
  if (ids.length === 0) return [];
  const pipeline = store.redis.pipeline();
  for (const id of ids) pipeline.hmget(store.names.journal(id), 'state', 'erased');
  const replies = (await store.command(pipeline.exec())) ?? [];
  return replies.map(([error, fields]) => {
    if (error !== null) throw redisFailure(error);
    const [state, erased] = fields as [State | null, string | null];
    if (erased !== null) return 'erased';
    if (state === null) return 'missing';
    return isTerminal(state) ? 'ended' : 'goes on';
  });
}

interface Place {
  readonly id: string;
  /** When it was claimed, ms since 1970. */
  readonly at: number;
}

/** Newest first, those of one millisecond by their ids, from behind a place on. */
async function* placesOf(store: Store, index: string, after: Place | null): AsyncGenerator<Place[]> {
  const from = after === null ? '+inf' : after.at;
  for (let offset = 0; ; offset += AT_ONCE) {
    const range = store.redis.zrevrangebyscore(index, from, '-inf', 'WITHSCORES', 'LIMIT', offset, AT_ONCE);
    const flat = await store.command(range);
    const places = flat.flatMap((id, at) => (at % 2 === 0 ? [{ id, at: Number(flat[at + 1]) }] : []));
    if (places.length === 0) return;
    yield places.filter(({ id, at }) => after === null || at < after.at || id < after.id);
  }
}

function fits({ state, region }: VerificationView, filter: PageFilter): boolean {
  if (filter.state !== undefined && filter.state !== state) return false;
  return filter.region === undefined || filter.region === region;
}

function cursorOf(place: Place | null): string | null {
  return place === null ? null : `${place.at}.${place.id}`;
}

function readCursor(cursor: string): Place {
  const [, at, id] = CURSOR.exec(cursor) ?? [];
  if (at !== undefined && id !== undefined) return { id, at: Number(at) };
  const message = 'cursor is not one of ours: give the cursor of the page before, or leave it out';
  throw inputFailure(CODES.INVALID_VERIFICATION, 'cursor', message);
}
