/** Tests transfers over pre-signed links, and the bucket adapter that signs the links. */
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { fileCredentials } from '../../../src/adapters/credentials/keys-file.ts';
import { matchesHostList } from '../../../src/adapters/http/host-list.ts';
import { createTransport, type Transport } from '../../../src/adapters/http/transport.ts';
import { createBucket } from '../../../src/adapters/storage/bucket.ts';
import { verifyUnchanged } from '../../../src/adapters/storage/hashing.ts';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import type { LinkIo } from '../../../src/domain/ports.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  collect,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  startScriptedServer,
  streamOf,
} from './support.ts';

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
const head = { sizeBytes: bytes.length, md5: md5Hex(bytes), contentType: 'application/octet-stream' };
const put = (link: string, md5 = head.md5) => links.put(link, () => streamOf(bytes), { ...head, md5 }, neverAborted());
const getLink = (key: string, bucket: string = OWN.name) =>
  bench.bucket.signGet({ bucket, region: REGION, key }, MINUTE);

async function stored(key: string, bucket: string = OWN.name): Promise<string> {
  await bench.control.putObject(bucket, key, bytes);
  return getLink(key, bucket);
}

const findObject = async (key: string) => (await bench.control.objects()).find((object) => object.key === key);

describe('put', () => {
  test('streams the bytes with their MD5', async () => {
    await put(await bench.bucket.signPut('put/a b+ü;(1)*%2F.jpg', MINUTE));
    expect(await findObject('put/a b+ü;(1)*%2F.jpg')).toMatchObject({ sizeBytes: bytes.length, md5: head.md5 });
  });

  test('stores nothing if the MD5 is wrong', async () => {
    const call = put(await bench.bucket.signPut('put/wrong', MINUTE), '0'.repeat(32));
    await expectFailure(call, {
      service: 'cos',
      channel: 'error',
      code: 'BadDigest',
      sent: 'answered',
      class: 'transient',
    });
    expect(await findObject('put/wrong')).toBeUndefined();
  });

  test('stores nothing if the source changed, and fails with class caller', async () => {
    const link = await bench.bucket.signPut('put/changed', MINUTE);
    const other = Buffer.from(bytes).fill(0, 100);
    const call = links.put(
      link,
      () => verifyUnchanged(streamOf(other.subarray(0, 100), other.subarray(100)), head),
      head,
      neverAborted(),
    );
    await expectFailure(call, { code: 'SOURCE_CHANGED', class: 'caller' });
    expect(await findObject('put/changed')).toBeUndefined();
  });

  test.each([1, 2])('is repeated completely after %i dropped connections', async (times) => {
    await bench.control.fault({ kind: 'drop', action: 'PutObject', when: 'before', times });
    await put(await bench.bucket.signPut(`put/again-${times}`, MINUTE));
    expect(await findObject(`put/again-${times}`)).toMatchObject({ md5: head.md5 });
  });

  test('fails after three dropped connections', async () => {
    await bench.control.fault({ kind: 'drop', action: 'PutObject', times: null });
    await expectFailure(put(await bench.bucket.signPut('put/never', MINUTE)), {
      code: 'RESET',
      sent: 'maybe',
      class: 'transient',
    });
    expect(await bench.control.calls({ action: 'PutObject' })).toHaveLength(3);
  });

  test('fails with a link that was signed for reading', async () => {
    await expectFailure(put(await getLink('put/other-method')), { code: 'SignatureDoesNotMatch', class: 'account' });
  });

  test('fails with an expired link', async () => {
    const link = await bench.bucket.signPut('put/late', MINUTE);
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    await expectFailure(put(link), { code: 'AccessDenied', class: 'account' });
  });

  test('ends at once when the signal fires', async () => {
    await bench.control.fault({ kind: 'hold', action: 'PutObject' });
    const giveUp = new AbortController();
    const link = await bench.bucket.signPut('put/given-up', MINUTE);
    const call = links.put(link, () => streamOf(bytes), head, giveUp.signal);
    const failed = expectFailure(call, { code: 'ABORTED', class: 'transient' });
    await bench.control.waitFor({ event: 'held' });
    giveUp.abort();
    await failed;
  });
});

describe('probe and hash', () => {
  test('read one byte if the ETag is an MD5', async () => {
    expect(await links.probe(await stored('probe/a'), neverAborted())).toEqual({
      sizeBytes: bytes.length,
      etagMd5: head.md5,
    });
    expect(await bench.control.calls({ action: 'GetObject' })).toMatchObject([{ bytes: 1, status: 206 }]);
  });

  test('read the whole object if the ETag is not an MD5', async () => {
    const link = await stored('probe/opaque', OPAQUE.name);
    expect(await links.probe(link, neverAborted())).toEqual({ sizeBytes: bytes.length, etagMd5: null });
    expect(await links.hash(link, neverAborted())).toEqual({ sizeBytes: bytes.length, md5: head.md5 });
  });

  test('fail for a missing object', async () => {
    const link = await getLink('probe/none');
    const expected = { service: 'cos', code: 'LINK_UNREADABLE', httpStatus: 404, class: 'reupload' } as const;
    await expectFailure(links.probe(link, neverAborted()), expected);
    await expectFailure(links.hash(link, neverAborted()), expected);
  });

  test('fail for a link without a signature', async () => {
    const link = (await stored('probe/bare')).split('?')[0] ?? '';
    await expectFailure(links.probe(link, neverAborted()), {
      code: 'LINK_UNREADABLE',
      httpStatus: 403,
      class: 'reupload',
    });
  });

  test('fail for an expired link', async () => {
    const link = await stored('probe/late');
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    await expectFailure(links.probe(link, neverAborted()), {
      code: 'LINK_UNREADABLE',
      httpStatus: 403,
      class: 'reupload',
    });
  });

  test('are retried after a hiccup', async () => {
    const link = await stored('probe/hiccup');
    await bench.control.fault({ kind: 'status', status: 503, action: 'GetObject', times: 2 });
    expect(await links.hash(link, neverAborted())).toMatchObject({ md5: head.md5 });
  });

  test('fail after a lasting fault of COS', async () => {
    await bench.control.fault({ kind: 'status', status: 503, action: 'GetObject', times: null });
    await expectFailure(links.probe(await stored('probe/503'), neverAborted()), {
      code: 'HTTP_5XX',
      class: 'transient',
    });
    await bench.control.clearFaults();
    await bench.control.fault({ kind: 'status', status: 429, retryAfterS: 3, action: 'GetObject' });
    const failure = await expectFailure(links.probe(await stored('probe/429'), neverAborted()), { class: 'throttled' });
    expect(failure.retryAfterMs).toBe(3_000);
  });

  test('are not retried at once after a Retry-After', async () => {
    const link = await stored('probe/busy');
    await bench.control.fault({ kind: 'error', status: 503, code: 'SlowDown', action: 'GetObject' });
    await expectFailure(links.probe(link, neverAborted()), { code: 'SlowDown', class: 'throttled' });
    await bench.control.fault({ kind: 'status', status: 503, retryAfterS: 9, action: 'GetObject' });
    const failure = await expectFailure(links.hash(link, neverAborted()), { code: 'HTTP_5XX', class: 'transient' });
    expect(failure.retryAfterMs).toBe(9_000);
    expect(await bench.control.calls({ object: 'probe/busy' })).toHaveLength(2);
  });

  test('start again if the bytes break off', async () => {
    const link = await stored('probe/cut');
    await bench.control.fault({ kind: 'cut', action: 'GetObject' });
    expect(await links.hash(link, neverAborted())).toEqual({ sizeBytes: bytes.length, md5: head.md5 });
  });
});

describe('get', () => {
  test('streams an object', async () => {
    expect(await collect(await links.get(await stored('get/a'), neverAborted()))).toEqual(bytes);
  });

  test('fails for a missing object', async () => {
    await expectFailure(collect(await links.get(await getLink('get/none'), neverAborted())), {
      code: 'FRAME_MISSING',
      class: 'caller',
    });
  });

  test('fails for an expired link', async () => {
    const link = await stored('get/late');
    await bench.control.settings({ clockSkewMs: 2 * MINUTE });
    const failure = await expectFailure(collect(await links.get(link, neverAborted())), {
      code: 'FRAME_EXPIRED',
      class: 'caller',
    });
    expect(failure.requestId).toBeDefined();
  });

  test('sends no request until its result is read', async () => {
    await links.get(await stored('get/unread'), neverAborted());
    expect(await bench.control.calls({ object: 'get/unread' })).toEqual([]);
  });

  test('fails if the bytes break off', async () => {
    const link = await stored('get/cut');
    await bench.control.fault({ kind: 'cut', action: 'GetObject' });
    await expectFailure(collect(await links.get(link, neverAborted())), { code: 'RESET', class: 'transient' });
  });
});

describe('the transport below', () => {
  async function startServer(
    handler: Parameters<typeof startScriptedServer>[0],
    limits: { headersTimeoutMs?: number; bodyTimeoutMs?: number } = {},
  ): Promise<{ transport: Transport; requests: () => number; link: string }> {
    const server = await startScriptedServer(handler);
    const transport = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile, ...limits });
    opened.push(transport, server);
    return {
      transport,
      requests: () => server.requests.length,
      link: 'https://a-1250000000.cos.x.myqcloud.com/a?q-sign=1',
    };
  }

  test('fails if the server never answers', async () => {
    const { transport, link } = await startServer(() => undefined, { headersTimeoutMs: 100 });
    await expectFailure(createLinkIo(transport).probe(link, neverAborted()), {
      code: 'TIMEOUT',
      sent: 'maybe',
      class: 'transient',
    });
  });

  test('fails if the server stalls in the middle', async () => {
    const { transport, link } = await startServer(
      (_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x');
      },
      { bodyTimeoutMs: 100 },
    );
    await expectFailure(createLinkIo(transport).hash(link, neverAborted()), {
      code: 'TIMEOUT',
      sent: 'maybe',
      class: 'transient',
    });
  });

  test('does not follow a redirect', async () => {
    const { transport, link, requests } = await startServer((_request, response) => {
      response.writeHead(302, { location: 'https://elsewhere.example.com/' });
      response.end();
    });
    await expectFailure(collect(await createLinkIo(transport).get(link, neverAborted())), {
      code: 'HTTP_3XX',
      class: 'account',
    });
    expect(requests()).toBe(1);
  });

  test('fails if the answer is not HTTP', async () => {
    const { transport, link } = await startServer((request) => request.socket.end('hello\r\n\r\n'));
    await expectFailure(createLinkIo(transport).probe(link, neverAborted()), {
      code: 'MALFORMED_REPLY',
      class: 'transient',
    });
  });

  test('ends with its connection when the signal fires during a download', async () => {
    let began: (response: ServerResponse) => void = () => undefined;
    const sending = new Promise<ServerResponse>((resolve) => {
      began = resolve;
    });
    const { transport, link } = await startServer((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('x', () => began(response));
    });
    const giveUp = new AbortController();
    const failed = expectFailure(createLinkIo(transport).hash(link, giveUp.signal), {
      code: 'ABORTED',
      class: 'transient',
    });
    const torn = once(await sending, 'close');
    giveUp.abort();
    await failed;
    await torn;
  });

  test('ends pending requests when it is closed', async () => {
    let arrived: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { transport, link } = await startServer(() => arrived());
    const failed = expectFailure(createLinkIo(transport).probe(link, neverAborted()), { class: 'transient' });
    await waiting;
    await transport.close();
    await failed;
  });

  test('sends a link exactly as written', async () => {
    const urls: (string | undefined)[] = [];
    const { transport } = await startServer((request, response) => {
      urls.push(request.url);
      response.end('x');
    });
    const path = '/a%2Fb%20c/%E4?q-sign-time=1%3B2&q-header-list=host&q-url-param-list=';
    await collect(await createLinkIo(transport).get(`https://a-1250000000.cos.x.myqcloud.com${path}`, neverAborted()));
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
  ])('%s:%i with NO_PROXY %s bypasses the proxy: %s', (host, port, noProxy, expected) => {
    expect(matchesHostList(host, port, noProxy)).toBe(expected);
  });
});

describe('the bucket', () => {
  const bucketWith = (credentials: ReturnType<typeof staticCredentials>, more = {}) =>
    createBucket({ name: OWN.name, region: REGION, credentials, transport: bench.transport, ...more });

  test('signs with temporary keys and their token', async () => {
    const bucket = bucketWith(staticCredentials(TEMPORARY));
    await put(await bucket.signPut('bucket/temporary', MINUTE));
    const place = { bucket: OWN.name, region: REGION, key: 'bucket/temporary' };
    expect(await links.probe(await bucket.signGet(place, MINUTE), neverAborted())).toMatchObject({ etagMd5: head.md5 });
    await bucket.check(neverAborted());
  });

  test.each([
    [10 * MINUTE, 2 * MINUTE],
    [MINUTE, 2 * MINUTE],
  ])('signs no link of %i ms that outlives keys of %i ms, in whichever part of a second', async (ttlMs, keyLifeMs) => {
    const second = Math.floor(Date.now() / 1_000) * 1_000;
    for (const now of [0, 1, 499, 500, 501, 999].map((ms) => second + ms)) {
      vi.useFakeTimers({ now, toFake: ['Date'] });
      onTestFinished(() => void vi.useRealTimers());
      for (const past of [0, 1, 499, 500, 999]) {
        const keys = { ...TEMPORARY, expiresAt: now + keyLifeMs + past };
        const link = new URL(await bucketWith(staticCredentials(keys)).signPut('bucket/a', ttlMs));
        const [startsAt = 0, endsAt = 0] = (link.searchParams.get('q-sign-time') ?? '')
          .split(';')
          .map((s) => Number(s) * 1_000);
        expect(startsAt).toBeLessThanOrEqual(now);
        expect(endsAt).toBeLessThanOrEqual(keys.expiresAt);
        expect(endsAt).toBeGreaterThan(now + Math.min(ttlMs, keyLifeMs) - 1_000);
      }
    }
  });

  test('signs only the host header, for the default domain', async () => {
    const link = new URL(await bench.bucket.signPut('bucket/a', MINUTE));
    expect(link.hostname).toBe(`${OWN.name}.cos.${REGION}.myqcloud.com`);
    expect(link.searchParams.get('q-header-list')).toBe('host');
  });

  test('reads the credentials file again after a change, in place or by rename', async () => {
    const path = join(bench.dir, 'keys.json');
    const bucket = bucketWith(fileCredentials(path));
    await expectFailure(bucket.check(neverAborted()), { code: 'NO_CREDENTIALS', sent: 'no', class: 'account' });
    await writeFile(path, JSON.stringify({ ...TEMPORARY, token: 'stale' }));
    await expectFailure(bucket.check(neverAborted()), { code: 'NO_CREDENTIALS', sent: 'answered', class: 'account' });
    await writeFile(path, JSON.stringify(TEMPORARY));
    await bucket.check(neverAborted());
    const { secretId, secretKey } = bench.emulator.credentials;
    await writeFile(`${path}.new`, JSON.stringify({ secretId, secretKey: 'x' }));
    await rename(`${path}.new`, path);
    await expectFailure(bucket.check(neverAborted()), { code: 'NO_CREDENTIALS', sent: 'answered', class: 'account' });
    await writeFile(`${path}.new`, JSON.stringify({ secretId, secretKey, expiresAt: Date.now() + MINUTE }));
    await rename(`${path}.new`, path);
    await bucket.check(neverAborted());
  });

  test.each([
    ['is not JSON', '{"secretId": "AKIDx", "secretKey"'],
    ['lacks a key', '{"secretId": "AKIDx"}'],
    ['has expired', `${JSON.stringify({ ...TEMPORARY, expiresAt: 1_600_000_000 })}`],
  ])('explains a credentials file that %s without quoting it', async (_case, text) => {
    const path = join(bench.dir, 'wrong.json');
    await writeFile(path, text);
    const failure = await expectFailure(bucketWith(fileCredentials(path)).signPut('a', MINUTE), {
      code: 'NO_CREDENTIALS',
      sent: 'no',
      class: 'account',
    });
    expect(failure.cause).toBeUndefined();
  });

  test('confirms each removal', async () => {
    await stored('bucket/gone');
    await bench.bucket.remove('bucket/gone', neverAborted());
    expect(await findObject('bucket/gone')).toBeUndefined();
    const actions = (await bench.control.calls({ object: 'bucket/gone' })).map(({ action }) => action);
    expect(actions).toEqual(['DeleteObject', 'HeadObject']);
    await bench.bucket.remove('bucket/gone', neverAborted());
  });

  test('does not confirm a removal that it could not check', async () => {
    await stored('bucket/refused');
    await bench.control.fault({ kind: 'error', action: 'HeadObject', code: 'AccessDenied', status: 403 });
    await expectFailure(bench.bucket.remove('bucket/refused', neverAborted()), { httpStatus: 403, class: 'account' });
  });

  test('does not report an object as removed if the bucket is missing', async () => {
    const elsewhere = bucketWith(staticCredentials(bench.emulator.credentials), { region: 'ap-hongkong' });
    await stored('bucket/elsewhere');
    await expectFailure(elsewhere.remove('bucket/elsewhere', neverAborted()), {
      code: 'NoSuchBucket',
      class: 'account',
    });
    expect(await findObject('bucket/elsewhere')).toBeDefined();
  });

  test('checks region, name and keys', async () => {
    const { credentials } = bench.emulator;
    const own = staticCredentials(credentials);
    await bucketWith(own).check(neverAborted());
    const region = { code: 'BUCKET_REGION', class: 'account' };
    await expectFailure(bucketWith(own, { region: 'ap-hongkong' }).check(neverAborted()), region);
    await expectFailure(bucketWith(own, { name: 'nobody-1250000000' }).check(neverAborted()), region);
    const stranger = staticCredentials({ ...credentials, secretKey: 'wrong-secret-key-0000000000000000000' });
    await expectFailure(bucketWith(stranger).check(neverAborted()), {
      code: 'NO_CREDENTIALS',
      httpStatus: 403,
      class: 'account',
    });
  });
});
