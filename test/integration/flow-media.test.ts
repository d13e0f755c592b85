/** The media of a session besides its frame: over HTTP, in both clients, and until they are deleted. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BestframeHttpClient } from '../../src/client/http/client.ts';
import type { MediumView } from '../../src/domain/verification/view.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { finishedSession } from '../support/sessions.ts';

let rig: Rig;
let http: Http;
let id: string;
let video: MediumView;
const path = (name: string, of = id) => `/v1/verifications/${of}/media/${name}`;
const acme = () => rig.client.forTenant('acme');

beforeAll(async () => {
  rig = await createRig();
  await rig.permit('acme', 'globex');
  await rig.openWorker();
  await rig.openErase();
  http = await openHttp(rig);
  id = await finishedSession(rig, acme());
  const [first] = (await acme().get(id))?.session?.media ?? [];
  video = first as MediumView;
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

describe('a medium', () => {
  it('is listed with its type, and over HTTP without its path', async () => {
    expect(video).toEqual({
      name: 'liveVideo',
      type: 'video/mp4',
      bytes: expect.any(Number),
      md5: expect.stringMatching(/^[0-9a-f]{32}$/),
      path: expect.stringContaining(`${id}.liveVideo.mp4`),
    });
    const { session } = (await http.call('GET', `/v1/verifications/${id}`)).json as { session: { media: unknown } };
    const { path: _path, ...listed } = video;
    expect(session.media).toEqual([listed]);
  });

  it('is streamed with its type and ETag, supports ranges, and answers 304 for a known ETag', async () => {
    const whole = await http.call('GET', path('liveVideo'));
    expect(whole.status).toBe(200);
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(createHash('md5').update(whole.bytes).digest('hex')).toBe(video.md5);
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toBe(`"${video.md5}"`);
    const head = await http.call('HEAD', path('liveVideo'));
    expect(head.headers.get('content-length')).toBe(String(video.bytes));
    expect((await http.call('GET', path('liveVideo'), { headers: { 'if-none-match': etag } })).status).toBe(304);
    const part = await http.call('GET', path('liveVideo'), { headers: { range: 'bytes=3-7' } });
    expect(part.status).toBe(206);
    expect(part.bytes).toEqual(whole.bytes.subarray(3, 8));
  });

  it('is read by the client', async () => {
    const client = new BestframeHttpClient({ url: http.url, key: http.secret });
    const medium = await client.media(id, 'liveVideo');
    expect(medium).toMatchObject({ bytes: video.bytes, md5: video.md5, type: 'video/mp4' });
    const bytes = Buffer.from(await new Response(medium?.stream).arrayBuffer());
    expect(createHash('md5').update(bytes).digest('hex')).toBe(video.md5);
    expect(await client.media(id, 'ocr')).toBeNull();
    await client.close();
  });

  it('is read only under its name, and only by its tenant', async () => {
    expect(await http.call('GET', path('ocr'))).toMatchObject({ status: 404, json: { code: 'NO_MEDIUM' } });
    expect((await http.call('HEAD', path('ocr'))).status).toBe(404);
    const unknown = await http.call('GET', path('portrait'));
    expect(unknown).toMatchObject({
      status: 400,
      json: { field: 'name', detail: expect.stringContaining('liveVideo') },
    });
    const stranger = await http.keyFor({ tenant: 'globex' });
    expect((await http.call('GET', path('liveVideo'), { secret: stranger })).status).toBe(404);
  });

  it('is in the audit log with its name', async () => {
    await http.call('GET', path('liveVideo'));
    expect((await rig.audited()).at(-1)).toMatchObject({ act: 'frame.read', on: id, what: 'liveVideo' });
  });

  it('is deleted with the frame when it is acknowledged', async () => {
    const own = await finishedSession(rig, acme(), 'acknowledged');
    const [{ path: file } = { path: '' }] = (await acme().get(own))?.session?.media ?? [];
    expect(existsSync(file)).toBe(true);
    expect(await acme().acknowledge(own)).toBe('ok');
    await expect
      .poll(async () => (await http.call('GET', path('liveVideo', own))).status, { timeout: 60_000 })
      .toBe(404);
    expect(existsSync(file)).toBe(false);
    // The file is deleted before the record says so.
    await expect.poll(async () => (await acme().get(own))?.session?.media).toEqual([]);
  });

  it('is deleted when the session is erased', async () => {
    const own = await finishedSession(rig, acme(), 'erased');
    const [{ path: file } = { path: '' }] = (await acme().get(own))?.session?.media ?? [];
    expect(existsSync(file)).toBe(true);
    await acme().erase(own, { by: 'officer', why: 'asked by letter' });
    await expect.poll(() => existsSync(file), { timeout: 60_000 }).toBe(false);
    expect((await http.call('GET', path('liveVideo', own))).status).toBe(410);
  });
});
