/** Tests the Redis client and the HTTP client with one suite: both return the same results and the same refusals. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bestframe } from '../../src/client/contract.ts';
import { BestframeHttpClient, type RetryRequest, type VerificationRequest } from '../../src/index.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const NOBODY = `v${'0'.repeat(25)}`;
const ASKED = { by: 'officer', why: 'asked by letter' };

let rig: Rig;
let http: Http;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_BACKOFF_MS: 'batch=50,interactive=50',
    BESTFRAME_LEASE_MS: '2000',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  await rig.openWorker();
  await rig.openErase();
  http = await openHttp(rig);
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const httpOperator = () => new BestframeHttpClient({ url: http.url, key: http.operator });

const CLIENTS: readonly [string, () => Bestframe, () => Bestframe][] = [
  ['the Redis client', () => rig.client.forTenant('acme'), () => rig.client],
  ['the HTTP client', () => new BestframeHttpClient({ url: http.url, key: http.secret }), httpOperator],
  [
    'the HTTP client with files that workers read',
    () => new BestframeHttpClient({ url: http.url, key: http.secret, files: 'workers' }),
    httpOperator,
  ],
];

describe.each(CLIENTS)('%s', (name, open, openOperator) => {
  let client: Bestframe;
  /** A client of the deployment: a key of a tenant is refused at the gates. */
  let operator: Bestframe;
  beforeAll(() => {
    client = open();
    operator = openOperator();
  });
  afterAll(async () => {
    await client.close();
    if (operator !== rig.client) await operator.close();
  });

  /** Adds the name of the client, so that no two suites share a key. */
  const keyOf = (key: string) => `${key}-${name.replaceAll(/\W+/g, '-')}`;
  const request = (key: string, ...more: [Parameters<Rig['request']>[1]?, Partial<VerificationRequest>?]) =>
    rig.request(keyOf(key), ...more);
  const idOf = (key: string) => rig.client.forTenant('acme').idOf(keyOf(key));
  const holding = (key: string) => rig.control.fault({ kind: 'hold', action: DETECT, object: idOf(key) });
  const untilHeld = (key: string) => rig.control.waitFor({ event: 'held', object: idOf(key) });

  it('accepts a verification once, waits for its decision and its end, and finds it by id and key', async () => {
    const asked = await request('one', { card: 'match' }, { metadata: { order: '7' }, subject: 'person' });
    const hold = await holding('one');
    const taken = await client.enqueue(asked);
    expect(taken).toEqual({ id: idOf('one'), key: keyOf('one'), status: 'new', state: taken.state });
    await untilHeld('one');
    expect(await client.enqueue(asked)).toMatchObject({ id: taken.id, status: 'same' });
    expect(await client.wait(taken.id, { timeoutMs: 50 })).toMatchObject({ next: 'wait', decision: null });
    const waiting = client.wait(taken.id);
    await rig.control.release(hold);
    expect(await waiting).toMatchObject({ next: 'accept', decision: 'match', lane: 'interactive', tenant: 'acme' });
    const ended = await client.wait(taken.id, { until: 'ended' });
    expect(ended).toMatchObject({ state: 'completed', frame: 'stored', metadata: { order: '7' }, webhook: null });
    expect(ended?.bestFrame?.md5).toMatch(/^[0-9a-f]{32}$/);
    const steps = ended?.history.map(({ event, stage }) => `${event} ${stage}`);
    expect(steps).toEqual(['done upload', 'done md5', 'done detect', 'done download']);
    expect(Math.abs(Date.parse(ended?.endedAt ?? '') - (ended?.history.at(-1)?.at ?? 0))).toBeLessThan(60_000);
    expect(await client.get(taken.id)).toEqual(ended);
    expect(await client.getByKey(keyOf('one'))).toEqual(ended);
    expect(await rig.control.calls({ action: DETECT, object: taken.id, event: 'call' })).toHaveLength(1);
  });

  it('returns a second opinion beside the decision, and waits for it', async () => {
    const shield = { kind: 'hold', action: 'DetectAIFakeFaces' } as const;
    const hold = await rig.control.fault(shield);
    const asked = await request('opinion', { card: 'match', frame: 'spoof' }, { secondOpinion: true });
    const { id } = await client.enqueue(asked);
    await expect.poll(async () => (await client.get(id))?.decision, { timeout: 20_000 }).toBe('match');
    expect(await client.wait(id, { timeoutMs: 50 })).toMatchObject({
      ...{ next: 'wait', decision: 'match' },
      secondOpinion: { status: 'pending', level: null },
    });
    await rig.control.release(hold);
    expect(await client.verify(asked)).toMatchObject({
      ...{ next: 'refuse', decision: 'match', reason: { code: 'FAKE_SUSPECTED' } },
      secondOpinion: {
        ...{ status: 'suspected', level: 'High', paidCalls: 1, possiblyPaidCalls: 0, code: null },
        attacks: ['SuspectedSynthesisVideo', 'SuspectedBlackIndustry'],
      },
    });
  });

  it('verify returns the decision, or the current state at the timeout', async () => {
    expect(await client.verify(await request('verify'))).toMatchObject({ next: 'accept', key: keyOf('verify') });
    const spoof = await client.verify(await request('spoof', { card: 'spoof' }));
    expect(spoof).toMatchObject({ next: 'refuse', decision: 'not_live', reason: { class: 'rejected' } });
    expect(Object.values(spoof.reason ?? {})).not.toContain(null);
    const hold = await holding('slow');
    const slow = await request('slow');
    expect(await client.verify(slow, { timeoutMs: 1_200 })).toMatchObject({ next: 'wait' });
    await rig.control.release(hold);
    expect(await client.verify(slow)).toMatchObject({ next: 'accept' });
  });

  it('stops waiting on abort, and returns at once for an unknown verification', async () => {
    const hold = await holding('signal');
    const { id } = await client.enqueue(await request('signal'));
    const giveUp = new AbortController();
    const waiting = client.wait(id, { signal: giveUp.signal });
    await untilHeld('signal');
    giveUp.abort(new Error('the caller has gone'));
    await expect(waiting).rejects.toThrow('the caller has gone');
    await expect(client.wait(id, { signal: giveUp.signal })).rejects.toThrow('the caller has gone');
    await rig.control.release(hold);
    for (const none of [NOBODY, 'no id']) {
      expect(await client.get(none)).toBeNull();
      expect(await client.wait(none)).toBeNull();
      expect(await client.receipt(none)).toBeNull();
      expect(await client.acknowledge(none)).toBe('missing');
      expect(await client.cancel(none)).toEqual({ status: 'missing', state: null });
      expect(await client.resolve(none, 'fail', ASKED)).toEqual({ status: 'missing', state: null });
      expect(await client.erase(none, ASKED)).toEqual({ status: 'missing' });
      for await (const _view of client.watch(none, AbortSignal.timeout(50_000))) throw new Error('unexpected view');
    }
    expect(await client.getByKey(keyOf('nobody'))).toBeNull();
  });

  it('watch yields each change, and ends with the verification', async () => {
    const hold = await holding('watch');
    const { id } = await client.enqueue(await request('watch'));
    await untilHeld('watch');
    const seen: string[] = [];
    let steps = 0;
    for await (const view of client.watch(id, AbortSignal.timeout(50_000))) {
      if (seen.length === 0) await rig.control.release(hold);
      seen.push(`${view.state} ${view.decision}`);
      steps = view.history.length;
    }
    expect(seen[0]).toBe('active null');
    expect(seen.at(-1)).toBe('completed match');
    expect(steps).toBe(4);
  });

  it('refuses an invalid request with code, field and message, before anything is stored', async () => {
    const good = await request('refused');
    const { liveData, image } = good.resources;
    const empty = await rig.file(`${keyOf('empty')}.jpg`, Buffer.alloc(0));
    const cases: [Partial<VerificationRequest>, string, string, RegExp][] = [
      [
        { resources: { image } as never },
        'INVALID_VERIFICATION',
        'resources.liveData',
        /^resources.liveData is missing/,
      ],
      [{ region: 'mars' as never }, 'INVALID_VERIFICATION', 'region', /^region is not known: use one of/],
      [{ webhook: 'nobody' }, 'WEBHOOK_UNKNOWN', 'webhook', /nobody/],
      [
        { resources: { liveData, image: { from: 'https', url: 'https://127.0.0.1/a.jpg' } } as never },
        'ADDRESS_FORBIDDEN',
        'resources.image.url',
        /^resources.image.url /,
      ],
      [
        { resources: { liveData, image: { from: 'file', path: `${empty}.none` } } as never },
        'SOURCE_MISSING',
        'resources.image',
        /^resources.image does not exist/,
      ],
      [
        { resources: { liveData, image: { from: 'file', path: empty } } as never },
        'SOURCE_EMPTY',
        'resources.image',
        /./,
      ],
      [
        { resources: { liveData, image: { ...image, md5: '0'.repeat(32) } } as never },
        'SOURCE_MD5_MISMATCH',
        'resources.image.md5',
        /./,
      ],
    ];
    for (const [change, code, field, words] of cases) {
      await expect(client.enqueue({ ...good, ...change })).rejects.toMatchObject({
        name: 'Failure',
        code,
        field,
        message: expect.stringMatching(words),
      });
    }
    expect(await client.getByKey(keyOf('refused'))).toBeNull();
    await client.enqueue(good);
    await expect(client.enqueue({ ...good, similarityThreshold: 99 })).rejects.toMatchObject({
      code: 'KEY_CONFLICT',
      field: 'key',
      message: expect.stringMatching(/^key was used for another payload/),
    });
  });

  it('enqueueMany returns a result for each request, in order, and uses lane batch', async () => {
    const one = await request('many-1');
    const two = await request('many-2');
    const far = { ...two, resources: { ...two.resources, image: { from: 'https', url: 'http://x.example' } } } as const;
    const done: number[] = [];
    const results = await client.enqueueMany([one, { ...two, region: 'mars' as never }, far, one, two], {
      chunk: 3,
      onProgress: (count) => void done.push(count),
    });
    expect(done).toEqual([3, 5]);
    expect(results.map(({ key, status }) => `${key} ${status}`)).toEqual([
      `${keyOf('many-1')} new`,
      `${keyOf('many-2')} refused`,
      `${keyOf('many-2')} refused`,
      `${keyOf('many-1')} same`,
      `${keyOf('many-2')} new`,
    ]);
    const errors = results.map((result) => (result.status === 'refused' ? result.error : null));
    expect(errors[1]).toMatchObject({ name: 'Failure', code: 'INVALID_VERIFICATION', field: 'region' });
    expect(errors[2]).toMatchObject({ field: 'resources.image.url', message: expect.stringMatching(/https/) });
    expect(await client.wait(idOf('many-1'), { until: 'ended' })).toMatchObject({ lane: 'batch', decision: 'match' });
    expect(await client.enqueueMany([])).toEqual([]);
  });

  it('lists and pages newest first', async () => {
    for (const key of ['p1', 'p2', 'p3']) await client.verify(await request(key));
    await client.wait(idOf('p3'), { until: 'ended' });
    const first = await client.page({ limit: 2 });
    expect(first.verifications.map(({ key }) => key)).toEqual([keyOf('p3'), keyOf('p2')]);
    const second = await client.page({ limit: 1, cursor: first.cursor ?? '' });
    expect(second.verifications.map(({ key }) => key)).toEqual([keyOf('p1')]);
    expect((await client.page({ state: 'failed', limit: 1_000 })).verifications).toEqual([]);
    await expect(client.page({ cursor: '1.2' })).rejects.toMatchObject({
      code: 'INVALID_VERIFICATION',
      field: 'cursor',
    });
    const listed = await client.list({ ended: true, limit: 1 });
    expect(listed.map(({ key }) => key)).toEqual([keyOf('p3')]);
    const hold = await holding('p4');
    await client.enqueue(await request('p4'));
    expect((await client.list({ ended: false })).map(({ key }) => key)).toContain(keyOf('p4'));
    expect((await client.list({ ended: true })).map(({ key }) => key)).not.toContain(keyOf('p4'));
    await rig.control.release(hold);
  });

  it('lists held verifications, and ends them as an operator decides', async () => {
    const unreadable = { card: 'match', first: { unreadable: 9 } } as const;
    const { id } = await client.enqueue(await request('held', unreadable, { lane: 'batch' }));
    expect(await client.wait(id)).toMatchObject({ state: 'held', next: 'investigate' });
    const keysOf = async (filter: Parameters<Bestframe['held']>[0]) =>
      (await client.held(filter)).map(({ key }) => key);
    expect(await keysOf({ reason: 'reupload', region: 'ap-singapore', olderThanMs: 1 })).toEqual([keyOf('held')]);
    expect(await keysOf({ reason: 'unknown' })).toEqual([]);
    expect(await keysOf({ region: 'ap-bangkok' })).toEqual([]);
    expect(await keysOf({ olderThanMs: 3_600_000 })).toEqual([]);
    expect(await client.resolve(id, 'accept-late', ASKED)).toEqual({ status: 'nothing_late', state: 'held' });
    expect(await client.resolve(id, 'recapture', ASKED)).toEqual({ status: 'ok', state: 'completed' });
    expect(await client.resolve(id, 'fail', ASKED)).toEqual({ status: 'not_held', state: 'completed' });
    const view = await client.get(id);
    expect(view).toMatchObject({ next: 'recapture', decision: 'recapture' });
    expect(view?.history.findLast(({ event }) => event === 'resolved')).toMatchObject({ why: ASKED.why });
  });

  it('retries failed verifications by time and reason, and refuses in the same words', async () => {
    const since = new Date().toISOString();
    const code = 'InvalidParameterValue';
    const ids: string[] = [];
    for (const key of ['retry-1', 'retry-2', 'retry-3']) {
      await rig.control.fault({ kind: 'error', action: DETECT, code, object: idOf(key) });
      const { id } = await client.enqueue(await request(key));
      expect(await client.wait(id, { until: 'ended' })).toMatchObject({ state: 'failed', reason: { code } });
      ids.push(id);
    }
    const selection = { since, class: 'caller', region: 'ap-singapore', ...ASKED } as const;
    const statuses = async (request: RetryRequest, rate = 100) =>
      new Map((await client.retry(request, { rate })).map(({ id, status }) => [id, status]));
    const all = new Map(ids.map((id) => [id, 'run']));
    await expect.poll(() => statuses({ ...selection, dryRun: true }), { timeout: 20_000 }).toEqual(all);
    expect(await client.retry({ ids: [NOBODY, 'no id'], ...ASKED })).toEqual([
      { id: NOBODY, code: null, status: 'missing' },
      { id: 'no id', code: null, status: 'missing' },
    ]);
    expect(await statuses(selection, 2)).toEqual(all); // two pages
    for (const id of ids) expect(await client.wait(id, { until: 'ended' })).toMatchObject({ decision: 'match' });
    expect(await client.retry({ ids, ...ASKED })).toMatchObject(ids.map(() => ({ status: 'answered' })));
    const view = await client.get(ids[0] ?? '');
    expect(view?.history.find(({ event }) => event === 'retried')).toMatchObject({ code, why: ASKED.why });
    const cases: [Partial<RetryRequest>, string, string][] = [
      [{}, 'since', 'since is missing: give a time, or ids'],
      [{ since }, 'class', 'class is missing: give an error class, a code, or ids'],
      [{ since, class: 'own' }, 'class', expect.stringMatching(/^class is not known: use one of transient, /)],
      [{ ids, code }, 'ids', 'ids cannot be combined with other filters: give one or the other'],
      [{ ids, why: '' }, 'why', 'why is missing: give the reason, which is kept'],
      [{ ids, why: 'x'.repeat(257) }, 'why', 'why is longer than 256 characters: give a shorter reason'],
    ];
    for (const [wrong, field, message] of cases) {
      const refusal = { code: 'MALFORMED_REQUEST', field, message };
      await expect(client.retry({ ...ASKED, ...wrong })).rejects.toMatchObject(refusal);
    }
  });

  it('pauses and resumes a gate, and cancels a waiting verification unpaid', async () => {
    expect(
      await operator.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'officer', why: 'a drill' }),
    ).toBe(true);
    expect(
      await operator.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'officer', why: 'a drill' }),
    ).toBe(false);
    const gate = (await operator.gates()).find(({ action }) => action === DETECT);
    expect(gate).toMatchObject({ region: 'ap-singapore', state: 'paused', why: 'a drill' });
    const { id } = await client.enqueue(await request('cancel', { card: 'match' }, { lane: 'batch' }));
    const { status } = await client.cancel(id);
    expect(['cancelled', 'cancelling']).toContain(status);
    expect(
      await operator.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'officer', why: 'over' }),
    ).toBe(true);
    expect(await client.wait(id, { until: 'ended' })).toMatchObject({ state: 'cancelled', paidCalls: 0 });
    await client.wait((await client.enqueue(await request('over'))).id, { until: 'ended' });
    expect(await client.cancel(idOf('over'))).toEqual({ status: 'ended', state: 'completed' });
  });

  it('costs are those of the tenant, by each group; days that are none are refused', async () => {
    const asked = await request('costs', { card: 'match' }, { secondOpinion: true });
    await client.wait((await client.enqueue(asked)).id, { until: 'ended' });
    await rig.client.wait((await rig.client.enqueue(await rig.request(keyOf('no-tenant')))).id, { until: 'ended' });
    const own = await rig.client.forTenant('acme').costs({ by: 'tenant' });
    expect(own).toMatchObject([{ name: 'acme', costs: [] }]);
    for (const by of ['day', 'tenant', 'region', 'action'] as const) {
      const sums = await client.costs({ by });
      expect(sums.map((sum) => sum.name)).toHaveLength(by === 'action' ? 2 : 1); // the check, and the second opinion
      const total = (kind: 'paidCalls' | 'possiblyPaidCalls') => sums.reduce((all, sum) => all + sum[kind], 0);
      expect([total('paidCalls'), total('possiblyPaidCalls')]).toEqual([own[0]?.paidCalls, own[0]?.possiblyPaidCalls]);
    }
    expect(await client.costs({ since: '2020-01-01', until: '2020-01-31' })).toEqual([]);
    for (const range of [
      { since: 'yesterday' },
      { since: '2026-02-30' },
      { since: '2026-02-02', until: '2026-02-01' },
    ]) {
      await expect(client.costs(range)).rejects.toMatchObject({ code: 'MALFORMED_REQUEST', field: 'since' });
    }
    const everybody = (await rig.client.costs({ by: 'tenant' })).map((sum) => sum.name);
    expect(everybody).toEqual(['', 'acme']);
  });

  it('acknowledges a frame, and erases a verification with a receipt and without freeing its key', async () => {
    const asked = await request('erased');
    const { id } = await client.enqueue(asked);
    await client.wait(id, { until: 'ended' });
    expect(await client.acknowledge(id)).toBe('ok');
    expect(await client.receipt(id)).toBeNull();
    await rig.client.forTenant('acme').legalHold(id, ASKED);
    const held = { status: 'legal_hold', hold: { why: ASKED.why } };
    expect(await client.erase(id, ASKED)).toMatchObject(held);
    await rig.client.forTenant('acme').liftLegalHold(id, ASKED);
    expect(await client.erase(id, ASKED)).toMatchObject({ status: 'erased', receipt: { id, why: ASKED.why } });
    expect(await client.erase(id, ASKED)).toMatchObject({ status: 'gone', receipt: { id } });
    expect(await client.receipt(id)).toMatchObject({ id, why: ASKED.why });
    expect(await client.get(id)).toBeNull();
    await expect(client.enqueue(asked)).rejects.toMatchObject({ code: 'KEY_GONE', field: 'key' });
  });
});
