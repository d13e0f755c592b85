/** The verifications that fit the filter of a list: a page of them, or all. */
import { describeFilter, matchesFilter } from '../../domain/verification/filter.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { readViews } from '../../redis/read-view.ts';
import type { ListFilter } from './filter.ts';
import { clientOf, findNamed } from './lookup.ts';
import type { SiteTools } from './site-tools.ts';

const READ = 200;

interface Page {
  readonly verifications: readonly VerificationView[];
  readonly cursor: string | null;
}

export async function readPage(
  tools: SiteTools,
  list: ListFilter,
  range: { cursor: string | undefined; limit: number },
): Promise<Page> {
  const { filter } = list;
  const named = await findNamed(tools, list);
  if (named === null) return clientOf(tools, list.tenant).page({ ...filter, ...range });
  const { ended } = filter;
  const matching = named.filter(
    (view) => matchesFilter(view, filter) && (ended === undefined || isTerminal(view.state) === ended),
  );
  return { verifications: matching, cursor: null };
}

/** The filter in words, for the audit log and for a plan. A key or subject is not written: it may name a person. */
export function wordsOf({ filter, tenant, id, key, subject }: ListFilter): string {
  const { ended, ...rest } = filter;
  const more = [
    ...(ended === undefined ? [] : [ended ? 'ended' : 'not ended']),
    ...(tenant === null ? [] : [`tenant ${tenant}`]),
    ...(id === null ? [] : ['one id']),
    ...(key === null ? [] : ['one key']),
    ...(subject === null ? [] : ['one subject']),
  ];
  return [describeFilter(rest), ...more].join(', ');
}

/** All that match, newest first, up to a limit. A verification that ends meanwhile may move, so repeated ids are left out. */
export async function* everyView(tools: SiteTools, list: ListFilter, most: number): AsyncGenerator<VerificationView> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await readPage(tools, list, { cursor, limit: READ });
    for (const view of page.verifications) {
      if (seen.has(view.id)) continue;
      seen.add(view.id);
      yield view;
      if (seen.size >= most) return;
    }
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
}

/** The views of those that exist. */
export async function viewsOf({ deployment }: SiteTools, ids: readonly string[]): Promise<VerificationView[]> {
  return (await readViews(deployment, ids)).flatMap((view) => view ?? []);
}
