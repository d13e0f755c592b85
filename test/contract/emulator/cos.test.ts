/** Tests COS through `cos-nodejs-sdk-v5`, with signatures in headers and in links. */
import { randomBytes } from 'node:crypto';
import COS from 'cos-nodejs-sdk-v5';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, EXPIRED, type Lab, md5Of, openLab, REGION, TEMPORARY } from './lab.ts';

let lab: Lab;
const content = randomBytes(100_000);
const host = `${BUCKET}.cos.${REGION}.myqcloud.com`;
const base64Md5 = Buffer.from(md5Of(content), 'hex').toString('base64');

beforeAll(async () => {
  lab = await openLab({
    buckets: [
      { name: BUCKET, region: REGION },
      { name: 'other-1250000000', region: 'ap-hongkong' },
      { name: 'opaque-1250000000', region: REGION, opaqueEtag: true },
      { name: 'open-1250000000', region: REGION, acl: 'public-read-write', versioning: 'Enabled' },
    ],
  });
  const { ok } = await lab.cos('putObject', { Key: 'ready', Body: bytes(content), ContentType: 'image/jpeg' });
  expect(ok).toMatchObject({ statusCode: 200, ETag: `"${md5Of(content)}"` });
});
afterEach(() => lab.control.settings({ clockSkewMs: 0 }));
afterAll(() => lab.close());

describe('PutObject', () => {
  it('accepts a correct Content-MD5 and any key', async () => {
    for (const Key of ['plain', 'a/b/c.jpg', 'with space+plus&amp=é漢', "(quotes)'!*"]) {
      const put = await lab.cos('putObject', { Key, Body: bytes(content), ContentMD5: base64Md5 });
      expect(put.ok, Key).toMatchObject({ statusCode: 200, ETag: `"${md5Of(content)}"` });
      const got = await lab.cos('getObject', { Key });
      expect(got.ok?.Body, Key).toEqual(bytes(content));
    }
  });

  it('answers BadDigest for a wrong Content-MD5 and stores nothing', async () => {
    const ContentMD5 = Buffer.alloc(16).toString('base64');
    const { error } = await lab.cos('putObject', { Key: 'bad', Body: bytes(content), ContentMD5 });
    expect(error).toMatchObject({ statusCode: 400, code: 'BadDigest' });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('bad');
  });

  it('answers InvalidDigest for a malformed Content-MD5', async () => {
    const unpadded = base64Md5.replace(/=+$/, '');
    const twoDigests = Buffer.alloc(32).toString('base64');
    for (const ContentMD5 of [md5Of(content), 'x', unpadded, `${base64Md5}x`, twoDigests]) {
      const { error } = await lab.cos('putObject', { Key: 'bad', Body: bytes(content), ContentMD5 });
      expect(error).toMatchObject({ statusCode: 400, code: 'InvalidDigest' });
    }
  });

  it('overwrites an object; an opaque ETag is not its MD5', async () => {
    await lab.cos('putObject', { Key: 'twice', Body: bytes('first') });
    await lab.cos('putObject', { Key: 'twice', Body: bytes('second') });
    expect((await lab.cos('getObject', { Key: 'twice' })).ok?.Body).toEqual(bytes('second'));
    const { ok } = await lab.cos('putObject', { Bucket: 'opaque-1250000000', Key: 'x', Body: bytes(content) });
    expect(ok?.ETag).toMatch(/^"[0-9a-f]{40}"$/);
  });

  it('logs an aborted upload and stores nothing', async () => {
    await lab.breakOff('PUT', await lab.link('half', { Method: 'PUT' }), content);
    const [call] = await lab.control.waitFor({ action: 'PutObject', code: 'aborted' });
    expect(call).toMatchObject({ objects: [`${BUCKET}/half`], replied: false, billed: false });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('half');
  });
});

describe('GetObject', () => {
  it.each([
    ['bytes=0-0', 206, content.subarray(0, 1), 'bytes 0-0/100000'],
    ['bytes=99990-', 206, content.subarray(99_990), 'bytes 99990-99999/100000'],
    ['bytes=-10', 206, content.subarray(99_990), 'bytes 99990-99999/100000'],
    ['bytes=10-200000', 206, content.subarray(10), 'bytes 10-99999/100000'],
  ])('answers Range %s', async (Range, status, body, range) => {
    const { ok } = await lab.cos('getObject', { Key: 'ready', Range });
    expect(ok).toMatchObject({ statusCode: status, Body: bytes(body) });
    expect(ok?.headers).toMatchObject({ 'content-range': range, etag: `"${md5Of(content)}"` });
  });

  it('answers InvalidRange for a range past the end', async () => {
    const { error } = await lab.cos('getObject', { Key: 'ready', Range: 'bytes=100000-' });
    expect(error).toMatchObject({ statusCode: 416, code: 'InvalidRange' });
  });

  it('answers NoSuchKey for a missing object', async () => {
    const { error } = await lab.cos('getObject', { Key: 'nothing' });
    expect(error).toMatchObject({ statusCode: 404, code: 'NoSuchKey' });
  });

  it('answers InvalidURI for malformed percent-encoding', async () => {
    const reply = await lab.http('GET', `https://${host}/%E0%A4%A`);
    expect(reply.status).toBe(400);
    expect(reply.body.toString()).toContain('<Code>InvalidURI</Code>');
  });
});

describe('HeadObject, DeleteObject, CopyObject', () => {
  it('HEAD returns size, type and ETag, and its errors have no body', async () => {
    const { ok } = await lab.cos('headObject', { Key: 'ready' });
    expect(ok?.headers).toMatchObject({
      'content-length': '100000',
      'content-type': 'image/jpeg',
      etag: `"${md5Of(content)}"`,
    });
    expect((await lab.cos('headObject', { Key: 'nothing' })).error).toMatchObject({ statusCode: 404, code: '404' });
  });

  it('DELETE is idempotent', async () => {
    await lab.cos('putObject', { Key: 'gone', Body: bytes('x') });
    for (let time = 0; time < 2; time += 1) {
      expect((await lab.cos('deleteObject', { Key: 'gone' })).ok).toMatchObject({ statusCode: 204 });
    }
    expect((await lab.cos('getObject', { Key: 'gone' })).error).toMatchObject({ code: 'NoSuchKey' });
  });

  it('copies an object with its content type', async () => {
    const CopySource = `${host}/ready`;
    const { ok } = await lab.cos('putObjectCopy', { Key: 'copied', CopySource });
    expect(ok).toMatchObject({ statusCode: 200, ETag: `"${md5Of(content)}"` });
    const head = await lab.cos('headObject', { Key: 'copied' });
    expect(head.ok?.headers).toMatchObject({ 'content-type': 'image/jpeg', 'content-length': '100000' });
    const missing = await lab.cos('putObjectCopy', { Key: 'copied', CopySource: `${host}/nothing` });
    expect(missing.error).toMatchObject({ statusCode: 404, code: 'NoSuchKey' });
    const [call] = await lab.control.calls({ action: 'CopyObject' });
    expect(call).toMatchObject({ objects: [`${BUCKET}/copied`], code: 'OK', bytes: 100_000 });
  });
});

describe('buckets', () => {
  it('HEAD finds a bucket only in its own region', async () => {
    expect((await lab.cos('headBucket', {})).ok).toMatchObject({ statusCode: 200 });
    expect((await lab.cos('headBucket', { Region: 'ap-hongkong' })).error).toMatchObject({ statusCode: 404 });
  });

  it('PUT creates a bucket once', async () => {
    const made = await lab.cos('putBucket', { Bucket: 'new-1250000000' });
    expect(made.ok).toMatchObject({ statusCode: 200 });
    expect(
      (await lab.cos('putObject', { Bucket: 'new-1250000000', Key: 'x', Body: bytes('x') })).error,
    ).toBeUndefined();
    const again = await lab.cos('putBucket', { Bucket: 'new-1250000000' });
    expect(again.error).toMatchObject({ statusCode: 409, code: 'BucketAlreadyOwnedByYou' });
  });

  it('answers NoSuchBucket for another region or name', async () => {
    for (const where of [{ Region: 'ap-hongkong' }, { Bucket: 'nobody-1250000000' }]) {
      const { error } = await lab.cos('getObject', { ...where, Key: 'ready' });
      expect(error).toMatchObject({ statusCode: 404, code: 'NoSuchBucket' });
    }
  });
});

describe('bucket settings', () => {
  const allUsers = expect.objectContaining({ URI: 'http://cam.qcloud.com/groups/global/AllUsers' });

  it('?acl can be read and set; buckets are private by default, and public ones can be read unsigned', async () => {
    expect((await lab.cos('getBucketAcl', {})).ok).toMatchObject({ ACL: 'private', Grants: [{}] });
    const url = `https://${host}/ready`;
    expect((await lab.http('GET', url)).status).toBe(403);
    expect((await lab.cos('putBucketAcl', { ACL: 'public-read' })).ok).toMatchObject({ statusCode: 200 });
    const { ok } = await lab.cos('getBucketAcl', {});
    expect(ok).toMatchObject({ ACL: 'public-read', Grants: [{}, { Grantee: allUsers, Permission: 'READ' }] });
    expect((await lab.http('GET', url)).body).toEqual(content);
    expect((await lab.http('GET', `https://${host}/nothing`)).status).toBe(404);
    expect((await lab.http('PUT', `https://${host}/by-nobody`, { body: content })).status).toBe(403);
    expect((await lab.http('GET', `https://${host}/?acl`)).status).toBe(403);
    expect((await lab.cos('putBucketAcl', { ACL: 'private' })).ok).toMatchObject({ statusCode: 200 });
    expect((await lab.http('GET', url)).status).toBe(403);
  });

  it('start with the values from startEmulator or PutBucket', async () => {
    const Bucket = 'open-1250000000';
    expect((await lab.cos('getBucketAcl', { Bucket })).ok).toMatchObject({ ACL: 'public-read-write' });
    const open = `https://${Bucket}.cos.${REGION}.myqcloud.com/x`;
    expect((await lab.http('PUT', open, { body: content })).status).toBe(200);
    expect((await lab.cos('getBucketVersioning', { Bucket })).ok).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
    });
    await lab.cos('putBucket', { Bucket: 'readable-1250000000', ACL: 'public-read' });
    expect((await lab.cos('getBucketAcl', { Bucket: 'readable-1250000000' })).ok).toMatchObject({ ACL: 'public-read' });
  });

  it('?versioning can be read and set to each status', async () => {
    const status = async () => (await lab.cos('getBucketVersioning', {})).ok?.VersioningConfiguration;
    expect(await status()).toEqual({});
    for (const Status of ['Enabled', 'Suspended']) {
      const put = await lab.cos('putBucketVersioning', { VersioningConfiguration: { Status } });
      expect(put.ok).toMatchObject({ statusCode: 200 });
      expect(await status()).toEqual({ Status });
    }
  });

  it('?lifecycle can be read and set; a bucket has no rules at first', async () => {
    const none = await lab.cos('getBucketLifecycle', {});
    expect(none.ok).toMatchObject({ Rules: [], statusCode: 404 });
    const missing = (await lab.control.calls({ action: 'GetBucketLifecycle' })).at(-1);
    expect(missing).toMatchObject({ code: 'NoSuchLifecycleConfiguration' });
    const Rules = ['a/', 'b & c/'].map((Prefix, index) => ({
      ID: `rule-${index}`,
      Status: 'Enabled',
      Filter: { Prefix },
      Expiration: { Days: '1' },
    }));
    expect((await lab.cos('putBucketLifecycle', { Rules })).ok).toMatchObject({ statusCode: 200 });
    expect((await lab.cos('getBucketLifecycle', {})).ok).toMatchObject({ Rules });
  });

  it('answers InvalidArgument or MalformedXML for invalid settings and changes nothing', async () => {
    const { Rules: before } = (await lab.cos('getBucketLifecycle', {})).ok ?? expect.fail();
    const { error } = await lab.cos('putBucketAcl', { ACL: 'everybody' });
    expect(error).toMatchObject({ statusCode: 400, code: 'InvalidArgument' });
    const versioning = await lab.cos('putBucketVersioning', { VersioningConfiguration: { Status: 'Off' } });
    expect(versioning.error).toMatchObject({ statusCode: 400, code: 'MalformedXML' });
    const rule = { ID: 'twice', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: '1' } };
    for (const Rules of [[rule, rule], [{ ...rule, Status: 'On' }], [{ ID: 'idle', Status: 'Enabled', Filter: {} }]]) {
      const { error } = await lab.cos('putBucketLifecycle', { Rules });
      expect(error).toMatchObject({ statusCode: 400, code: 'MalformedXML' });
    }
    expect((await lab.cos('getBucketAcl', {})).ok).toMatchObject({ ACL: 'private' });
    expect((await lab.cos('getBucketLifecycle', {})).ok?.Rules).toEqual(before);
  });

  it('require an existing bucket', async () => {
    const missing = await lab.cos('getBucketAcl', { Bucket: 'nobody-1250000000' });
    expect(missing.error).toMatchObject({ statusCode: 404, code: 'NoSuchBucket' });
  });

  it('DELETE ?lifecycle removes all rules', async () => {
    expect((await lab.cos('deleteBucketLifecycle', {})).ok).toMatchObject({ statusCode: 204 });
    expect((await lab.cos('getBucketLifecycle', {})).ok).toMatchObject({ Rules: [], statusCode: 404 });
  });

  it('are covered by signatures: a link to one setting is not valid for another', async () => {
    const { secretId: SecretId, secretKey: SecretKey } = lab.emulator.credentials;
    const asked = { Method: 'GET', Bucket: BUCKET, Region: REGION, Pathname: '/', Query: { acl: '' } } as const;
    const signature = COS.getAuthorization({ SecretId, SecretKey, ...asked });
    const read = await lab.http('GET', `https://${host}/?acl&${signature}`);
    expect(read.body.toString()).toContain('<AccessControlPolicy>');
    expect((await lab.http('GET', `https://${host}/?versioning&${signature}`)).status).toBe(403);
  });
});

describe('signatures in headers', () => {
  it('answers SignatureDoesNotMatch for a wrong secret', async () => {
    const credential = { ...lab.emulator.credentials, secretKey: 'another' };
    const { error } = await lab.cos('getObject', { Key: 'ready' }, { credential });
    expect(error).toMatchObject({ statusCode: 403, code: 'SignatureDoesNotMatch' });
  });

  it('answers InvalidAccessKeyId for an unknown id and for a missing or wrong token', async () => {
    const { secretId, secretKey } = TEMPORARY;
    for (const credential of [
      { secretId: 'AKIDnobody', secretKey: 'x' },
      { secretId, secretKey },
      { ...TEMPORARY, token: 'x' },
    ]) {
      const { error } = await lab.cos('getObject', { Key: 'ready' }, { credential });
      expect(error).toMatchObject({ statusCode: 403, code: 'InvalidAccessKeyId' });
    }
    expect((await lab.cos('getObject', { Key: 'ready' }, { credential: TEMPORARY })).error).toBeUndefined();
  });

  it('answers ExpiredToken for an expired token', async () => {
    const { error } = await lab.cos('getObject', { Key: 'ready' }, { credential: EXPIRED });
    expect(error).toMatchObject({ statusCode: 400, code: 'ExpiredToken' });
  });

  it.each([
    ['RequestTimeTooSkewed', -3_600_000],
    ['AccessDenied', 3_600_000],
  ])(
    'answers %s if clocks differ, until the SDK corrects its clock from the Date header',
    async (code, clockSkewMs) => {
      await lab.control.settings({ clockSkewMs });
      const options = { CorrectClockSkew: false };
      expect((await lab.cos('getObject', { Key: 'ready' }, { options })).error).toMatchObject({
        statusCode: 403,
        code,
      });
      expect((await lab.cos('getObject', { Key: 'ready' })).ok).toMatchObject({ statusCode: 200 });
    },
  );

  it('answers AccessDenied without a signature or with a malformed time', async () => {
    const bare = await lab.http('GET', `https://${host}/ready`);
    expect(bare.status).toBe(403);
    expect(bare.body.toString()).toContain('<Code>AccessDenied</Code>');
    const malformedTime = (await lab.link('ready')).replace(/q-sign-time=[^&]*/, 'q-sign-time=x');
    expect((await lab.http('GET', malformedTime)).body.toString()).toContain('<Code>AccessDenied</Code>');
  });

  it('cover the parameters and headers that they list', async () => {
    const Query = {
      'response-content-type': 'text/plain; charset=utf-8',
      'response-expires': 'never',
      'X+odd/name': 'v&=é',
    };
    const link = await lab.link('ready', { Query });
    expect((await lab.http('GET', link)).headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8' });
    const altered = link.replace('never', 'always');
    expect(altered).not.toBe(link);
    expect((await lab.http('GET', altered)).status).toBe(403);
    const put = await lab.link('with-headers', { Method: 'PUT', Headers: { 'Content-Type': 'image/png' } });
    const body = Buffer.from('x');
    expect((await lab.http('PUT', put, { body, headers: { 'content-type': 'image/png' } })).status).toBe(200);
    expect((await lab.http('PUT', put, { body, headers: { 'content-type': 'image/gif' } })).status).toBe(403);
  });
});

describe('links', () => {
  it('PUT, GET, HEAD and DELETE, each with its own link', async () => {
    const links = await Promise.all(['PUT', 'GET', 'HEAD', 'DELETE'].map((Method) => lab.link('by-link', { Method })));
    const [put = '', get = '', head = '', remove = ''] = links;
    expect((await lab.http('PUT', put, { body: content })).status).toBe(200);
    expect((await lab.http('GET', get)).body).toEqual(content);
    expect((await lab.http('HEAD', head)).headers).toMatchObject({ 'content-length': '100000' });
    expect((await lab.http('HEAD', get)).status).toBe(403);
    const removed = await lab.http('DELETE', remove);
    expect(removed.status).toBe(204);
    expect(removed.headers).not.toHaveProperty('content-length');
    expect((await lab.http('GET', get)).status).toBe(404);
  });

  it('can override headers of the answer', async () => {
    const Query = {
      'response-content-type': 'application/json',
      'response-content-disposition': 'attachment; filename="a b.json"',
      'response-cache-control': 'no-store',
    };
    const reply = await lab.http('GET', await lab.link('ready', { Query }));
    expect(reply.headers).toMatchObject({
      'content-type': 'application/json',
      'content-disposition': 'attachment; filename="a b.json"',
      'cache-control': 'no-store',
    });
  });

  it('carry a session token and are refused without it', async () => {
    const link = await lab.link('ready', {}, { credential: TEMPORARY });
    // The SDK does not encode the token, so a `+` in the token must be encoded by hand.
    const token = TEMPORARY.token ?? '';
    const encoded = link.replace(`=${token}`, `=${encodeURIComponent(token)}`);
    expect(encoded).toContain('x-cos-security-token=session%2Btoken%2Fwith%3Dsigns');
    expect((await lab.http('GET', encoded)).body).toEqual(content);
    const without = encoded.replace(/&x-cos-security-token=[^&]*/, '');
    const reply = await lab.http('GET', without);
    expect(reply.status).toBe(403);
    expect(reply.body.toString()).toContain('<Code>InvalidAccessKeyId</Code>');
  });

  it('expire', async () => {
    const link = await lab.link('ready', { Expires: 60 });
    expect((await lab.http('GET', link)).status).toBe(200);
    await lab.control.settings({ clockSkewMs: 70_000 });
    const late = await lab.http('GET', link);
    expect(late.status).toBe(403);
    expect(late.body.toString()).toContain('<Message>Request has expired</Message>');
  });
});

describe('the proxy', () => {
  it('refuses unknown hosts and requests that are not proxy requests', async () => {
    await expect(lab.http('GET', 'https://example.com/')).rejects.toThrow();
    const direct = await fetch(`${lab.emulator.proxyUrl}/ready`);
    expect(direct.status).toBe(400);
    expect(await direct.text()).toContain('This is a proxy');
  });

  it('serves the pages that a test publishes for other hosts', async () => {
    await lab.control.putOrigin('https://files.example.com/photo.jpg', content);
    await lab.control.putOrigin('https://files.example.com/moved', Buffer.alloc(0), {
      location: 'https://a.example.com/x',
    });
    await lab.control.putOrigin('https://files.example.com/sick', Buffer.alloc(0), { status: 503 });
    expect((await lab.http('GET', 'https://files.example.com/photo.jpg?signed=1')).body).toEqual(content);
    const moved = await lab.http('GET', 'https://files.example.com/moved');
    expect(moved).toMatchObject({ status: 302, headers: { location: 'https://a.example.com/x' } });
    expect((await lab.http('GET', 'https://files.example.com/sick')).status).toBe(503);
    expect((await lab.http('GET', 'https://files.example.com/other')).status).toBe(404);
    const calls = await lab.control.calls({ service: 'origin' });
    expect(calls.map(({ code }) => code)).toEqual(['200', '302', '503', '404']);
  });
});
