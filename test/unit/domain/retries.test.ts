/** Tests which verifications a retry selects, and the waits between the pages of a retry. */
import { describe, expect, it } from 'vitest';
import { type RetryPageRequest, retryInPages } from '../../../src/client/retry-pages.ts';
import { isStarted, type RetryResult, type RetryStatus, retryProblem } from '../../../src/domain/operations/retries.ts';
import { isSelected } from '../../../src/domain/operations/retry-selection.ts';

const ENDED = {
  state: 'failed',
  frame: 'none',
  reason: { code: 'TIMEOUT', class: 'transient', title: '', advice: '', audience: 'caller' },
  region: 'ap-singapore',
  endedAt: '2026-11-25T10:00:00.000Z',
  history: [],
} as const;
const LOST = {
  state: 'completed',
  frame: 'lost',
  history: [{ at: 1, event: 'ended', code: 'FRAME_EXPIRED' }],
} as const;
const OVERDUE = {
  reason: {
    ...ENDED.reason,
    code: 'DEADLINE_EXCEEDED',
    class: 'caller',
    waitedFor: { code: 'TIMEOUT', class: 'transient' },
  },
} as const;
const SINCE = '2026-11-25T09:30:00Z';
const UNTIL = Date.parse('2026-11-25T11:00:00Z');
const BY = { by: 'maria', why: 'mended' };

describe('a selection', () => {
  it.each([
    [{}, { class: 'transient' }, true],
    [{}, { code: 'TIMEOUT' }, true],
    [{}, { class: 'transient', code: 'RESET' }, false],
    [{}, { class: 'caller' }, false],
    [{}, { class: 'transient', region: 'ap-bangkok' }, false],
    [{ state: 'completed', frame: 'lost' }, { class: 'transient' }, true],
    [LOST, { code: 'FRAME_EXPIRED', class: 'caller' }, true],
    [LOST, { code: 'TIMEOUT' }, false],
    [{ state: 'completed', frame: 'stored' }, { class: 'transient' }, false],
    [{ state: 'cancelled', frame: 'lost' }, { class: 'transient' }, false],
    [{ state: 'delayed' }, { class: 'transient' }, false],
    [{ reason: null }, { class: 'transient' }, false],
    [OVERDUE, { class: 'transient' }, true],
    [OVERDUE, { code: 'TIMEOUT' }, true],
    [OVERDUE, { code: 'DEADLINE_EXCEEDED' }, true],
    [OVERDUE, { class: 'caller', code: 'TIMEOUT' }, false],
    [{ endedAt: '2026-11-25T09:29:59.999Z' }, { class: 'transient' }, false],
    [{ endedAt: '2026-11-25T11:00:00.001Z' }, { class: 'transient' }, false],
    [{ endedAt: null }, { class: 'transient' }, false],
    [{ endedAt: SINCE }, { class: 'transient' }, true],
    [{ endedAt: '2026-11-25T11:00:00.000Z' }, { class: 'transient' }, true],
    [{}, { class: 'transient', region: 'ap-singapore' }, true],
    [{}, {}, true],
    [{ state: 'completed', frame: 'lost', reason: null, history: [] }, { code: 'TIMEOUT' }, false],
    [{ ...LOST, history: [...LOST.history, { at: 2, event: 'ended', code: 'RESET' }] }, { code: 'RESET' }, true],
    [{ ...LOST, history: [...LOST.history, { at: 2, event: 'retried', code: 'RESET' }] }, { code: 'RESET' }, false],
    [{ ...LOST, history: [{ at: 1, event: 'ended', code: 'Vendor.NeverSeen' }] }, { class: 'transient' }, false],
    [{ history: LOST.history }, { code: 'FRAME_EXPIRED' }, false],
  ] as const)('of %j by %j: %s', (view, filter, selected) => {
    expect(isSelected({ ...ENDED, ...view }, { since: SINCE, ...filter }, UNTIL)).toBe(selected);
  });

  it.each([
    { since: SINCE, class: 'transient' },
    { since: SINCE, code: 'TIMEOUT' },
    { since: SINCE, class: 'unknown', code: 'TIMEOUT', region: 'ap-singapore' },
    { ids: ['v1'] },
    { ids: [], why: '', dryRun: true },
    { ids: [], why: 'x'.repeat(256) },
  ] as const)('may be %j', (request) => {
    expect(retryProblem({ ...BY, ...request })).toBeNull();
  });

  it.each([
    [{ ids: [], why: '' }, 'why', /^why is missing: give the reason/],
    [{ ids: [], why: ' \n' }, 'why', /^why is missing/],
    [{ ids: [], why: 'x'.repeat(257) }, 'why', /^why is longer than 256 characters/],
    [{ ids: [], why: 'x'.repeat(257), dryRun: true }, 'why', /^why is longer/],
    [{ ids: ['v1'], since: SINCE }, 'ids', /^ids cannot be combined with other filters/],
    [{ ids: ['v1'], class: 'transient' }, 'ids', /^ids cannot/],
    [{ ids: ['v1'], code: 'TIMEOUT' }, 'ids', /^ids cannot/],
    [{ ids: ['v1'], region: 'ap-singapore' }, 'ids', /^ids cannot/],
    [{ class: 'transient' }, 'since', /^since is missing: give a time, or ids$/],
    [{ since: '2026', class: 'transient' }, 'since', /^since is not a time: write it as /],
    [{ since: 'x2026-11-25T09:30:00Z', class: 'transient' }, 'since', /^since is not a time/],
    [{ since: ' 2026-11-25T09:30:00Z', class: 'transient' }, 'since', /^since is not a time/],
    [{ since: '2026-13-25T09:30:00Z', class: 'transient' }, 'since', /^since is not a time/],
    [{ since: SINCE }, 'class', /^class is missing: give an error class, a code, or ids$/],
    [{ since: SINCE, class: 'TRANSIENT' }, 'class', /^class is not known: use one of transient, throttled, /],
    [{ since: SINCE, class: 'odd', code: 'TIMEOUT' }, 'class', /^class is not known/],
  ] as const)('may not be %j', (request, field, problem) => {
    expect(retryProblem({ ...BY, ...request })).toEqual({ field, problem: expect.stringMatching(problem) });
  });

  it('starts a verification again from upload, or for its frame', () => {
    const statuses: RetryStatus[] = ['run', 'frame', 'missing', 'not_ended', 'answered', 'sources_gone'];
    expect(statuses.filter((status) => isStarted({ status }))).toEqual(['run', 'frame']);
  });
});

describe('pages', () => {
  const status = (index: number) => (index % 3 === 2 ? 'sources_gone' : 'run');
  const results = (count: number, from = 0): RetryResult[] =>
    Array.from({ length: count }, (_, index) => ({ id: `v${from + index}`, code: null, status: status(from + index) }));

  async function run(request: object, rate: number) {
    const asked: RetryPageRequest[] = [];
    const waits: number[] = [];
    const progress: number[] = [];
    const found = await retryInPages(
      { ...BY, ...request },
      { rate, onProgress: (done) => progress.push(done) },
      async (page) => {
        asked.push(page);
        const from = Number(page.cursor ?? 0);
        const ids = page.ids?.map((id) => ({ id, code: null, status: 'run' as const }));
        return { results: ids ?? results(page.limit, from), cursor: from < 6 ? String(from + page.limit) : null };
      },
      async (ms) => waits.push(ms),
    );
    return { found, asked, waits, progress };
  }

  it('wait as long as the verifications that they started again may take, and only for those', async () => {
    const { found, waits, progress, asked } = await run({ since: SINCE, code: 'TIMEOUT' }, 3);
    expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, '3', '6']);
    expect(found).toEqual(results(9));
    expect(progress).toEqual([3, 6, 9]);
    expect(waits.map(Math.round)).toEqual([667, 667]); // two of three started, at three a second
  });

  it('of ids are slices, and never larger than the rate', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const { asked, waits } = await run({ ids }, 2);
    expect(asked.map((page) => page.ids)).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    expect(waits).toEqual([1_000, 1_000]);
  });

  it.each([0, -1, Number.NaN])('at a rate of %s are refused', async (rate) => {
    await expect(run({ ids: ['a'] }, rate)).rejects.toMatchObject({ code: 'MALFORMED_REQUEST', field: 'rate' });
  });

  it('end with the reason of the signal, even in a wait', async () => {
    const stop = new AbortController();
    let pages = 0;
    const retrying = retryInPages(
      { ...BY, ids: ['a', 'b'] },
      { rate: 1, signal: stop.signal },
      async ({ ids = [] }) => {
        pages += 1;
        setImmediate(() => stop.abort(new Error('the operator stopped')));
        return { results: ids.map((id) => ({ id, code: null, status: 'run' })), cursor: null };
      },
    );
    await expect(retrying).rejects.toThrow('the operator stopped');
    expect(pages).toBe(1);
  });

  it('of a dry run do not wait', async () => {
    const { asked, waits } = await run({ ids: ['a', 'b', 'c'], dryRun: true }, 1);
    expect(asked).toHaveLength(1);
    expect(waits).toEqual([]);
  });
});
