/** Tests the headers of COS's answers, the headers that are stored with an object, and conditional reads and copies. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, type Lab, md5Of, openLab, REGION } from './lab.ts';

let lab: Lab;
const host = `${BUCKET}.cos.${REGION}.myqcloud.com`;
/** The usual text for testing a CRC implementation. CRC specifications state its checksum. */
const CHECKED = '123456789';
const CHECKSUM = '11051210869376104954';
const past = 'Wed, 01 Jan 2020 00:00:00 GMT';
const future = 'Fri, 01 Jan 2100 00:00:00 GMT';
const etag = `"${md5Of(Buffer.from(CHECKED))}"`;

beforeAll(async () => {
  lab = await openLab({
    buckets: [
      { name: BUCKET, region: REGION },
      { name: 'kept-1250000000', region: REGION, versioning: 'Enabled' },
    ],
  });
  await lab.cos('putObject', { Key: 'ready', Body: bytes(CHECKED) });
});
afterAll(() => lab.close());

/** Sends a plain request through the proxy. @returns the answer's header names as they were sent. */
function headerNames(method: string, link: string): Promise<string[]> {
  const { port } = new URL(lab.emulator.proxyUrl);
  const url = link.replace('https:', 'http:');
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path: url, headers: { host } }, (reply) => {
      reply.resume();
      resolve(reply.rawHeaders.filter((_, index) => index % 2 === 0));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('answers', () => {
  it('write header names in COS’s case', async () => {
    const names = await headerNames('GET', await lab.link('ready'));
    for (const name of ['ETag', 'Content-Type', 'Content-Length', 'Last-Modified', 'Accept-Ranges', 'Date', 'Server'])
      expect(names).toContain(name);
    expect(names).toContain('x-cos-request-id');
    expect(names).toContain('x-cos-hash-crc64ecma');
  });

  it('have a request id and the server’s name, and errors a trace id that is also in their body', async () => {
    const good = await lab.http('GET', await lab.link('ready'));
    expect(good.headers).toMatchObject({ server: 'tencent-cos', 'x-cos-request-id': expect.any(String) });
    expect(good.headers).not.toHaveProperty('x-cos-trace-id');
    const bad = await lab.http('GET', await lab.link('nothing'));
    const { 'x-cos-request-id': requestId, 'x-cos-trace-id': traceId } = bad.headers;
    expect(bad.headers.server).toBe('tencent-cos');
    expect(good.headers).not.toHaveProperty('keep-alive');
    expect(bad.body.toString()).toContain(`<RequestId>${requestId}</RequestId>`);
    expect(bad.body.toString()).toContain(`<TraceId>${traceId}</TraceId>`);
  });

  it('have the CRC-64 of the content, for PUT, GET, HEAD and copy', async () => {
    const checksum = { 'x-cos-hash-crc64ecma': CHECKSUM };
    const put = await lab.cos('putObject', { Key: 'checked', Body: bytes(CHECKED) });
    const get = await lab.cos('getObject', { Key: 'checked' });
    const head = await lab.cos('headObject', { Key: 'checked' });
    const copy = await lab.cos('putObjectCopy', { Key: 'checked-2', CopySource: `${host}/checked` });
    for (const { ok } of [put, get, head, copy]) expect(ok?.headers).toMatchObject(checksum);
    // Calculated with Python's crcmod.
    const long = Buffer.alloc(100_003, 'bestframe');
    const whole = await lab.cos('putObject', { Key: 'long', Body: bytes(long) });
    expect(whole.ok?.headers).toMatchObject({ 'x-cos-hash-crc64ecma': '6915021740255738627' });
  });
});

describe('objects', () => {
  it('keep content headers and metadata, and return them', async () => {
    const Headers = { 'x-cos-meta-origin': 'phone', 'Content-Language': 'en', Expires: future };
    const stored = { CacheControl: 'no-store', ContentDisposition: 'attachment', ContentEncoding: 'identity' };
    await lab.cos('putObject', { Key: 'dressed', Body: bytes('x'), ContentType: 'image/png', ...stored, Headers });
    const expected = {
      'content-type': 'image/png',
      'cache-control': 'no-store',
      'content-disposition': 'attachment',
      'content-encoding': 'identity',
      'content-language': 'en',
      expires: future,
      'x-cos-meta-origin': 'phone',
    };
    for (const method of ['getObject', 'headObject'])
      expect((await lab.cos(method, { Key: 'dressed' })).ok?.headers).toMatchObject(expected);
  });

  it('get a type by their file extension if they have none', async () => {
    for (const [key, type] of [
      ['a.JPG', 'image/jpeg'],
      ['a/b.mp4', 'video/mp4'],
      ['a.txt', 'text/plain'],
      ['a.unknown', 'application/octet-stream'],
      ['gz', 'application/octet-stream'],
    ] as const) {
      const link = await lab.link(key, { Method: 'PUT' });
      expect((await lab.http('PUT', link, { body: Buffer.from('x') })).status).toBe(200);
      expect((await lab.http('GET', await lab.link(key))).headers['content-type']).toBe(type);
    }
  });

  it('are not overwritten with x-cos-forbid-overwrite, unless their bucket has versioning', async () => {
    const Headers = { 'x-cos-forbid-overwrite': 'true' };
    const attempts = [
      await lab.cos('putObject', { Key: 'ready', Body: bytes('y'), Headers }),
      await lab.cos('putObjectCopy', { Key: 'ready', CopySource: `${host}/ready`, Headers }),
      await lab.cos('multipartInit', { Key: 'ready', Headers }),
    ];
    for (const { error } of attempts) expect(error).toMatchObject({ statusCode: 409, code: 'FileAlreadyExists' });
    expect((await lab.cos('getObject', { Key: 'ready' })).ok?.Body).toEqual(bytes(CHECKED));
    for (let time = 0; time < 2; time += 1) {
      const put = await lab.cos('putObject', { Bucket: 'kept-1250000000', Key: 'x', Body: bytes('y'), Headers });
      expect(put.ok).toMatchObject({ statusCode: 200 });
    }
  });

  it('keep their metadata when copied, or get that of the request with Replaced', async () => {
    const first = { ContentType: 'image/png', Headers: { 'x-cos-meta-who': 'first' } };
    await lab.cos('putObject', { Key: 'source', Body: bytes('x'), ...first });
    const copy = { CopySource: `${host}/source`, ContentType: 'image/gif' };
    const second = { 'x-cos-meta-who': 'second' };
    await lab.cos('putObjectCopy', { Key: 'kept', ...copy, Headers: second });
    await lab.cos('putObjectCopy', { Key: 'new', ...copy, MetadataDirective: 'Replaced', Headers: second });
    const kept = await lab.cos('headObject', { Key: 'kept' });
    expect(kept.ok?.headers).toMatchObject({ 'content-type': 'image/png', 'x-cos-meta-who': 'first' });
    const replaced = await lab.cos('headObject', { Key: 'new' });
    expect(replaced.ok?.headers).toMatchObject({ 'content-type': 'image/gif', 'x-cos-meta-who': 'second' });
    const wrong = await lab.cos('putObjectCopy', { Key: 'new', ...copy, MetadataDirective: 'Merge' });
    expect(wrong.error).toMatchObject({ statusCode: 400, code: 'InvalidArgument' });
  });
});

describe('conditions', () => {
  it.each([
    ['if-match', etag, 200],
    ['if-match', '"other"', 412],
    ['if-match', '*', 200],
    ['if-none-match', etag, 304],
    ['if-none-match', '"other"', 200],
    ['if-modified-since', past, 200],
    ['if-modified-since', future, 304],
    ['if-modified-since', 'yesterday', 200],
    ['if-unmodified-since', past, 412],
    ['if-unmodified-since', future, 200],
  ])('GET and HEAD with %s: %s answer %i', async (name, value, status) => {
    for (const Method of ['GET', 'HEAD'] as const) {
      const reply = await lab.http(Method, await lab.link('ready', { Method }), { headers: { [name]: value } });
      expect(reply.status, Method).toBe(status);
      if (status === 304) expect([reply.headers.etag, reply.body.length]).toEqual([etag, 0]);
    }
  });

  it('answer PreconditionFailed for a condition that does not hold, and an ETag decides before a date', async () => {
    const failed = await lab.http('GET', await lab.link('ready'), { headers: { 'if-match': '"other"' } });
    expect(failed.body.toString()).toContain('<Code>PreconditionFailed</Code>');
    const headers = { 'if-match': etag, 'if-unmodified-since': past };
    expect((await lab.http('GET', await lab.link('ready'), { headers })).status).toBe(200);
    const fresh = { 'if-none-match': '"other"', 'if-modified-since': future };
    expect((await lab.http('GET', await lab.link('ready'), { headers: fresh })).status).toBe(200);
  });

  it('of a copy answer PreconditionFailed and copy nothing', async () => {
    const copy = (Headers: object) => lab.cos('putObjectCopy', { Key: 'copy', CopySource: `${host}/ready`, Headers });
    for (const Headers of [
      { 'x-cos-copy-source-If-Match': '"other"' },
      { 'x-cos-copy-source-If-None-Match': etag },
      { 'x-cos-copy-source-If-Modified-Since': future },
      { 'x-cos-copy-source-If-Unmodified-Since': past },
    ])
      expect((await copy(Headers)).error).toMatchObject({ statusCode: 412, code: 'PreconditionFailed' });
    expect((await lab.cos('headObject', { Key: 'copy' })).error).toMatchObject({ statusCode: 404 });
    expect((await copy({ 'x-cos-copy-source-If-Match': etag })).ok).toMatchObject({ statusCode: 200 });
  });

  it('If-Range of another version selects the whole object', async () => {
    const read = async (ifRange: string) => {
      const headers = { range: 'bytes=0-0', 'if-range': ifRange };
      return (await lab.http('GET', await lab.link('ready'), { headers })).status;
    };
    expect([await read(etag), await read('"other"')]).toEqual([206, 200]);
  });
});
