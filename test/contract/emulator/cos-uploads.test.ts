/**
 * Tests multipart uploads, lists with a delimiter and multi-object deletion in the emulator's COS, through
 * `cos-nodejs-sdk-v5`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, type Lab, md5Of, openLab, REGION } from './lab.ts';

let lab: Lab;
const MIB = 1024 * 1024;
const host = `${BUCKET}.cos.${REGION}.myqcloud.com`;
const first = randomBytes(MIB);
const second = randomBytes(1_000);
const quoted = (content: Buffer) => `"${md5Of(content)}"`;

beforeAll(async () => {
  lab = await openLab({
    buckets: [
      { name: BUCKET, region: REGION },
      { name: 'tree-1250000000', region: REGION },
      { name: 'kept-1250000000', region: REGION, versioning: 'Enabled' },
    ],
  });
});
afterAll(() => lab.close());

async function begin(Key: string, parameters = {}): Promise<{ Key: string; UploadId: string }> {
  const { ok } = await lab.cos('multipartInit', { Key, ...parameters });
  return { Key, UploadId: String(ok?.UploadId) };
}

function put(upload: object, PartNumber: number, content: Buffer, more = {}) {
  return lab.cos('multipartUpload', { ...upload, PartNumber, Body: bytes(content), ...more });
}

function complete(upload: object, Parts: readonly { PartNumber: number; ETag: string }[]) {
  return lab.cos('multipartComplete', { ...upload, Parts });
}

describe('multipart uploads', () => {
  it('become one object with the headers of their beginning', async () => {
    const upload = await begin('joined', { ContentType: 'image/png', Headers: { 'x-cos-meta-who': 'me' } });
    expect((await lab.cos('headObject', { Key: 'joined' })).error).toMatchObject({ statusCode: 404 });
    expect((await put(upload, 2, second)).ok).toMatchObject({ statusCode: 200, ETag: quoted(second) });
    expect((await put(upload, 1, Buffer.from('replaced'))).ok).toBeDefined();
    expect((await put(upload, 1, first)).ok).toMatchObject({ ETag: quoted(first) });
    const done = await complete(upload, [
      { PartNumber: 1, ETag: quoted(first) },
      { PartNumber: 2, ETag: quoted(second) },
    ]);
    const digest = createHash('md5')
      .update(Buffer.from(md5Of(first) + md5Of(second), 'hex'))
      .digest('hex');
    expect(done.ok).toMatchObject({ statusCode: 200, ETag: `"${digest}-2"` });
    const whole = Buffer.concat([first, second]);
    const plain = await lab.cos('putObject', { Key: 'plain', Body: bytes(whole) });
    const checksum = (plain.ok as { headers: Record<string, string> }).headers['x-cos-hash-crc64ecma'];
    const { ok } = await lab.cos('getObject', { Key: 'joined' });
    expect(ok).toMatchObject({ Body: bytes(whole), ETag: `"${digest}-2"` });
    expect(ok?.headers).toMatchObject({
      'content-type': 'image/png',
      'x-cos-meta-who': 'me',
      'x-cos-hash-crc64ecma': checksum,
    });
    const calls = await lab.control.calls({ object: `${BUCKET}/joined` });
    const actions = ['InitiateMultipartUpload', 'HeadObject', 'UploadPart', 'UploadPart', 'UploadPart'];
    expect(calls.map(({ action }) => action)).toEqual([...actions, 'CompleteMultipartUpload', 'GetObject']);
  });

  it('copy parts of objects', async () => {
    await lab.cos('putObject', { Key: 'source', Body: bytes(Buffer.concat([first, second])) });
    const upload = await begin('copied');
    const copy = (PartNumber: number, CopySourceRange: string) =>
      lab.cos('uploadPartCopy', { ...upload, PartNumber, CopySource: `${host}/source`, CopySourceRange });
    const head = await copy(1, `bytes=0-${MIB - 1}`);
    const tail = await copy(2, `bytes=${MIB}-${MIB + 999}`);
    expect([head.ok?.ETag, tail.ok?.ETag]).toEqual([quoted(first), quoted(second)]);
    const wrong = await copy(3, 'bytes=x');
    expect(wrong.error).toMatchObject({ statusCode: 400, code: 'InvalidArgument' });
    await complete(upload, [
      { PartNumber: 1, ETag: quoted(first) },
      { PartNumber: 2, ETag: quoted(second) },
    ]);
    expect((await lab.cos('getObject', { Key: 'copied' })).ok?.Body).toEqual(bytes(Buffer.concat([first, second])));
  });

  it('list their parts, and a bucket lists its uploads, page by page', async () => {
    const one = await begin('list/a');
    const other = await begin('list/b/c');
    for (const number of [3, 1, 2]) await put(one, number, Buffer.from(String(number)));
    const page = await lab.cos('multipartListPart', { ...one, MaxParts: 2 });
    expect(page.ok).toMatchObject({ IsTruncated: 'true', NextPartNumberMarker: '2' });
    expect(page.ok?.Part).toMatchObject([
      { PartNumber: '1', ETag: quoted(Buffer.from('1')), Size: '1' },
      { PartNumber: '2' },
    ]);
    const rest = await lab.cos('multipartListPart', { ...one, PartNumberMarker: '2' });
    expect(rest.ok).toMatchObject({ IsTruncated: 'false', Part: [{ PartNumber: '3' }] });
    const uploads = await lab.cos('multipartList', { Prefix: 'list/', MaxUploads: 1 });
    expect(uploads.ok).toMatchObject({ IsTruncated: 'true', Upload: [{ Key: 'list/a', UploadId: one.UploadId }] });
    const markers = { KeyMarker: uploads.ok?.NextKeyMarker, UploadIdMarker: uploads.ok?.NextUploadIdMarker };
    const next = await lab.cos('multipartList', { Prefix: 'list/', ...markers });
    expect(next.ok).toMatchObject({ IsTruncated: 'false', Upload: [{ UploadId: other.UploadId }] });
    const folders = await lab.cos('multipartList', { Prefix: 'list/', Delimiter: '/' });
    expect(folders.ok).toMatchObject({ Upload: [{ Key: 'list/a' }], CommonPrefixes: { Prefix: 'list/b/' } });
  });

  it('can be aborted, after which nothing is left of them: NoSuchUpload', async () => {
    const upload = await begin('aborted');
    await put(upload, 1, first);
    expect((await lab.cos('multipartAbort', upload)).ok).toMatchObject({ statusCode: 204 });
    const late = [
      await put(upload, 2, second),
      await complete(upload, [{ PartNumber: 1, ETag: quoted(first) }]),
      await lab.cos('multipartListPart', upload),
      await lab.cos('multipartAbort', upload),
      await put({ ...upload, UploadId: (await begin('other')).UploadId }, 1, second),
    ];
    for (const { error } of late) expect(error).toMatchObject({ statusCode: 404, code: 'NoSuchUpload' });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('aborted');
  });

  it('answer InvalidPart, InvalidPartOrder, EntityTooSmall or MalformedXML for parts that make no object', async () => {
    const upload = await begin('refused');
    await put(upload, 1, second);
    await put(upload, 2, second);
    const part = (PartNumber: number, content = second) => ({ PartNumber, ETag: quoted(content) });
    for (const [parts, code] of [
      [[part(1, first)], 'InvalidPart'],
      [[part(3)], 'InvalidPart'],
      [[part(2), part(1)], 'InvalidPartOrder'],
      [[part(1), part(2)], 'EntityTooSmall'],
      [[], 'MalformedXML'],
    ] as const)
      expect((await complete(upload, parts)).error, code).toMatchObject({ statusCode: 400, code });
    expect((await complete(upload, [part(2)])).ok).toMatchObject({ statusCode: 200 });
  });

  it('check number and Content-MD5 of each part', async () => {
    const upload = await begin('checked');
    for (const number of [0, 10_001])
      expect((await put(upload, number, second)).error).toMatchObject({ statusCode: 400 });
    const ContentMD5 = Buffer.alloc(16).toString('base64');
    expect((await put(upload, 1, second, { ContentMD5 })).error).toMatchObject({ code: 'BadDigest' });
    expect((await lab.cos('multipartListPart', upload)).ok?.Part).toEqual([]);
  });

  it('are what the SDK does above 1 MB, and leave no file of a part', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'bestframe-upload-'));
    const content = randomBytes(3 * MIB + 17);
    await writeFile(join(dir, 'large'), content);
    const uploaded = await lab.cos('uploadFile', { Key: 'large', FilePath: join(dir, 'large'), SliceSize: MIB });
    await rm(dir, { recursive: true });
    expect(uploaded.ok).toMatchObject({ statusCode: 200 });
    const [stored] = (await lab.control.objects()).filter(({ key }) => key === 'large');
    expect(stored).toMatchObject({ sizeBytes: content.length, md5: md5Of(content) });
    const parts = join(dirname(lab.emulator.logFile), 'parts');
    await access(parts);
    const before = (await readdir(parts)).length;
    const upload = await begin('small');
    await put(upload, 1, second);
    expect(await readdir(parts)).toHaveLength(before + 1);
    await complete(upload, [{ PartNumber: 1, ETag: quoted(second) }]);
    expect(await readdir(parts)).toHaveLength(before);
  });
});

describe('deleteMultipleObject', () => {
  it('deletes what exists and reports all, or nothing if quiet', async () => {
    for (const Key of ['many/1', 'many/2 & <é>', 'many/3']) await lab.cos('putObject', { Key, Body: bytes('x') });
    const Objects = ['many/1', 'many/2 & <é>', 'many/none'].map((Key) => ({ Key }));
    const deleted = await lab.cos('deleteMultipleObject', { Objects });
    expect(deleted.ok).toMatchObject({ statusCode: 200, Deleted: Objects, Error: [] });
    const quiet = await lab.cos('deleteMultipleObject', { Objects: [{ Key: 'many/3' }], Quiet: true });
    expect(quiet.ok).toMatchObject({ Deleted: [] });
    expect((await lab.control.objects()).filter(({ key }) => key.startsWith('many/'))).toEqual([]);
    const [call] = await lab.control.calls({ action: 'DeleteMultipleObjects', object: 'many/1' });
    expect(call?.objects).toContain(`${BUCKET}/many/1`);
  });

  it('adds delete markers, or removes versions that it names', async () => {
    const Bucket = 'kept-1250000000';
    const { ok } = await lab.cos('putObject', { Bucket, Key: 'x', Body: bytes('x') });
    const marked = await lab.cos('deleteMultipleObject', { Bucket, Objects: [{ Key: 'x' }] });
    expect(marked.ok).toMatchObject({
      Deleted: [{ Key: 'x', DeleteMarker: 'true', DeleteMarkerVersionId: expect.any(String) }],
    });
    const removed = await lab.cos('deleteMultipleObject', {
      Bucket,
      Objects: [{ Key: 'x', VersionId: ok?.VersionId }],
    });
    expect(removed.ok).toMatchObject({ Deleted: [{ Key: 'x', VersionId: ok?.VersionId }] });
    const left = (await lab.control.versions()).filter(({ bucket }) => bucket === Bucket);
    expect(left).toMatchObject([{ deleted: true }]);
  });

  it('answers MalformedXML for an empty list', async () => {
    const { error } = await lab.cos('deleteMultipleObject', { Objects: [] });
    expect(error).toMatchObject({ statusCode: 400, code: 'MalformedXML' });
  });
});

describe('lists with a delimiter', () => {
  it('contain each folder once in place of its objects, page by page', async () => {
    const Bucket = 'tree-1250000000';
    for (const Key of ['a', 'b/1', 'b/2', 'b/c/3', 'd', 'e/4'])
      await lab.cos('putObject', { Bucket, Key, Body: bytes('x') });
    const list = (parameters: object) => lab.cos('getBucket', { Bucket, Delimiter: '/', ...parameters });
    const all = await list({});
    expect(all.ok).toMatchObject({
      Contents: [{ Key: 'a' }, { Key: 'd' }],
      CommonPrefixes: [{ Prefix: 'b/' }, { Prefix: 'e/' }],
      IsTruncated: 'false',
    });
    const inside = await list({ Prefix: 'b/' });
    expect(inside.ok).toMatchObject({
      Contents: [{ Key: 'b/1' }, { Key: 'b/2' }],
      CommonPrefixes: [{ Prefix: 'b/c/' }],
    });
    const seen: string[] = [];
    let Marker: unknown;
    for (let page = 0; page < 4; page += 1) {
      const { ok } = await list({ MaxKeys: 1, ...(Marker === undefined ? {} : { Marker }) });
      const { Contents = [], CommonPrefixes = [] } = ok as Record<string, { Key?: string; Prefix?: string }[]>;
      seen.push(...[...Contents, ...CommonPrefixes].map(({ Key, Prefix }) => Key ?? Prefix ?? ''));
      Marker = ok?.NextMarker;
    }
    expect([seen, Marker]).toEqual([['a', 'b/', 'd', 'e/'], undefined]);
    const versions = await lab.cos('listObjectVersions', { Bucket, Delimiter: '/', MaxKeys: 2 });
    expect(versions.ok).toMatchObject({ Versions: [{ Key: 'a' }], CommonPrefixes: { Prefix: 'b/' } });
    expect(versions.ok).toMatchObject({ IsTruncated: 'true', NextKeyMarker: 'b/' });
    const rest = await lab.cos('listObjectVersions', { Bucket, Delimiter: '/', KeyMarker: 'b/' });
    expect(rest.ok).toMatchObject({ Versions: [{ Key: 'd' }], CommonPrefixes: { Prefix: 'e/' } });
  });
});
