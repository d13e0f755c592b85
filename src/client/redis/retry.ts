/**
 * Retries ended verifications. A dry run and a real retry begin with the same steps: the script `retry-ended` plans, and the
 * files are checked. Only a real retry then calls the script a second time, to write.
 */
import { inspectFile } from '../../adapters/storage/file-source.ts';
import { Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import {
  RETRY_LANE,
  type RetryRequest,
  type RetryResult,
  type RetryStatus,
  retryProblem,
} from '../../domain/operations/retries.ts';
import { isSelected } from '../../domain/operations/retry-selection.ts';
import { resourcesOf } from '../../domain/verification/actions.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { readClock } from '../../redis/clock.ts';
import { endedSince, type IndexEntry, tenantEntries } from '../../redis/indexes.ts';
import { RESUME_PRIORITY } from '../../redis/job-options.ts';
import { readPresence } from '../../redis/read-records.ts';
import { type RetryPlan, retryEnded } from '../../redis/scripts/retry-ended.ts';
import { verifyJob } from '../../redis/verify-queue.ts';
import type { RetryPage, RetryPageRequest } from '../retry-pages.ts';
import { receiptOf } from './erasure.ts';
import type { Store } from './store.ts';

/**
 * A page reads at most this many records. If few records match, the page is short, but its cursor still leads to the next page.
 */
const MAX_READ = 1_000;
const BATCH = 200;
const CURSOR = /^(\d{1,15})\.(\d{1,15})\.(v[0-9a-z]{25})$/;

/** The last entry that was read, and the time at which the selection began: verifications that end later are not selected. */
interface Position {
  readonly after: IndexEntry | null;
  readonly until: number;
}

/**
 * @param fileRoots folders in which files are checked; undefined: files are not checked.
 * @throws Failure MALFORMED_REQUEST, naming the field
 */
export async function retryPage(
  store: Store,
  request: RetryPageRequest,
  fileRoots: readonly string[] | undefined,
): Promise<RetryPage> {
  const wrong = retryProblem(request);
  if (wrong !== null) throw inputFailure(CODES.MALFORMED_REQUEST, wrong.field, wrong.problem);
  await store.ready();
  const { ids } = request;
  const found = ids === undefined ? await selectPage(store, request) : { ids: [...new Set(ids)], cursor: null };
  const results: RetryResult[] = [];
  const views = await store.views(found.ids);
  for (const [index, id] of found.ids.entries()) {
    const view = views[index] ?? null;
    const status = view === null ? await absence(store, id) : await retryOne(store, view, request, fileRoots);
    results.push({ id, code: view?.reason?.code ?? null, status });
  }
  return { results, cursor: found.cursor };
}

async function retryOne(
  store: Store,
  view: VerificationView,
  { by, why, dryRun = false }: RetryRequest,
  fileRoots: readonly string[] | undefined,
): Promise<RetryStatus> {
  const { deployment, expiryMs } = store;
  const plan = await store.command(retryEnded(deployment, view, { expiryMs, write: null }));
  if (plan.status === 'run' && !(await areFilesReadable(view, plan, fileRoots))) return 'file_unreadable';
  if (dryRun || (plan.status !== 'run' && plan.status !== 'frame')) return plan.status;
  const code = view.reason?.code;
  const entry = { at: Date.now(), event: 'retried', ...(code === undefined ? {} : { code }), by, why } as const;
  const { status, turn } = await store.command(retryEnded(deployment, view, { expiryMs, write: { entry, plan } }));
  if (status === 'run' || status === 'frame') await addJob(store, { ...view, lane: RETRY_LANE, turn }, status);
  return status;
}

/** Adds the job again. If this process dies first, the sweeper adds the job. */
async function addJob(
  store: Store,
  verification: VerificationView & { readonly turn: number },
  status: 'run' | 'frame',
): Promise<void> {
  const { name, data, opts } = verifyJob(verification);
  const queue = store.queue(verification.region);
  // BullMQ keeps the ended job for the dashboard, and would ignore a new job with the same id.
  await store.command(queue.remove(verification.id));
  // The link to a frame is valid for two hours, so the download has priority over new work.
  await store.command(queue.add(name, data, status === 'frame' ? { ...opts, priority: RESUME_PRIORITY } : opts));
}

/** False only if a file is missing or unreadable in a folder that this process can read. The worker checks all other files. */
async function areFilesReadable(
  { action }: VerificationView,
  { sources }: RetryPlan,
  roots: readonly string[] | undefined,
): Promise<boolean> {
  if (roots === undefined) return true;
  try {
    for (const [name, rule] of resourcesOf(action)) {
      const source = sources?.resources[name];
      // The MD5 is left out, so the whole file need not be read. The worker checks the MD5.
      if (source?.from === 'file')
        await inspectFile({ path: source.path }, { roots, rule, field: `resources.${name}` });
    }
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.code === CODES.ROOT_UNREADABLE || error.code === CODES.SOURCE_OUTSIDE_ROOTS;
  }
}

/** The reason why there is no view for an id. An erasure is reported only to callers who could see the verification. */
async function absence(store: Store, id: string): Promise<'erased' | 'missing'> {
  if ((await receiptOf(store, id)) !== null) return 'erased';
  if (store.tenant !== null) return 'missing';
  const [presence] = await store.command(readPresence(store.deployment, [id]));
  return presence?.status === 'erased' ? 'erased' : 'missing';
}

// ── selection ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function selectPage(
  store: Store,
  request: RetryPageRequest,
): Promise<{ readonly ids: readonly string[]; readonly cursor: string | null }> {
  const start = request.cursor === undefined ? null : readCursor(request.cursor);
  const until = start?.until ?? (await store.command(readClock(store.deployment)));
  const ids: string[] = [];
  let after = start?.after ?? null;
  let read = 0;
  for await (const entries of entriesAfter(store, Date.parse(request.since ?? ''), { after, until })) {
    const views = await store.views(entries.map(({ id }) => id));
    for (const [index, entry] of entries.entries()) {
      if (after !== null && (ids.length === request.limit || read === MAX_READ))
        return { ids, cursor: `${after.at}.${until}.${after.id}` };
      const view = views[index] ?? null;
      if (view !== null && isSelected(view, request, until)) ids.push(view.id);
      after = entry;
      read += 1;
    }
  }
  return { ids, cursor: null };
}

/**
 * Entries after a position. Without a tenant: all ended verifications, oldest first. With a tenant: its verifications by the time
 * of their claim, newest first; only the tenant's own index is read, so a cursor reveals nothing about other tenants.
 */
async function* entriesAfter(store: Store, since: number, { after, until }: Position): AsyncGenerator<IndexEntry[]> {
  const { tenant, deployment } = store;
  for (let offset = 0; ; offset += BATCH) {
    const range = { offset, limit: BATCH };
    const entries = await store.command(
      tenant === null
        ? endedSince(deployment, { from: after?.at ?? since, until }, range)
        : tenantEntries(deployment, tenant, { from: after?.at ?? null, ...range }),
    );
    if (entries.length === 0) return;
    yield entries.filter(
      ({ id, at }) => after === null || at !== after.at || (tenant === null ? id > after.id : id < after.id),
    );
  }
}

function readCursor(cursor: string): Position {
  const [, at, until, id] = CURSOR.exec(cursor) ?? [];
  if (id !== undefined) return { after: { id, at: Number(at) }, until: Number(until) };
  const message = 'cursor is not valid: give the cursor of the page before, or leave it out';
  throw inputFailure(CODES.MALFORMED_REQUEST, 'cursor', message);
}
