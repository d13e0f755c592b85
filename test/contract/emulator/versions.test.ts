/**
 * Tests object versions and lists through `cos-nodejs-sdk-v5`, with versioning enabled, suspended, and never enabled.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, type Lab, md5Of, openLab, REGION } from './lab.ts';

const VERSIONED = 'kept-1250000000';
const SUSPENDED = 'suspended-1250000000';
const PAGED = 'paged-1250000000';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab({
    buckets: [
      { name: BUCKET, region: REGION },
      { name: VERSIONED, region: REGION, versioning: 'Enabled' },
      { name: SUSPENDED, region: REGION },
      { name: PAGED, region: REGION, versioning: 'Enabled' },
    ],
  });
});
afterAll(() => lab.close());

interface ListEntry {
  readonly Key: string;
  readonly VersionId: string;
  readonly IsLatest: string;
}

const entries = (items: unknown) => items as readonly ListEntry[];

/** Puts an object. @returns the id of its version */
async function put(Bucket: string, Key: string, text: string): Promise<string> {
  const { ok } = await lab.cos('putObject', { Bucket, Key, Body: bytes(text) });
  expect(ok).toMatchObject({ statusCode: 200 });
  return String(ok?.VersionId);
}

/** Reads an object. @returns its content, or the error code */
async function read(Bucket: string, Key: string, VersionId?: string): Promise<unknown> {
  const { ok, error } = await lab.cos('getObject', { Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) });
  const body = ok?.Body as { base64: string } | undefined;
  return body === undefined ? error?.code : Buffer.from(body.base64, 'base64').toString();
}

async function remove(Bucket: string, Key: string, VersionId?: string): Promise<Record<string, unknown>> {
  const { ok } = await lab.cos('deleteObject', { Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) });
  expect(ok).toMatchObject({ statusCode: 204 });
  return ok?.headers as Record<string, unknown>;
}

/** Returns the versions and markers of the keys with this prefix, each as `[id, isLatest]`. */
async function list(Bucket: string, Prefix: string) {
  const { ok } = await lab.cos('listObjectVersions', { Bucket, Prefix });
  const pairs = (items: unknown) => entries(items).map(({ VersionId, IsLatest }) => [VersionId, IsLatest]);
  return { versions: pairs(ok?.Versions), markers: pairs(ok?.DeleteMarkers) };
}

describe('versioning enabled', () => {
  it('PUT and copy each create a version with an id, and every version is readable', async () => {
    const first = await put(VERSIONED, 'made', 'first');
    const second = await put(VERSIONED, 'made', 'second');
    const CopySource = `${VERSIONED}.cos.${REGION}.myqcloud.com/made?versionId=${first}`;
    const copied = await lab.cos('putObjectCopy', { Bucket: VERSIONED, Key: 'made', CopySource });
    const third = String(copied.ok?.VersionId);
    for (const id of [first, second, third]) expect(id).toMatch(/^[A-Za-z0-9_-]{27}$/);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(await read(VERSIONED, 'made')).toBe('first');
    expect(await Promise.all([first, second, third].map((id) => read(VERSIONED, 'made', id)))).toEqual([
      'first',
      'second',
      'first',
    ]);
    const head = await lab.cos('headObject', { Bucket: VERSIONED, Key: 'made', VersionId: second });
    expect(head.ok?.headers).toMatchObject({ etag: `"${md5Of(Buffer.from('second'))}"`, 'x-cos-version-id': second });
    expect(await list(VERSIONED, 'made')).toEqual({
      versions: [
        [third, 'true'],
        [second, 'false'],
        [first, 'false'],
      ],
      markers: [],
    });
  });

  it('DELETE adds a marker and keeps the versions', async () => {
    const id = await put(VERSIONED, 'marked', 'a face');
    const made = await remove(VERSIONED, 'marked');
    expect(made).toMatchObject({ 'x-cos-delete-marker': 'true', 'x-cos-version-id': expect.any(String) });
    const marker = String(made['x-cos-version-id']);
    expect(marker).not.toBe(id);
    const gone = await lab.http('GET', await lab.link('marked', { Bucket: VERSIONED }));
    expect(gone.status).toBe(404);
    expect(gone.headers).toMatchObject({ 'x-cos-delete-marker': 'true' });
    expect(gone.body.toString()).toContain('<Code>NoSuchKey</Code>');
    const head = await lab.cos('headObject', { Bucket: VERSIONED, Key: 'marked', VersionId: marker });
    expect(head.error).toMatchObject({ statusCode: 404 });
    expect(await read(VERSIONED, 'marked', id)).toBe('a face');
    expect(await list(VERSIONED, 'marked')).toEqual({ versions: [[id, 'false']], markers: [[marker, 'true']] });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('marked');

    expect(await remove(VERSIONED, 'marked', marker)).toMatchObject({
      'x-cos-delete-marker': 'true',
      'x-cos-version-id': marker,
    });
    expect(await read(VERSIONED, 'marked')).toBe('a face');
  });

  it('DELETE of a version is permanent and idempotent', async () => {
    const [older, newer] = [await put(VERSIONED, 'one-of-two', 'older'), await put(VERSIONED, 'one-of-two', 'newer')];
    for (let time = 0; time < 2; time += 1) {
      const headers = await remove(VERSIONED, 'one-of-two', newer);
      expect(headers).toMatchObject({ 'x-cos-version-id': newer });
      expect(headers).not.toHaveProperty('x-cos-delete-marker');
    }
    expect(await read(VERSIONED, 'one-of-two')).toBe('older');
    expect(await read(VERSIONED, 'one-of-two', newer)).toBe('NoSuchVersion');
    await remove(VERSIONED, 'one-of-two', older);
    expect(await list(VERSIONED, 'one-of-two')).toEqual({ versions: [], markers: [] });
  });

  it('DELETE of a deleted or unknown object adds another marker', async () => {
    await remove(VERSIONED, 'nothing');
    await remove(VERSIONED, 'nothing');
    expect((await list(VERSIONED, 'nothing')).markers.map(([, latest]) => latest)).toEqual(['true', 'false']);
  });

  it('a link reads the version that it names', async () => {
    const [older] = [await put(VERSIONED, 'by-link', 'older'), await put(VERSIONED, 'by-link', 'newer')];
    const link = await lab.link('by-link', { Bucket: VERSIONED, Query: { versionId: older } });
    expect((await lab.http('GET', link)).body.toString()).toBe('older');
    expect((await lab.http('GET', await lab.link('by-link', { Bucket: VERSIONED }))).body.toString()).toBe('newer');
  });
});

describe('versioning never enabled', () => {
  it('objects have no version ids in answers or lists', async () => {
    const { ok } = await lab.cos('putObject', { Key: 'plain', Body: bytes('x') });
    expect(ok?.headers).not.toHaveProperty('x-cos-version-id');
    expect((await lab.cos('headObject', { Key: 'plain' })).ok?.headers).not.toHaveProperty('x-cos-version-id');
    await lab.cos('putObject', { Key: 'plain', Body: bytes('y') });
    expect(await list(BUCKET, 'plain')).toEqual({ versions: [['', 'true']], markers: [] });
    const headers = await remove(BUCKET, 'plain');
    expect(headers).not.toHaveProperty('x-cos-version-id');
    expect(headers).not.toHaveProperty('x-cos-delete-marker');
    expect(await list(BUCKET, 'plain')).toEqual({ versions: [], markers: [] });
  });
});

describe('versioning enabled, then suspended', () => {
  const setVersioning = (Status: string) =>
    lab.cos('putBucketVersioning', { Bucket: SUSPENDED, VersioningConfiguration: { Status } });

  it('each object has at most one null version, written before versioning or while it is suspended', async () => {
    await put(SUSPENDED, 'a', 'before');
    await setVersioning('Enabled');
    expect(await list(SUSPENDED, 'a')).toEqual({ versions: [['null', 'true']], markers: [] });
    const id = await put(SUSPENDED, 'a', 'while on');
    await setVersioning('Suspended');
    const { ok } = await lab.cos('putObject', { Bucket: SUSPENDED, Key: 'a', Body: bytes('after') });
    expect(ok?.headers).not.toHaveProperty('x-cos-version-id');
    expect(await list(SUSPENDED, 'a')).toEqual({
      versions: [
        ['null', 'true'],
        [id, 'false'],
      ],
      markers: [],
    });
    expect(await read(SUSPENDED, 'a', 'null')).toBe('after');

    expect(await remove(SUSPENDED, 'a')).toMatchObject({ 'x-cos-delete-marker': 'true', 'x-cos-version-id': 'null' });
    expect(await read(SUSPENDED, 'a')).toBe('NoSuchKey');
    expect(await list(SUSPENDED, 'a')).toEqual({ versions: [[id, 'false']], markers: [['null', 'true']] });
    await remove(SUSPENDED, 'a', 'null');
    expect(await read(SUSPENDED, 'a')).toBe('while on');
  });
});

describe('lists', () => {
  const KEYS = ['a/1', 'a/2', 'a/é & <b>', 'b/1'];
  const ids: string[] = [];

  beforeAll(async () => {
    for (const key of [...KEYS].reverse()) ids.unshift(await put(PAGED, key, key));
    ids.splice(1, 0, await put(PAGED, 'a/2', 'again')); // the newest version of an object comes first
    await remove(PAGED, 'b/1');
  });

  /** Reads all pages by following the markers. */
  async function readPages(method: string, parameters: object, next: (page: Record<string, unknown>) => object) {
    const pages: Record<string, unknown>[] = [];
    for (let markers: object | null = {}; markers !== null; ) {
      const { ok } = await lab.cos(method, { Bucket: PAGED, ...parameters, ...markers });
      const page = ok ?? {};
      pages.push(page);
      markers = page.IsTruncated === 'true' ? next(page) : null;
    }
    return pages;
  }

  it('GET ?versions lists all versions page by page, each object’s newest first', async () => {
    const next = ({ NextKeyMarker, NextVersionIdMarker }: Record<string, unknown>) => ({
      KeyMarker: NextKeyMarker,
      VersionIdMarker: NextVersionIdMarker,
    });
    for (const MaxKeys of [1, 2, 4, 1000]) {
      const pages = await readPages('listObjectVersions', { Prefix: 'a/', MaxKeys }, next);
      expect(pages).toHaveLength(Math.ceil(4 / MaxKeys));
      const versions = pages.flatMap(({ Versions }) => entries(Versions));
      expect(versions.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest])).toEqual([
        ['a/1', ids[0], 'true'],
        ['a/2', ids[1], 'true'],
        ['a/2', ids[2], 'false'],
        ['a/é & <b>', ids[3], 'true'],
      ]);
    }
    const { ok } = await lab.cos('listObjectVersions', { Bucket: PAGED, MaxKeys: 1 });
    expect(ok).toMatchObject({
      Name: PAGED,
      Prefix: '',
      KeyMarker: '',
      VersionIdMarker: '',
      MaxKeys: '1',
      IsTruncated: 'true',
      NextKeyMarker: 'a/1',
      NextVersionIdMarker: ids[0],
      Versions: [
        {
          Key: 'a/1',
          LastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          ETag: `"${md5Of(Buffer.from('a/1'))}"`,
          Size: '3',
          StorageClass: 'STANDARD',
          Owner: { ID: '1250000000', DisplayName: '1250000000' },
        },
      ],
    });
    const markers = await lab.cos('listObjectVersions', { Bucket: PAGED, Prefix: 'b/' });
    expect(markers.ok).toMatchObject({
      IsTruncated: 'false',
      Versions: [{ Key: 'b/1', IsLatest: 'false' }],
      DeleteMarkers: [{ Key: 'b/1', IsLatest: 'true', Owner: { ID: '1250000000' } }],
    });
    expect(markers.ok).not.toHaveProperty('NextKeyMarker');
    expect(await lab.control.calls({ action: 'GetBucketObjectVersions', code: 'OK' })).not.toEqual([]);
  });

  it('start after the given object or version', async () => {
    const keys = async (markers: object) => {
      const { ok } = await lab.cos('listObjectVersions', { Bucket: PAGED, Prefix: 'a/', ...markers });
      return entries(ok?.Versions).map(({ Key, VersionId }) => (Key === 'a/2' ? VersionId : Key));
    };
    expect(await keys({ KeyMarker: 'a/2' })).toEqual(['a/é & <b>']);
    expect(await keys({ KeyMarker: 'a/2', VersionIdMarker: ids[1] })).toEqual([ids[2], 'a/é & <b>']);
    expect(await keys({ KeyMarker: 'a/2', VersionIdMarker: 'gone' })).toEqual([ids[1], ids[2], 'a/é & <b>']);
    expect(await keys({ KeyMarker: 'a/z' })).toEqual(['a/é & <b>']);
    expect(await keys({ KeyMarker: 'zz' })).toEqual([]);
  });

  it('GET lists objects by key, page by page', async () => {
    const next = ({ NextMarker }: Record<string, unknown>) => ({ Marker: NextMarker });
    for (const MaxKeys of [1, 2, 1000]) {
      const pages = await readPages('getBucket', { MaxKeys }, next);
      const contents = pages.flatMap(({ Contents }) => entries(Contents));
      expect(contents.map(({ Key }) => Key)).toEqual(['a/1', 'a/2', 'a/é & <b>']); // b/1 is deleted
    }
    const { ok } = await lab.cos('getBucket', { Bucket: PAGED, Prefix: 'a/2' });
    expect(ok).toMatchObject({ Name: PAGED, Prefix: 'a/2', Marker: '', MaxKeys: '1000', IsTruncated: 'false' });
    expect(ok?.Contents).toMatchObject([{ Key: 'a/2', ETag: `"${md5Of(Buffer.from('again'))}"`, Size: '5' }]);
  });

  it('percent-encode keys on request', async () => {
    const asked = { Bucket: PAGED, Prefix: 'a/é', EncodingType: 'url' };
    const expected = { EncodingType: 'url', Prefix: 'a/%C3%A9' };
    const key = [{ Key: 'a/%C3%A9%20%26%20%3Cb%3E' }];
    expect((await lab.cos('listObjectVersions', asked)).ok).toMatchObject({ ...expected, Versions: key });
    expect((await lab.cos('getBucket', asked)).ok).toMatchObject({ ...expected, Contents: key });
  });

  it('refuse invalid parameters', async () => {
    for (const more of [{ MaxKeys: 'many' }, { MaxKeys: -1 }, { EncodingType: 'base64' }]) {
      for (const method of ['listObjectVersions', 'getBucket']) {
        const { error } = await lab.cos(method, { Bucket: PAGED, ...more });
        expect(error).toMatchObject({ statusCode: 400, code: 'InvalidArgument' });
      }
    }
    expect((await lab.cos('listObjectVersions', { Bucket: PAGED, MaxKeys: 0 })).ok).toMatchObject({
      IsTruncated: 'false',
    });
    const missing = await lab.cos('listObjectVersions', { Bucket: 'nobody-1250000000' });
    expect(missing.error).toMatchObject({ statusCode: 404, code: 'NoSuchBucket' });
    const unsigned = await lab.http('GET', `https://${PAGED}.cos.${REGION}.myqcloud.com/?versions`);
    expect(unsigned.status).toBe(403);
  });
});

it('GET /versions lists all versions and delete markers', async () => {
  await put(VERSIONED, 'seen', 'x');
  await remove(VERSIONED, 'seen');
  const seen = (await lab.control.versions()).filter(({ key }) => key === 'seen');
  expect(seen).toMatchObject([
    { bucket: VERSIONED, latest: true, deleted: true },
    { bucket: VERSIONED, latest: false, deleted: false },
  ]);
});
