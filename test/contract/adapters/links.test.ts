/** Bytes by pre-signed links, and the bucket that signs them. */
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LinkIo } from '../../../src/domain/ports.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { createBucket } from '../../../src/storage/bucket.ts';
import { unchanged } from '../../../src/storage/hashing.ts';
import { fileCredentials, staticCredentials } from '../../../src/tencent/credentials.ts';
import { createLinkIo } from '../../../src/transport/link-io.ts';
import { bypassesProxy } from '../../../src/transport/no-proxy.ts';
import { createTransport, type Transport } from '../../../src/transport/transport.ts';
import { type Bench, collect, failing, inPieces, md5Of, never, openBench, REGION, startFar } from './support.ts';

const TEMPORARY = {
  secretId: 'AKIDtemporary00000000000000000000000',
  secretKey: 'temporary-secret-key-000000000000000',
  token: 'a+b/c=d e&f',
};
const OPAQUE = { name: 'opaque-1250000000', region: REGION, opaqueEtag: true } as const;
const OWN = { name: 'own-1250000000', region: REGION } as const;
const MINUTE = 60_000;

let bench: Bench;
let links: LinkIo;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  const first = { secretId: 'AKIDown00000000000000000000000000000', secretKey: 'own-secret-key-000000000000000000000' };
  bench = await openBench({ credentials: [first, TEMPORARY], buckets: [OWN, OPAQUE] });
  links = createLinkIo(bench.transport);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  await bench.control.reset();
});
afterAll(() => bench.close());

const bytes = sampleImage('links');
const head = { sizeBytes: bytes.length, md5: md5Of(bytes), contentType: 'application/octet-stream' };
const put = (link: string, md5 = head.md5) => links.put(link, () => inPieces(bytes), { ...head, md5 }, never());
const getLink = (key: string, bucket: string = OWN.name) =>
  bench.bucket.signGet({ bucket, region: REGION, key }, MINUTE);

async function stored(key: string, bucket: string = OWN.name): Promise<string> {
  await bench.control.putObject(bucket, key, bytes);
  return getLink(key, bucket);
}

const kept = async (key: string) => (await bench.control.objects()).find((object) => object.key === key);

describe('put', () => {
  test('streams the bytes with their MD5', async () => {
    await put(await bench.bucket.signPut('put/a b+ü;(1)*%2F.jpg', MINUTE));
    expect(await kept('put/a b+ü;(1)*%2F.jpg')).toMatchObject({ sizeBytes: bytes.length, md5: head.md5 });
  });

  test('with another MD5 leaves nothing', async () => {
    const call = put(await bench.bucket.signPut('put/wrong', MINUTE), '0'.repeat(32));
    await failing(call, { service: 'cos', channel: 'error', code: 'BadDigest', sent: 'answered', class: 'transient' });
    expect(await kept('put/wrong')).toBeUndefined();
  });

  test('of a source that changed leaves nothing, and is the caller’s to mend', async () => {
    const link = await bench.bucket.signPut('put/changed', MINUTE);
    const other = Buffer.from(bytes).fill(0, 100);
    const call = links.put(
      link,
      () => unchanged(inPieces(other.subarray(0, 100), other.subarray(100)), head),
      head,
      never(),
    );
    await failing(call, { code: 'SOURCE_CHANGED', class: 'caller' });
    expect(await kept('put/changed')).toBeUndefined();
  });

  test.each([1, 2])('is repeated whole after %i dropped connections', async (times) => {
    await bench.control.fault({ kind: 'drop', action: 'PutObject', when: 'before', times });
    await put(await bench.bucket.signPut(`put/again-${times}`, MINUTE));
    expect(await kept(`put/again-${times}`)).toMatchObject({ md5: head.md5 });
  });

  test('gives up after three', async () => {
    await bench.control.fault({ kind: 'drop', action: 'PutObject', times: null });
    await failing(put(await bench.bucket.signPut('put/never', MINUTE)), {
      code: 'RESET',
      sent: 'maybe',
      class: 'transient',
    });
    expect(await bench.control.calls({ action: 'PutObject' })).toHaveLength(3);
  });

  test('with a link that was made for reading', async () => {
    await failing(put(await getLink('put/other-method')), { code: 'SignatureDoesNotMatch', class: 'account' });
  });

  test('with a link that has expired', async () => {
    const link = await bench.bucket.signPut('put/late', MINUTE);
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    await failing(put(link), { code: 'AccessDenied', class: 'account' });
  });

  test('is given up at once', async () => {
    await bench.control.fault({ kind: 'hold', action: 'PutObject' });
    const giveUp = new AbortController();
    const link = await bench.bucket.signPut('put/given-up', MINUTE);
    const call = links.put(link, () => inPieces(bytes), head, giveUp.signal);
    const failed = failing(call, { code: 'ABORTED', class: 'transient' });
    await bench.control.waitFor({ event: 'held' });
    giveUp.abort();
    await failed;
  });
});

describe('probe and hash', () => {
  test('a byte is enough where the ETag is an MD5', async () => {
    expect(await links.probe(await stored('probe/a'), never())).toEqual({ sizeBytes: bytes.length, etagMd5: head.md5 });
    expect(await bench.control.calls({ action: 'GetObject' })).toMatchObject([{ bytes: 1, status: 206 }]);
  });

  test('an ETag that is none says nothing; a full read does', async () => {
    const link = await stored('probe/opaque', OPAQUE.name);
    expect(await links.probe(link, never())).toEqual({ sizeBytes: bytes.length, etagMd5: null });
    expect(await links.hash(link, never())).toEqual({ sizeBytes: bytes.length, md5: head.md5 });
  });

  test('an object that is not there', async () => {
    const link = await getLink('probe/none');
    const expected = { service: 'cos', code: 'LINK_UNREADABLE', httpStatus: 404, class: 'reupload' } as const;
    await failing(links.probe(link, never()), expected);
    await failing(links.hash(link, never()), expected);
  });

  test('a link without a signature', async () => {
    const link = (await stored('probe/bare')).split('?')[0] ?? '';
    await failing(links.probe(link, never()), { code: 'LINK_UNREADABLE', httpStatus: 403, class: 'reupload' });
  });

  test('a link that has expired', async () => {
    const link = await stored('probe/late');
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    await failing(links.probe(link, never()), { code: 'LINK_UNREADABLE', httpStatus: 403, class: 'reupload' });
  });

  test('a hiccup is not the end', async () => {
    const link = await stored('probe/hiccup');
    await bench.control.fault({ kind: 'status', status: 503, action: 'GetObject', times: 2 });
    expect(await links.hash(link, never())).toMatchObject({ md5: head.md5 });
  });

  test('a lasting fault of COS', async () => {
    await bench.control.fault({ kind: 'status', status: 503, action: 'GetObject', times: null });
    await failing(links.probe(await stored('probe/503'), never()), { code: 'HTTP_5XX', class: 'transient' });
    await bench.control.clearFaults();
    await bench.control.fault({ kind: 'status', status: 429, retryAfterS: 3, action: 'GetObject' });
    const failure = await failing(links.probe(await stored('probe/429'), never()), { class: 'throttled' });
    expect(failure.retryAfterMs).toBe(3_000);
  });

  test('who asks for time is not asked again at once', async () => {
    const link = await stored('probe/busy');
    await bench.control.fault({ kind: 'error', status: 503, code: 'SlowDown', action: 'GetObject' });
    await failing(links.probe(link, never()), { code: 'SlowDown', class: 'throttled' });
    await bench.control.fault({ kind: 'status', status: 503, retryAfterS: 9, action: 'GetObject' });
    const failure = await failing(links.hash(link, never()), { code: 'HTTP_5XX', class: 'transient' });
    expect(failure.retryAfterMs).toBe(9_000);
    expect(await bench.control.calls({ object: 'probe/busy' })).toHaveLength(2);
  });

  test('bytes that break off are read again from the start', async () => {
    const link = await stored('probe/cut');
    await bench.control.fault({ kind: 'cut', action: 'GetObject' });
    expect(await links.hash(link, never())).toEqual({ sizeBytes: bytes.length, md5: head.md5 });
  });
});

describe('get', () => {
  test('streams an object', async () => {
    expect(await collect(await links.get(await stored('get/a'), never()))).toEqual(bytes);
  });

  test('what is gone', async () => {
    await failing(collect(await links.get(await getLink('get/none'), never())), {
      code: 'FRAME_MISSING',
      class: 'caller',
    });
  });

  test('what has expired', async () => {
    const link = await stored('get/late');
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    const failure = await failing(collect(await links.get(link, never())), { code: 'FRAME_EXPIRED', class: 'caller' });
    expect(failure.requestId).toBeDefined();
  });

  test('what nobody reads is not asked for', async () => {
    await links.get(await stored('get/unread'), never());
    expect(await bench.control.calls({ object: 'get/unread' })).toEqual([]);
  });

  test('what breaks off in the middle', async () => {
    const link = await stored('get/cut');
    await bench.control.fault({ kind: 'cut', action: 'GetObject' });
    await failing(collect(await links.get(link, never())), { code: 'RESET', class: 'transient' });
  });
});

describe('the way', () => {
  async function far(
    handler: Parameters<typeof startFar>[0],
    limits: { headersTimeoutMs?: number; bodyTimeoutMs?: number } = {},
  ): Promise<{ transport: Transport; requests: () => number; link: string }> {
    const end = await startFar(handler);
    const transport = createTransport({ mode: 'test', proxy: end.proxyUrl, caFile: end.caFile, ...limits });
    opened.push(transport, end);
    return {
      transport,
      requests: () => end.requests.length,
      link: 'https://a-1250000000.cos.x.myqcloud.com/a?q-sign=1',
    };
  }

  test('a server that never answers', async () => {
    const { transport, link } = await far(() => undefined, { headersTimeoutMs: 100 });
    await failing(createLinkIo(transport).probe(link, never()), { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('a server that stops in the middle', async () => {
    const { transport, link } = await far(
      (_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x');
      },
      { bodyTimeoutMs: 100 },
    );
    await failing(createLinkIo(transport).hash(link, never()), { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('a redirect is not followed', async () => {
    const { transport, link, requests } = await far((_request, response) => {
      response.writeHead(302, { location: 'https://elsewhere.example.com/' });
      response.end();
    });
    await failing(collect(await createLinkIo(transport).get(link, never())), { code: 'HTTP_3XX', class: 'account' });
    expect(requests()).toBe(1);
  });

  test('an answer that is no HTTP', async () => {
    const { transport, link } = await far((request) => request.socket.end('hello\r\n\r\n'));
    await failing(createLinkIo(transport).probe(link, never()), { code: 'MALFORMED_REPLY', class: 'transient' });
  });

  test('given up while bytes come: at once, and the connection with it', async () => {
    let began: (response: ServerResponse) => void = () => undefined;
    const sending = new Promise<ServerResponse>((resolve) => {
      began = resolve;
    });
    const { transport, link } = await far((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('x', () => began(response));
    });
    const giveUp = new AbortController();
    const failed = failing(createLinkIo(transport).hash(link, giveUp.signal), { code: 'ABORTED', class: 'transient' });
    const torn = once(await sending, 'close');
    giveUp.abort();
    await failed;
    await torn;
  });

  test('closing the transport ends what is on its way', async () => {
    let arrived: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { transport, link } = await far(() => arrived());
    const failed = failing(createLinkIo(transport).probe(link, never()), { class: 'transient' });
    await waiting;
    await transport.close();
    await failed;
  });

  test('a link travels as it was written', async () => {
    const urls: (string | undefined)[] = [];
    const { transport } = await far((request, response) => {
      urls.push(request.url);
      response.end('x');
    });
    const path = '/a%2Fb%20c/%E4?q-sign-time=1%3B2&q-header-list=host&q-url-param-list=';
    await collect(await createLinkIo(transport).get(`https://a-1250000000.cos.x.myqcloud.com${path}`, never()));
    expect(urls).toEqual([path]);
  });

  test.each([
    ['a.example.com', 443, 'example.com', true],
    ['example.com', 443, '.example.com', true],
    ['a.example.com', 443, '*.example.com', true],
    ['badexample.com', 443, 'example.com', false],
    ['example.com', 443, 'example.com:8443', false],
    ['example.com', 443, 'other, EXAMPLE.com:443', true],
    ['10.1.2.3', 443, '10.0.0.0/8', true],
    ['11.1.2.3', 443, '10.0.0.0/8 localhost', false],
    ['fd00::1', 443, 'fd00::/8', true],
    ['::1', 443, '[::1]:443', true],
    ['a.example.com', 443, '*', true],
    ['a.example.com', 443, undefined, false],
  ])('%s:%i past the proxy where NO_PROXY is %s: %s', (host, port, noProxy, past) => {
    expect(bypassesProxy(host, port, noProxy)).toBe(past);
  });
});

describe('the bucket', () => {
  const bucketWith = (credentials: ReturnType<typeof staticCredentials>, more = {}) =>
    createBucket({ name: OWN.name, region: REGION, credentials, transport: bench.transport, ...more });

  test('signs with temporary keys, token and all', async () => {
    const bucket = bucketWith(staticCredentials(TEMPORARY));
    await put(await bucket.signPut('bucket/temporary', MINUTE));
    const place = { bucket: OWN.name, region: REGION, key: 'bucket/temporary' };
    expect(await links.probe(await bucket.signGet(place, MINUTE), never())).toMatchObject({ etagMd5: head.md5 });
    await bucket.check(never());
  });

  test('signs no more than host, and for the default domain', async () => {
    const link = new URL(await bench.bucket.signPut('bucket/a', MINUTE));
    expect(link.hostname).toBe(`${OWN.name}.cos.${REGION}.myqcloud.com`);
    expect(link.searchParams.get('q-header-list')).toBe('host');
  });

  test('reads the keys’ file again when it changed, in place or by rename', async () => {
    const path = join(bench.dir, 'keys.json');
    const bucket = bucketWith(fileCredentials(path));
    await failing(bucket.check(never()), { code: 'NO_CREDENTIALS', sent: 'no', class: 'account' });
    await writeFile(path, JSON.stringify({ ...TEMPORARY, token: 'stale' }));
    await failing(bucket.check(never()), { code: 'NO_CREDENTIALS', sent: 'answered', class: 'account' });
    await writeFile(path, JSON.stringify(TEMPORARY));
    await bucket.check(never());
    const { secretId, secretKey } = bench.emulator.credentials;
    await writeFile(`${path}.new`, JSON.stringify({ secretId, secretKey: 'x' }));
    await rename(`${path}.new`, path);
    await failing(bucket.check(never()), { code: 'NO_CREDENTIALS', sent: 'answered', class: 'account' });
    await writeFile(`${path}.new`, JSON.stringify({ secretId, secretKey, expiresAt: Date.now() + MINUTE }));
    await rename(`${path}.new`, path);
    await bucket.check(never());
  });

  test.each([
    ['is no JSON', '{"secretId": "AKIDx", "secretKey"'],
    ['lacks a key', '{"secretId": "AKIDx"}'],
    ['has expired', `${JSON.stringify({ ...TEMPORARY, expiresAt: 1_600_000_000 })}`],
  ])('says what is wrong with a file that %s, and nothing of what it holds', async (_what, text) => {
    const path = join(bench.dir, 'wrong.json');
    await writeFile(path, text);
    const failure = await failing(bucketWith(fileCredentials(path)).signPut('a', MINUTE), {
      code: 'NO_CREDENTIALS',
      sent: 'no',
      class: 'account',
    });
    expect(failure.cause).toBeUndefined();
  });

  test('removes, and makes sure', async () => {
    await stored('bucket/gone');
    await bench.bucket.remove('bucket/gone', never());
    expect(await kept('bucket/gone')).toBeUndefined();
    const actions = (await bench.control.calls({ object: 'bucket/gone' })).map(({ action }) => action);
    expect(actions).toEqual(['DeleteObject', 'HeadObject']);
    await bench.bucket.remove('bucket/gone', never());
  });

  test('does not take for removed what it could not look at', async () => {
    await stored('bucket/refused');
    await bench.control.fault({ kind: 'error', action: 'HeadObject', code: 'AccessDenied', status: 403 });
    await failing(bench.bucket.remove('bucket/refused', never()), { httpStatus: 403, class: 'account' });
  });

  test('does not take an object for removed because its bucket is elsewhere', async () => {
    const elsewhere = bucketWith(staticCredentials(bench.emulator.credentials), { region: 'ap-hongkong' });
    await stored('bucket/elsewhere');
    await failing(elsewhere.remove('bucket/elsewhere', never()), { code: 'NoSuchBucket', class: 'account' });
    expect(await kept('bucket/elsewhere')).toBeDefined();
  });

  test('is checked: region, name, keys', async () => {
    const { credentials } = bench.emulator;
    const own = staticCredentials(credentials);
    await bucketWith(own).check(never());
    const region = { code: 'BUCKET_REGION', class: 'account' };
    await failing(bucketWith(own, { region: 'ap-hongkong' }).check(never()), region);
    await failing(bucketWith(own, { name: 'nobody-1250000000' }).check(never()), region);
    const stranger = staticCredentials({ ...credentials, secretKey: 'wrong-secret-key-0000000000000000000' });
    await failing(bucketWith(stranger).check(never()), { code: 'NO_CREDENTIALS', httpStatus: 403, class: 'account' });
  });
});
