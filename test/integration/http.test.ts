/** Tests the HTTP API: submitting, waiting, reading and acting. Every answer is validated against the OpenAPI document. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { namesIn } from '../support/folders.ts';
import { formOf, type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const PLAIN = { region: 'ap-singapore', upload: 'own-bucket' } as const;

/** A deadline that has passed. */
const PAST = new Date(Date.now() - 60_000).toISOString();

let rig: Rig;
let http: Http;
let staged: string;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_LEASE_MS: '2000' }, emulator: { qps: {} } });
  await rig.openWorker();
  await rig.openErase();
  http = await openHttp(rig);
  staged = join(rig.dir, 'inputs', 'staging');
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const idFor = (key: string, tenant = 'acme') => rig.client.forTenant(tenant).idOf(key);
const samples = (key: string, card = 'match') => ({
  liveData: sampleLiveData({ card, nonce: key }),
  image: sampleImage(key),
});

async function ended(id: string): Promise<void> {
  await rig.client.wait(id, { until: 'ended' });
}

describe('submitting', () => {
  it('answers 200 with the decision if it arrives within the wait', async () => {
    const answer = await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('in-time') });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id: idFor('in-time'), key: 'in-time', tenant: 'acme', mode: 'test' });
    expect(answer.json).toMatchObject({ next: 'accept', decision: 'match', lane: 'interactive', enqueued: 'new' });
    expect(answer.headers.get('location')).toBe(`/v1/verifications/${idFor('in-time')}`);
    expect(answer.headers.get('x-bestframe-mode')).toBe('test');
  });

  it('answers 202 at once without a wait, and `same` for a repeated key before and after the decision', async () => {
    const request = await rig.request('later');
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: idFor('later') });
    const first = await http.call('POST', '/v1/verifications', { json: request });
    expect(first).toMatchObject({ status: 202, json: { enqueued: 'new', next: 'wait' } });
    const again = await http.call('POST', '/v1/verifications?wait=1', { json: request });
    expect(again).toMatchObject({ status: 202, json: { enqueued: 'same', id: first.json.id } });
    await rig.control.waitFor({ event: 'held', object: idFor('later') });
    await rig.control.release(hold);
    await ended(idFor('later'));
    const known = await http.call('POST', '/v1/verifications', { json: request });
    expect(known).toMatchObject({ status: 200, json: { enqueued: 'same', decision: 'match' } });
    const late = await http.call('POST', '/v1/verifications', { json: { ...request, deadline: PAST } });
    expect(late).toMatchObject({ status: 200, json: { enqueued: 'same', decision: 'match' } });
    expect(await rig.control.calls({ action: DETECT, object: idFor('later'), event: 'call' })).toHaveLength(1);
  });

  it('accepts the key in Idempotency-Key, with or without quotes, and refuses two different keys', async () => {
    const { key: _none, ...request } = await rig.request('header');
    const send = (header: string, json: object = request) =>
      http.call('POST', '/v1/verifications', { json, headers: { 'idempotency-key': header } });
    expect(await send('header')).toMatchObject({ status: 202, json: { key: 'header' } });
    expect((await send('"header"')).json).toMatchObject({ key: 'header', enqueued: 'same' });
    expect((await send('header', { ...request, key: 'header' })).json).toMatchObject({ enqueued: 'same' });
    expect(await send('header', { ...request, key: 'other' })).toMatchObject({
      status: 400,
      json: { code: 'MALFORMED_REQUEST', field: 'key' },
    });
    expect(await http.call('POST', '/v1/verifications', { json: request })).toMatchObject({
      status: 400,
      json: { code: 'INVALID_VERIFICATION', field: 'key', detail: 'key is missing: give a string' },
    });
  });

  it('refuses unknown and missing fields, conflicts and erased keys in the same words as the client', async () => {
    const request = await rig.request('words');
    const send = (json: unknown) => http.call('POST', '/v1/verifications', { json });
    expect(await send({ ...request, deadlin: 1 })).toMatchObject({
      status: 400,
      json: { code: 'INVALID_VERIFICATION', detail: expect.stringContaining('unknown field "deadlin"') },
    });
    expect(await send({ ...request, resources: { image: request.resources.image } })).toMatchObject({
      status: 400,
      json: { field: 'resources.liveData' },
    });
    for (const none of [null, [], [request], 'text', 7, true]) {
      expect(await send(none)).toMatchObject({ status: 400, json: { code: 'MALFORMED_REQUEST' } });
    }
    expect((await send(request)).status).toBe(202);
    const conflict = await send({ ...request, similarityThreshold: 99 });
    expect(conflict).toMatchObject({ status: 409, json: { code: 'KEY_CONFLICT', field: 'key' } });
    expect(conflict.json.cure).toMatch(/new key/);
    await ended(idFor('words'));
    expect((await http.call('DELETE', `/v1/verifications/${idFor('words')}`)).status).toBe(200);
    expect(await send(request)).toMatchObject({ status: 410, json: { code: 'KEY_GONE' } });
    expect(await http.call('GET', `/v1/verifications/${idFor('words')}`)).toMatchObject({ status: 410 });
  });
});

describe('files', () => {
  const send = (form: FormData, query = '') => http.call('POST', `/v1/verifications${query}`, { body: form });

  it('are staged, used by the worker, and removed when the verification has ended', async () => {
    const form = formOf({ key: 'files', ...PLAIN }, samples('files'));
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: idFor('files') });
    expect(await send(form)).toMatchObject({ status: 202, json: { key: 'files', lane: 'interactive' } });
    await rig.control.waitFor({ event: 'held', object: idFor('files') });
    const names = (await namesIn(staged)).filter((name) => name.startsWith(idFor('files')));
    expect(names.map((name) => name.split('.')[1]).sort()).toEqual(['image', 'liveData']);
    await rig.control.release(hold);
    await expect
      .poll(async () => (await namesIn(staged)).filter((name) => name.startsWith(idFor('files'))), { timeout: 50_000 })
      .toEqual([]);
    expect(await http.call('GET', `/v1/verifications/${idFor('files')}`)).toMatchObject({
      json: { decision: 'match' },
    });
  });

  it('are not staged twice if they are sent again; different files under the same key are refused and removed', async () => {
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: idFor('again') });
    const bytes = samples('again');
    const mine = () => formOf({ key: 'again', ...PLAIN }, bytes);
    expect((await send(mine())).json).toMatchObject({ enqueued: 'new' });
    await rig.control.waitFor({ event: 'held', object: idFor('again') });
    const before = await namesIn(staged);
    expect((await send(mine())).json).toMatchObject({ enqueued: 'same' });
    const late = formOf({ key: 'again', ...PLAIN, deadline: PAST }, bytes);
    expect((await send(late)).json).toMatchObject({ enqueued: 'same' });
    const other = formOf({ key: 'again', ...PLAIN }, samples('somebody else'));
    expect(await send(other)).toMatchObject({ status: 409, json: { code: 'KEY_CONFLICT' } });
    const changed = formOf({ key: 'again', ...PLAIN, similarityThreshold: 80 }, bytes);
    expect(await send(changed)).toMatchObject({ status: 409, json: { code: 'KEY_CONFLICT' } });
    expect(await namesIn(staged)).toEqual(before);
    await rig.control.release(hold);
    await ended(idFor('again'));
    expect(await send(mine(), '?wait=5')).toMatchObject({ status: 200, json: { enqueued: 'same', decision: 'match' } });
    expect((await namesIn(staged)).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await rig.control.calls({ action: DETECT, object: idFor('again'), event: 'call' })).toHaveLength(1);
  });

  it('can be mixed with references, can come in any order, and can be a video', async () => {
    const live = await rig.file('mixed.gz', samples('mixed').liveData);
    const resources = { liveData: { from: 'file', path: live } };
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(sampleImage('mixed'))]), 'image');
    form.set(
      'verification',
      new Blob([JSON.stringify({ key: 'mixed', ...PLAIN, resources })], { type: 'application/json' }),
    );
    expect(await send(form, '?wait=30')).toMatchObject({ status: 200, json: { decision: 'match' } });
    const video = formOf(
      { key: 'video', ...PLAIN, action: 'VideoLivenessCompare', liveness: { type: 'SILENT' } },
      { video: sampleVideo({ card: 'match' }), image: sampleImage('video') },
    );
    expect(await send(video, '?wait=30')).toMatchObject({ status: 200, json: { decision: 'match' } });
  });

  it('are refused with the name of the field if they are invalid, and nothing is stored', async () => {
    const { liveData, image } = samples('wrong');
    const good = { key: 'wrong', ...PLAIN };
    const large = Buffer.concat([image, Buffer.alloc(3 * 1024 * 1024)]);
    const larger = Buffer.concat([image, Buffer.alloc(11 * 1024 * 1024)]);
    const video = { ...good, action: 'VideoLivenessCompare', liveness: { type: 'SILENT' } };
    const cases: [FormData, number, string, string | null][] = [
      [formOf(good, { liveData: image, image }), 400, 'SOURCE_WRONG_KIND', 'resources.liveData'],
      [formOf(good, { liveData, image: larger }), 413, 'SOURCE_TOO_LARGE', 'resources.image'],
      [
        formOf(video, { video: sampleVideo({ card: 'match' }), image: large }),
        413,
        'SOURCE_TOO_LARGE',
        'resources.image',
      ],
      [formOf(good, { liveData: liveData.subarray(0, 15_000), image }), 400, 'SOURCE_CUT', 'resources.liveData'],
      [formOf(good, { liveData, image: image.subarray(0, 2_000) }), 400, 'SOURCE_CUT', 'resources.image'],
      [formOf(good, { liveData, image: Buffer.alloc(0) }), 400, 'SOURCE_EMPTY', 'resources.image'],
      [formOf(good, { liveData }), 400, 'INVALID_VERIFICATION', 'resources.image'],
      [
        formOf(good, { liveData, image, video: sampleVideo({ card: 'match' }) }),
        400,
        'INVALID_VERIFICATION',
        'resources.video',
      ],
      [formOf(good, { liveData, image, picture: image }), 400, 'MALFORMED_REQUEST', null],
      [formOf({ ...good, region: 'ap-nowhere' }, { liveData, image }), 400, 'INVALID_VERIFICATION', 'region'],
      [formOf([], { liveData, image }), 400, 'MALFORMED_REQUEST', 'verification'],
      [formOf(good, {}), 400, 'MALFORMED_REQUEST', null],
      [
        formOf({ ...good, resources: { image: { from: 'file', path: '/x' } } }, { liveData, image }),
        400,
        'MALFORMED_REQUEST',
        'resources.image',
      ],
    ];
    for (const [form, status, code, field] of cases) {
      expect(await send(form)).toMatchObject({ status, json: { code, field } });
    }
    expect((await namesIn(staged)).filter((name) => name.startsWith('.') || name.includes(idFor('wrong')))).toEqual([]);
    expect(await rig.client.get(idFor('wrong'))).toBeNull();
  });

  it('cannot be used as a source by another verification once they are staged', async () => {
    const path = join(staged, `${idFor('files')}.image.${'x'.repeat(22)}`);
    const request = await rig.request('steals');
    const resources = { ...request.resources, image: { from: 'file', path } } as const;
    const answer = await http.call('POST', '/v1/verifications', { json: { ...request, resources } });
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'SOURCE_OUTSIDE_ROOTS', field: 'resources.image.path' },
    });
    expect(JSON.stringify(answer.json)).not.toContain(staged);
  });

  it('are refused without a staging folder', async () => {
    const bare = await openHttp(rig, { BESTFRAME_STAGING_DIR: '' });
    const body = formOf({ key: 'none', ...PLAIN }, samples('none'));
    expect(await bare.call('POST', '/v1/verifications', { body })).toMatchObject({ status: 415 });
    await bare.close();
  });
});

describe('a batch', () => {
  it('returns a result for each item, in order, and uses lane batch', async () => {
    const one = await rig.request('batch-1');
    const two = await rig.request('batch-2');
    const verifications = [one, { ...two, region: 'mars' }, null, one, { ...one, similarityThreshold: 1 }, two];
    const answer = await http.call('POST', '/v1/verifications:batch', { json: { verifications } });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      mode: 'test',
      results: [
        { status: 'new', key: 'batch-1', id: idFor('batch-1') },
        { status: 'refused', key: 'batch-2', problem: { code: 'INVALID_VERIFICATION', field: 'region' } },
        { status: 'refused', key: '', problem: { code: 'MALFORMED_REQUEST' } },
        { status: 'same', id: idFor('batch-1') },
        { status: 'refused', problem: { code: 'KEY_CONFLICT' } },
        { status: 'new', id: idFor('batch-2') },
      ],
    });
    await ended(idFor('batch-1'));
    expect(await rig.client.get(idFor('batch-1'))).toMatchObject({ lane: 'batch', tenant: 'acme' });
  });

  it('has at least 1 and at most 1,000 items', async () => {
    const send = (verifications: unknown) => http.call('POST', '/v1/verifications:batch', { json: { verifications } });
    expect(await send([])).toMatchObject({ status: 400, json: { field: 'verifications' } });
    expect(await send(Array.from({ length: 1_001 }, () => ({})))).toMatchObject({ status: 400 });
    expect(await send('x')).toMatchObject({ status: 400 });
    const most = await send(Array.from({ length: 1_000 }, () => ({})));
    expect(most.status).toBe(200);
    expect(most.json.results).toHaveLength(1_000);
  });
});

describe('reading', () => {
  it('shows the state, reason and history of a verification, and can wait for its decision', async () => {
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: idFor('look') });
    const request = await rig.request('look', { card: 'spoof' }, { metadata: { order: '7' }, subject: 'person' });
    await http.call('POST', '/v1/verifications', { json: request });
    await rig.control.waitFor({ event: 'held', object: idFor('look') });
    const path = `/v1/verifications/${idFor('look')}`;
    expect((await http.call('GET', path)).json).toMatchObject({ state: 'active', stage: 'detect', decision: null });
    const waiting = http.call('GET', `${path}?wait=30`);
    await rig.control.release(hold);
    const { json } = await waiting;
    expect(json).toMatchObject({ decision: 'not_live', next: 'refuse', metadata: { order: '7' } });
    expect(json.reason).toMatchObject({ code: expect.any(String), advice: expect.any(String) });
    expect(json.history).toEqual(expect.arrayContaining([expect.objectContaining({ event: 'done', stage: 'upload' })]));
    expect(JSON.stringify(json)).not.toMatch(/inputs|myqcloud|q-sign/);
    await ended(idFor('look'));
  });

  it('lists verifications page by page, filtered by key, state and region', async () => {
    const verifications = await Promise.all(['p1', 'p2', 'p3'].map((key) => rig.request(key)));
    const secret = await http.keyFor({ tenant: 'pages' });
    await http.call('POST', '/v1/verifications:batch', { secret, json: { verifications } });
    for (const key of ['p1', 'p2', 'p3']) await ended(idFor(key, 'pages'));
    const list = async (query: string) => (await http.call('GET', `/v1/verifications?${query}`, { secret })).json;
    const keysOf = (json: Record<string, unknown>) => (json.verifications as { key: string }[]).map(({ key }) => key);
    const first = await list('limit=2');
    const second = await list(`limit=2&cursor=${first.cursor}`);
    expect([...keysOf(first), ...keysOf(second)].sort()).toEqual(['p1', 'p2', 'p3']);
    expect(keysOf(await list('key=p2'))).toEqual(['p2']);
    expect(keysOf(await list('key=p2&state=failed'))).toEqual([]);
    expect(keysOf(await list('state=completed&region=ap-singapore'))).toHaveLength(3);
    expect(keysOf(await list('state=held'))).toEqual([]);
    for (const wrong of ['limit=0', 'limit=x', 'limit=1&limit=2', 'state=gone', 'cursor=1', 'status=held', 'wait=1']) {
      expect(await http.call('GET', `/v1/verifications?${wrong}`, { secret })).toMatchObject({ status: 400 });
    }
  });

  it('answers 404 for an unknown verification or route', async () => {
    for (const path of [`/v1/verifications/v${'0'.repeat(25)}`, `/v1/verifications/v${'0'.repeat(25)}/events`]) {
      expect(await http.call('GET', path)).toMatchObject({ status: 404, json: { code: 'RECORD_MISSING' } });
    }
    expect(await http.call('GET', '/v1/verifications/..%2f..%2fetc')).toMatchObject({ status: 400 });
    expect(await http.call('GET', '/v1/nothing')).toMatchObject({ status: 404, json: { code: 'NO_SUCH_ROUTE' } });
    expect(await http.call('PATCH', '/v1/verifications')).toMatchObject({ status: 404 });
  });
});

describe('events', () => {
  it('contain each history entry once, resume after a given entry, and end with the verification', async () => {
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object: idFor('stream') });
    await http.call('POST', '/v1/verifications', { json: await rig.request('stream') });
    await rig.control.waitFor({ event: 'held', object: idFor('stream') });
    const path = `/v1/verifications/${idFor('stream')}/events`;
    const whole = http.call('GET', path);
    await rig.control.release(hold);
    const answer = await whole;
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const events = eventsIn(answer.bytes.toString());
    const told = events.filter(({ event }) => event === 'history').map(({ data }) => `${data.event} ${data.stage}`);
    expect(told).toEqual(['done upload', 'done md5', 'done detect', 'done download']);
    expect(events.at(-1)).toMatchObject({ event: 'end', id: 'end', data: { state: 'completed', next: 'accept' } });

    const seen = events.filter(({ event }) => event === 'history')[1]?.id ?? '';
    const on = eventsIn((await http.call('GET', path, { headers: { 'last-event-id': seen } })).bytes.toString());
    expect(on.filter(({ event }) => event === 'history').map(({ data }) => data.stage)).toEqual(['detect', 'download']);
    expect((await http.call('GET', path, { headers: { 'last-event-id': 'end' } })).status).toBe(204);
    const lost = eventsIn((await http.call('GET', path, { headers: { 'last-event-id': '1-0' } })).bytes.toString());
    expect(lost.filter(({ event }) => event === 'history')).toHaveLength(4);
  });

  function eventsIn(text: string) {
    return text
      .split('\n\n')
      .filter((block) => block.startsWith('id: '))
      .map((block) => {
        const [id = '', event = '', data = ''] = block.split('\n').map((line) => line.replace(/^\w+: /, ''));
        return { id, event, data: JSON.parse(data) as Record<string, string> };
      });
  }
});

describe('the frame', () => {
  const path = (key: string) => `/v1/verifications/${idFor(key)}/best-frame`;

  it('is streamed with its ETag, supports ranges, and answers 304 for a known ETag', async () => {
    await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('frame') });
    await ended(idFor('frame'));
    const { bestFrame } = (await http.call('GET', `/v1/verifications/${idFor('frame')}`)).json as {
      bestFrame: { bytes: number; md5: string };
    };
    const get = (headers: Record<string, string> = {}) => http.call('GET', path('frame'), { headers });
    const whole = await get();
    expect(whole.status).toBe(200);
    expect(whole.bytes).toHaveLength(bestFrame.bytes);
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toBe(`"${bestFrame.md5}"`);
    expect(whole.headers.get('content-type')).toBe('image/jpeg');
    const head = await http.call('HEAD', path('frame'));
    expect(head.headers.get('content-length')).toBe(String(bestFrame.bytes));
    expect(head.headers.get('etag')).toBe(etag);
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);

    const part = await get({ range: 'bytes=10-19' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 10-19/${bestFrame.bytes}`);
    expect(part.bytes).toEqual(whole.bytes.subarray(10, 20));
    expect((await get({ range: 'bytes=-5' })).bytes).toEqual(whole.bytes.subarray(-5));
    expect((await get({ range: 'bytes=100-' })).bytes).toEqual(whole.bytes.subarray(100));
    const behind = await get({ range: `bytes=${bestFrame.bytes}-` });
    expect(behind).toMatchObject({ status: 416, json: { code: 'RANGE_NOT_SATISFIABLE' } });
    for (const none of ['bytes=0-1,3-4', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'x']) {
      expect((await get({ range: none })).status).toBe(200);
    }
    expect((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
    expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
  });

  it('is hidden from other tenants, and answers 404 if it was replaced or never stored', async () => {
    const request = await rig.request('swapped', { card: 'match' }, { frame: { to: 'file', name: 'named.jpg' } });
    await http.call('POST', '/v1/verifications?wait=30', { json: request });
    await ended(idFor('swapped'));
    const stranger = await http.keyFor({ tenant: 'globex' });
    expect(await http.call('GET', path('swapped'), { secret: stranger })).toMatchObject({ status: 404 });
    const stored = await rig.client.get(idFor('swapped'));
    await writeFile(stored?.bestFrame?.path ?? '', 'another picture');
    expect(await http.call('GET', path('swapped'))).toMatchObject({ status: 404, json: { code: 'NO_FRAME' } });
    const spoof = await rig.request('no-frame', { card: 'match' }, { frame: { to: 'none' } });
    await http.call('POST', '/v1/verifications?wait=30', { json: spoof });
    await ended(idFor('no-frame'));
    expect(await http.call('GET', path('no-frame'))).toMatchObject({ status: 404, json: { code: 'NO_FRAME' } });
    expect((await http.call('HEAD', path('no-frame'))).status).toBe(404);
  });

  it('can be read from a bucket that the caller named', async () => {
    const target = {
      to: 'cos',
      bucket: rig.bucket,
      region: 'ap-singapore',
      key: 'bestframe/t/acme/delivered/a.jpg',
    } as const;
    const request = await rig.request('delivered', { card: 'match' }, { frame: target });
    await http.call('POST', '/v1/verifications?wait=30', { json: request });
    await ended(idFor('delivered'));
    const answer = await http.call('GET', path('delivered'));
    expect(answer.status).toBe(200);
    expect(answer.bytes.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    expect(await http.call('POST', `/v1/verifications/${idFor('delivered')}/acknowledge`)).toMatchObject({
      json: { status: 'not_kept' },
    });
  });
});

describe('acting', () => {
  it('cancels a waiting verification, and answers 409 if it is too late', async () => {
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', { by: 'test', why: 'cancelling' });
    const request = await rig.request('cancel', { card: 'match' }, { lane: 'batch' });
    await http.call('POST', '/v1/verifications', { json: request });
    const cancel = () => http.call('POST', `/v1/verifications/${idFor('cancel')}/cancel`);
    await expect.poll(async () => (await cancel()).status, { timeout: 30_000 }).toBe(200);
    expect((await cancel()).json).toMatchObject({ state: 'cancelled' });
    await rig.client.steerGate({ region: 'ap-singapore', action: DETECT }, 'resume', { by: 'test', why: 'cancelled' });
    await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('too-late') });
    await ended(idFor('too-late'));
    expect(await http.call('POST', `/v1/verifications/${idFor('too-late')}/cancel`)).toMatchObject({
      status: 409,
      json: { code: 'NOT_POSSIBLE_NOW' },
    });
  });

  it('resolves a held verification, and records who decided and why', async () => {
    const object = idFor('held');
    await rig.control.fault({
      kind: 'error',
      action: DETECT,
      object,
      code: 'FailedOperation.NeverHeardOf',
      times: null,
    });
    const request = await rig.request('held', { card: 'match' }, { lane: 'batch' });
    await http.call('POST', '/v1/verifications', { json: request });
    await rig.client.wait(object);
    const resolve = (json: unknown) => http.call('POST', `/v1/verifications/${object}/resolve`, { json });
    expect(await resolve({ choice: 'accept-late', why: 'seen' })).toMatchObject({ status: 409 });
    for (const wrong of [
      { choice: 'match', why: 'x' },
      { choice: 'fail' },
      { choice: 'fail', why: '' },
      { choice: 'fail', why: 'x', by: 'me' },
    ]) {
      expect(await resolve(wrong)).toMatchObject({ status: 400, json: { code: 'MALFORMED_REQUEST' } });
    }
    const done = await resolve({ choice: 'recapture', why: 'too dark' });
    expect(done).toMatchObject({ status: 200, json: { state: 'completed', next: 'recapture' } });
    expect(done.json.decidedBy).toMatch(/^API key [0-9a-f]{12}$/);
    expect(await resolve({ choice: 'fail', why: 'again' })).toMatchObject({ status: 409 });
    const acts = (await rig.audited()).filter(({ act, on }) => act === 'held.resolve' && on === object);
    expect(acts.map(({ what }) => what)).toEqual(['accept-late', 'recapture', 'fail']);
  });

  it('deletes a frame once it is acknowledged', async () => {
    await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('ack') });
    await ended(idFor('ack'));
    expect(await http.call('POST', `/v1/verifications/${idFor('ack')}/acknowledge`)).toMatchObject({
      json: { status: 'ok' },
    });
    await expect.poll(async () => (await rig.client.get(idFor('ack')))?.frame, { timeout: 50_000 }).toBe('deleted');
    expect(await http.call('GET', `/v1/verifications/${idFor('ack')}/best-frame`)).toMatchObject({ status: 404 });
  });

  it('erases with a receipt that gives the reason, idempotently, and never under a legal hold', async () => {
    await http.call('POST', '/v1/verifications?wait=30', { json: await rig.request('erase') });
    const id = idFor('erase');
    await ended(id);
    await rig.client.legalHold(id, { by: 'counsel', why: 'case 7' });
    const erase = () => http.call('DELETE', `/v1/verifications/${id}`, { headers: { 'x-purpose': 'asked by letter' } });
    expect(await erase()).toMatchObject({ status: 409, json: { code: 'LEGAL_HOLD' } });
    await rig.client.liftLegalHold(id, { by: 'counsel', why: 'closed' });
    expect(await erase()).toMatchObject({ status: 200, json: { id, why: 'asked by letter' } });
    await expect
      .poll(async () => (await http.call('GET', `/v1/verifications/${id}/receipt`)).json.complete, { timeout: 50_000 })
      .toBe(true);
    expect(await erase()).toMatchObject({ status: 200, json: { complete: true } });
    expect(await http.call('GET', `/v1/verifications/v${'0'.repeat(25)}/receipt`)).toMatchObject({ status: 404 });
    expect(await http.call('DELETE', `/v1/verifications/v${'0'.repeat(25)}`)).toMatchObject({ status: 404 });
  });

  it('steers a gate', async () => {
    const steer = (word: string) =>
      http.call('POST', '/v1/gate', {
        secret: http.operator,
        json: { region: 'ap-singapore', action: 'VideoLivenessCompare', steer: word, why: 'test' },
      });
    expect(await steer('pause')).toMatchObject({ status: 200, json: { changed: true } });
    expect((await http.call('GET', '/v1/gate', { secret: http.operator })).json.gates).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ action: 'VideoLivenessCompare', state: 'paused', why: 'test' }),
      ]),
    );
    expect(await steer('resume')).toMatchObject({ json: { changed: true } });
    expect(await steer('resume')).toMatchObject({ json: { changed: false } });
    expect(await steer('break')).toMatchObject({ status: 400 });
  });
});

it('the documentation page loads only local resources that its content policy allows', async () => {
  const answer = await http.call('GET', '/docs/', { secret: null });
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
  const html = answer.bytes.toString();
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(
    ([, path = '']) => new URL(path, `${http.url}/docs/`),
  );
  expect(loaded.length).toBeGreaterThan(3);
  for (const url of loaded) {
    expect(url.origin).toBe(http.url);
    expect((await fetch(url)).status).toBe(200);
  }
});

it('without Redis, the API answers 503 with a problem, is not ready, and stays alive', async () => {
  const away = await rig.openApi({ BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1' });
  const headers = { authorization: `Bearer ${http.secret}` };
  const refused = await fetch(`${away.url}/v1/verifications`, { headers });
  expect(refused.status).toBe(503);
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(await refused.json()).toMatchObject({ code: 'REDIS_UNAVAILABLE', cure: expect.stringContaining('same key') });
  const ready = await fetch(`${away.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    status: 'not_ready',
    reasons: [expect.stringContaining('cannot be reached')],
  });
  expect((await fetch(`${away.url}/healthz`)).status).toBe(200);
});

it('health needs no key; metrics need one', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs/']) {
    expect((await http.call('GET', path, { secret: null })).status).toBe(200);
  }
  const metrics = await http.call('GET', '/metrics', { secret: http.operator });
  expect(metrics.bytes.toString()).toMatch(/^bestframe_live \d/m);
  expect(await http.call('GET', '/metrics', { secret: null })).toMatchObject({ status: 401 });
});
