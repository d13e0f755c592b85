/**
 * Tests that the emulator's COS refuses every unsupported operation by name, and checks keys, lengths, bucket names and
 * hosts.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import COS from 'cos-nodejs-sdk-v5';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, type Lab, openLab, REGION } from './lab.ts';

let lab: Lab;
const host = `${BUCKET}.cos.${REGION}.myqcloud.com`;

beforeAll(async () => {
  lab = await openLab();
  await lab.cos('putObject', { Key: 'ready', Body: bytes('x') });
});
afterAll(() => lab.close());

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Signs any request to COS, and sends it. */
async function send({ method, url, query = {}, headers = {}, body }: Asked) {
  const { secretId: SecretId, secretKey: SecretKey } = lab.emulator.credentials;
  const { pathname } = new URL(url);
  const asked = { SecretId, SecretKey, Method: method as 'GET', Pathname: decodeURIComponent(pathname), Query: query };
  const authorization = COS.getAuthorization({ ...asked, Headers: { host: new URL(url).host } });
  const parameters = Object.entries(query).map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  const reply = await lab.http(method, parameters.length === 0 ? url : `${url}?${parameters.join('&')}`, {
    headers: { ...headers, authorization },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  const text = reply.body.toString();
  return {
    ...reply,
    text,
    code: /<Code>(\w+)<\/Code>/.exec(text)?.[1],
    message: /<Message>(.*)<\/Message>/.exec(text)?.[1],
  };
}

describe('sub-resources', () => {
  const OF_BUCKETS =
    'accelerate cors domain encryption intelligenttiering inventory logging notification origin policy referer replication tagging website something-new';

  it('answers MethodNotAllowed by name for sub-resources of a bucket, and changes nothing', async () => {
    for (const name of OF_BUCKETS.split(' ')) {
      for (const method of ['PUT', 'GET', 'DELETE', 'POST']) {
        const reply = await send({
          method,
          url: `https://other-1250000000.cos.${REGION}.myqcloud.com/`,
          query: { [name]: '' },
        });
        expect([name, method, reply.status, reply.code]).toEqual([name, method, 405, 'MethodNotAllowed']);
        expect(reply.message).toContain(`${method} ?${name}`);
      }
    }
    const [call] = await lab.control.calls({ action: 'PUT ?logging' });
    expect(call).toMatchObject({ objects: ['other-1250000000'], code: 'MethodNotAllowed' });
    const created = await lab.cos('headBucket', { Bucket: 'other-1250000000' });
    expect(created.error).toMatchObject({ statusCode: 404 });
  });

  it('answers MethodNotAllowed by name for sub-resources of an object, and changes nothing', async () => {
    const names = [
      'symlink',
      'tagging',
      'acl',
      'restore',
      'append',
      'select',
      'legal-hold',
      'imageMogr2/thumbnail/!50p',
    ];
    for (const name of names) {
      for (const method of ['PUT', 'GET', 'DELETE', 'POST']) {
        const reply = await send({ method, url: `https://${host}/ready`, query: { [name]: '' } });
        expect([name, method, reply.status, reply.code]).toEqual([name, method, 405, 'MethodNotAllowed']);
      }
    }
    for (const query of [{ 'ci-process': 'ImageInfo' }, { versionId: 'x', append: '' }])
      expect((await send({ method: 'GET', url: `https://${host}/ready`, query })).status).toBe(405);
    for (const method of ['PUT', 'POST'])
      expect((await send({ method, url: `https://${host}/ready`, query: { versionId: 'x' } })).status).toBe(405);
    expect((await lab.cos('getObject', { Key: 'ready' })).ok?.Body).toEqual(bytes('x'));
  });

  it('answers MethodNotAllowed for tags by the SDK, and for grants to single accounts', async () => {
    const Tags = [{ Key: 'a', Value: 'b' }];
    const refused = [
      await lab.cos('putBucketTagging', { Tags }),
      await lab.cos('putObjectTagging', { Key: 'ready', Tags }),
      await lab.cos('putBucketAcl', { AccessControlPolicy: { Owner: { ID: 'x' }, Grants: [] } }),
    ];
    for (const { error } of refused) expect(error).toMatchObject({ statusCode: 405, code: 'MethodNotAllowed' });
    const grant = await lab.cos('putBucketAcl', { GrantRead: 'id="1001"' });
    expect(grant.error).toMatchObject({ statusCode: 501, code: 'NotImplemented' });
  });

  it('ignores a parameter with a value that COS does not know', async () => {
    expect((await send({ method: 'GET', url: `https://${host}/ready`, query: { trace: '1' } })).status).toBe(200);
  });
});

describe('headers', () => {
  it('answers NotImplemented by name for headers that ask for something else, and stores nothing', async () => {
    for (const [name, value] of [
      ['x-cos-acl', 'public-read'],
      ['x-cos-grant-read', 'id="1"'],
      ['x-cos-server-side-encryption', 'AES256'],
      ['x-cos-server-side-encryption-customer-key', 'x'],
      ['x-cos-storage-class', 'ARCHIVE'],
      ['x-cos-tagging', 'a=b'],
      ['x-cos-copy-source-range', 'bytes=0-1'],
      ['pic-operations', '{}'],
      ['if-none-match', '*'],
    ] as const) {
      const reply = await send({ method: 'PUT', url: `https://${host}/odd`, headers: { [name]: value }, body: 'x' });
      expect([name, reply.status, reply.code]).toEqual([name, 501, 'NotImplemented']);
      expect(reply.message).toContain(name);
    }
    expect((await lab.cos('headObject', { Key: 'odd' })).error).toMatchObject({ statusCode: 404 });
  });

  it('accepts headers that change nothing', async () => {
    const headers = {
      'x-cos-storage-class': 'STANDARD',
      'x-cos-acl': 'default',
      'x-cos-test': '1',
      'x-cos-traffic-limit': '819200',
    };
    expect((await send({ method: 'PUT', url: `https://${host}/plain`, headers, body: 'x' })).status).toBe(200);
  });

  it('answers MissingContentLength for a PUT without a length', async () => {
    const link = (await lab.link('endless', { Method: 'PUT' })).replace('https:', 'http:');
    const { hostname, port } = new URL(lab.emulator.proxyUrl);
    const socket = connect(Number(port), hostname);
    socket.write(`PUT ${link} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(reply.toString()).toMatch(/^HTTP\/1\.1 411 /);
    const [call] = await lab.control.waitFor({ action: 'PutObject', code: 'MissingContentLength' });
    expect(call).toMatchObject({ objects: [`${BUCKET}/endless`] });
  });
});

describe('keys', () => {
  it('answers KeyTooLong above 850 bytes', async () => {
    const put = (Key: string) => lab.cos('putObject', { Key, Body: bytes('x') });
    expect((await put('é'.repeat(425))).ok).toMatchObject({ statusCode: 200 });
    expect((await put(`${'é'.repeat(425)}x`)).error).toMatchObject({ statusCode: 400, code: 'KeyTooLong' });
  });

  it('answers InvalidURI for a key that begins with a slash, and keeps dots within a key', async () => {
    const options = { options: { ObjectKeySimplifyCheck: false } };
    for (const Key of ['//a', '/./'])
      expect((await lab.cos('putObject', { Key, Body: bytes('x') }, options)).error, Key).toMatchObject({
        code: 'InvalidURI',
      });
    expect((await lab.cos('putObject', { Key: 'a/../b', Body: bytes('dots') }, options)).ok).toBeDefined();
    expect((await lab.control.objects()).map(({ key }) => key)).toContain('a/../b');
  });

  it('answers InvalidArgument for a copy source that is no object of COS', async () => {
    const copies = ['nonsense', `${host}/`, `files.example.com/ready`, `https://${host}/ready`].map((CopySource) =>
      send({ method: 'PUT', url: `https://${host}/copy`, headers: { 'x-cos-copy-source': CopySource } }),
    );
    for (const { status, code } of await Promise.all(copies)) expect([status, code]).toEqual([400, 'InvalidArgument']);
    const headers = { 'x-cos-copy-source': `nobody-1250000000.cos.${REGION}.myqcloud.com/ready` };
    expect(await send({ method: 'PUT', url: `https://${host}/copy`, headers })).toMatchObject({ code: 'NoSuchBucket' });
  });
});

describe('hosts and buckets', () => {
  it('GET of a service or region host lists the account’s buckets', async () => {
    const namesOf = ({ text }: { text: string }) => [...text.matchAll(/<Name>(.*?)<\/Name>/g)].map(([, name]) => name);
    const all = await send({ method: 'GET', url: 'https://service.cos.myqcloud.com/' });
    expect(namesOf(all)).toEqual([BUCKET, 'bestframe-dev-bk-1250000000', 'bestframe-dev-hk-1250000000']);
    const one = await lab.cos('getService', { Region: 'ap-hongkong' });
    expect(one.ok?.Buckets).toMatchObject([{ Name: 'bestframe-dev-hk-1250000000', Location: 'ap-hongkong' }]);
    const page = await send({ method: 'GET', url: 'https://service.cos.myqcloud.com/', query: { 'max-keys': '1' } });
    expect(page.text).toContain('<IsTruncated>true</IsTruncated>');
  });

  it('a bucket in the path, and hosts in capitals, address the same objects', async () => {
    const byPath = await send({ method: 'GET', url: `https://cos.${REGION}.myqcloud.com/${BUCKET}/ready` });
    expect([byPath.status, byPath.text]).toEqual([200, 'x']);
    const listed = await send({ method: 'GET', url: `https://cos.${REGION}.myqcloud.com/${BUCKET}/` });
    expect(listed.text).toContain('<ListBucketResult>');
    const { port } = new URL(lab.emulator.proxyUrl);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`CONNECT ${host.toUpperCase()}:443 HTTP/1.1\r\n\r\n`);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(reply.toString()).toContain('200 Connection established');
  });

  it('answers BucketAccelerateNotEnabled on the acceleration domain', async () => {
    const url = `https://${BUCKET}.cos.accelerate.myqcloud.com/ready`;
    for (const method of ['GET', 'PUT'])
      expect(await send({ method, url })).toMatchObject({ status: 400, code: 'BucketAccelerateNotEnabled' });
    const [call] = await lab.control.calls({ code: 'BucketAccelerateNotEnabled' });
    expect(call).not.toHaveProperty('region');
  });

  it('hosts of unknown regions do not exist', async () => {
    for (const name of [`${BUCKET}.cos.ap-atlantis.myqcloud.com`, 'cos.ap-atlantis.myqcloud.com'])
      await expect(lab.http('GET', `https://${name}/`)).rejects.toThrow();
  });

  it('PUT answers AccessDenied for another account’s APPID, and InvalidBucketName for a wrong name', async () => {
    const put = (Bucket: string) => send({ method: 'PUT', url: `https://${Bucket}.cos.${REGION}.myqcloud.com/` });
    expect(await put('mine-1259999999')).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(await put('--1250000000')).toMatchObject({ status: 400, code: 'InvalidBucketName' });
    expect(await put(`${'a'.repeat(51)}-1250000000`)).toMatchObject({ status: 400, code: 'InvalidBucketName' });
    expect((await lab.cos('getService', {})).ok?.Buckets).toHaveLength(1);
  });

  it('GET ?location names the bucket’s region', async () => {
    expect((await lab.cos('getBucketLocation', {})).ok).toMatchObject({ LocationConstraint: REGION });
  });

  it('DELETE removes a bucket once it is empty', async () => {
    const Bucket = 'short-lived-1250000000';
    await lab.cos('putBucket', { Bucket });
    await lab.cos('putObject', { Bucket, Key: 'x', Body: bytes('x') });
    expect((await lab.cos('deleteBucket', { Bucket })).error).toMatchObject({
      statusCode: 409,
      code: 'BucketNotEmpty',
    });
    await lab.cos('deleteObject', { Bucket, Key: 'x' });
    const upload = await lab.cos('multipartInit', { Bucket, Key: 'x' });
    expect((await lab.cos('deleteBucket', { Bucket })).error).toMatchObject({ code: 'BucketNotEmpty' });
    await lab.cos('multipartAbort', { Bucket, Key: 'x', UploadId: upload.ok?.UploadId });
    expect((await lab.cos('deleteBucket', { Bucket })).ok).toMatchObject({ statusCode: 204 });
    expect((await lab.cos('headBucket', { Bucket })).error).toMatchObject({ statusCode: 404 });
  });
});
