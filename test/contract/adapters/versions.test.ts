/** Everything under a prefix, deleted: without versions, with them, and where they were once kept. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { type CheckedBucket, createBucket } from '../../../src/storage/bucket.ts';
import { bucketSettings } from '../../../src/storage/bucket-settings.ts';
import { staticCredentials } from '../../../src/tencent/credentials.ts';
import { createLinkIo } from '../../../src/transport/link-io.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { type Bench, failing, inPieces, md5Of, never, openBench, REGION, startFar } from './support.ts';

const NEVER = 'never-1250000000';
const KEPT = 'kept-1250000000';
const SUSPENDED = 'suspended-1250000000';
const TURNED = 'turned-1250000000';
const MINUTE = 60_000;
const face = sampleImage('versions');

let bench: Bench;

beforeAll(async () => {
  bench = await openBench({
    buckets: [
      { name: NEVER, region: REGION },
      { name: KEPT, region: REGION, versioning: 'Enabled' },
      { name: SUSPENDED, region: REGION, versioning: 'Suspended' },
      { name: TURNED, region: REGION, versioning: 'Enabled' },
    ],
  });
});
afterEach(() => bench.control.reset());
afterAll(() => bench.close());

const placeOf = (name: string) => {
  const credentials = staticCredentials(bench.emulator.credentials);
  return { name, region: REGION, credentials, transport: bench.transport } as const;
};
const bucketOf = (name: string) => createBucket(placeOf(name));

async function put(bucket: CheckedBucket, ...keys: readonly string[]): Promise<void> {
  const links = createLinkIo(bench.transport);
  const head = { sizeBytes: face.length, md5: md5Of(face), contentType: 'image/jpeg' };
  for (const key of keys) await links.put(await bucket.signPut(key, MINUTE), () => inPieces(face), head, never());
}

/** What is left in a bucket, markers and all. */
const left = async (name: string) =>
  (await bench.control.versions()).filter(({ bucket }) => bucket === name).map(({ key }) => key);

describe.each([
  [NEVER, 2], // image, é
  [KEPT, 5], // live and its marker, image twice, é
  [SUSPENDED, 3], // live's marker, image, é
])('removeAll in %s', (name, versions) => {
  test('leaves no version and no marker, and nobody else’s object is touched', async () => {
    const bucket = bucketOf(name);
    await put(bucket, 'f/v1/0/live', 'f/v1/0/image', 'f/v1/0/image', 'f/v1/1/é & <b>+%2F', 'f/v10/0/live', 'f/v1');
    await bucket.remove('f/v1/0/live', never());
    await put(bucket, 'f/v2/0/live');
    await bucket.remove('f/v2/0/live', never());
    const others = (await left(name)).filter((key) => !key.startsWith('f/v1/'));
    expect(others).toContain('f/v10/0/live');
    expect(await bucket.removeAll('f/v1/', never())).toEqual({ versions });
    expect(await left(name)).toEqual(others);
    expect(await bucket.removeAll('f/v1/', never())).toEqual({ versions: 0 });
  });
});

describe('removeAll', () => {
  test('what was kept before versioning was suspended goes too', async () => {
    const bucket = bucketOf(TURNED);
    await put(bucket, 'f/v1/live', 'f/v1/live');
    await bucketSettings(placeOf(TURNED)).suspendVersioning(never());
    await put(bucket, 'f/v1/live');
    await bucket.remove('f/v1/live', never());
    expect(await bucket.removeAll('f/v1/', never())).toEqual({ versions: 3 });
    expect(await left(TURNED)).toEqual([]);
  });

  test('more than a page', async () => {
    const bucket = bucketOf(KEPT);
    await put(bucket, ...Array.from({ length: 45 }, (_, index) => `f/many/${index % 5}`));
    await bench.control.reset();
    expect(await bucket.removeAll('f/many/', never())).toEqual({ versions: 45 });
    expect(await bench.control.calls({ action: 'GetBucketObjectVersions' })).toHaveLength(4);
    expect(await bench.control.calls({ action: 'DeleteObject' })).toHaveLength(45);
  });

  test.each(['', '/', 'f/v1', '/f/v1/'])('%j names no folder: nothing is asked, nothing deleted', async (prefix) => {
    await put(bucketOf(NEVER), 'f/v1/guarded');
    await bench.control.reset();
    await expect(bucketOf(NEVER).removeAll(prefix, never())).rejects.toThrow('must name a folder');
    expect(await bench.control.calls()).toEqual([]);
    expect(await left(NEVER)).toContain('f/v1/guarded');
  });

  test.each([
    ['GetBucketObjectVersions', 'name/cos:GetBucketObjectVersions'],
    ['DeleteObject', 'name/cos:DeleteObject'],
  ])('keys that may not %s: the permission is named', async (action, permission) => {
    await put(bucketOf(KEPT), 'f/refused/live');
    await bench.control.fault({ kind: 'error', action, code: 'AccessDenied', status: 403, times: null });
    const expected = { service: 'cos', code: 'AccessDenied', httpStatus: 403, class: 'account' } as const;
    const failure = await failing(bucketOf(KEPT).removeAll('f/refused/', never()), expected);
    expect(failure.message).toContain(`permit ${permission} `);
    expect(await left(KEPT)).toContain('f/refused/live');
  });

  test('a bucket that is not there is not taken for an empty one', async () => {
    const call = bucketOf('nobody-1250000000').removeAll('f/v1/', never());
    await failing(call, { service: 'cos', code: 'NoSuchBucket', class: 'account' });
  });

  test.each(['GetBucketObjectVersions', 'DeleteObject'])('a hiccup of %s is over in a moment', async (action) => {
    await put(bucketOf(KEPT), 'f/hiccup/live');
    await bench.control.fault({ kind: 'drop', action, when: 'before', times: 2 });
    expect(await bucketOf(KEPT).removeAll('f/hiccup/', never())).toEqual({ versions: 1 });
  });

  test('a DELETE that was done and not answered is sent again, and is no trouble', async () => {
    await put(bucketOf(KEPT), 'f/unanswered/live');
    await bench.control.fault({ kind: 'drop', action: 'DeleteObject', when: 'after' });
    expect(await bucketOf(KEPT).removeAll('f/unanswered/', never())).toEqual({ versions: 1 });
    expect((await left(KEPT)).filter((key) => key.startsWith('f/unanswered/'))).toEqual([]);
  });

  test('is given up at once', async () => {
    await put(bucketOf(KEPT), 'f/given-up/live');
    await bench.control.fault({ kind: 'hold', action: 'DeleteObject' });
    const giveUp = new AbortController();
    const failed = failing(bucketOf(KEPT).removeAll('f/given-up/', giveUp.signal), {
      code: 'ABORTED',
      class: 'transient',
    });
    await bench.control.waitFor({ event: 'held' });
    giveUp.abort();
    await failed;
  });
});

describe('removeVersions', () => {
  test('of one object, and of none whose key begins like it', async () => {
    const bucket = bucketOf(KEPT);
    const name = 'frames/a.jpg';
    await put(bucket, name, name, `${name}.receipt.json`, 'frames/a.jp');
    await bucket.remove(name, never());
    expect(await bucket.removeVersions(name, never())).toEqual({ versions: 3 });
    expect((await left(KEPT)).filter((key) => key.startsWith('frames/')).sort()).toEqual([
      'frames/a.jp',
      `${name}.receipt.json`,
    ]);
    expect(await bucket.removeVersions(name, never())).toEqual({ versions: 0 });
  });
});

describe('lists as no emulator gives them', () => {
  const listOf = (inner: string) => `<ListVersionsResult><Name>x-1250000000</Name>${inner}</ListVersionsResult>`;
  const version = (key: string, id = '<VersionId>1</VersionId>') => `<Version><Key>${key}</Key>${id}</Version>`;

  /** A bucket that always lists the same. @returns what was deleted. */
  async function against(xml: string, run: (bucket: CheckedBucket) => Promise<void>): Promise<string[]> {
    const deleted: string[] = [];
    const far = await startFar((request, response) => {
      if (request.method === 'DELETE') {
        deleted.push((request.url ?? '').replace(/&?q-sign-algorithm.*/, ''));
        response.writeHead(204).end();
      } else response.writeHead(200, { 'content-type': 'application/xml' }).end(xml);
    });
    const transport = createTransport({ mode: 'test', proxy: far.proxyUrl, caFile: far.caFile });
    const credentials = staticCredentials({ secretId: 'AKIDsomebody', secretKey: 'secret-key' });
    await run(createBucket({ name: 'x-1250000000', region: REGION, credentials, transport }));
    await transport.close();
    await far.close();
    return deleted;
  }

  test.each([
    ['cut short, behind a key', listOf(version('f/v1/a')).replace(/<VersionId>.*/s, '')],
    ['cut short, before the first version', listOf(version('f/v1/a')).replace(/<Version>.*/s, '')],
    ['of somebody else’s keys', listOf(version('f/v1/a') + version('g/b'))],
    ['without keys', listOf('<Version><VersionId>1</VersionId></Version>')],
    ['with a key that is no percent encoding', listOf(`<EncodingType>url</EncodingType>${version('f/v1/%E0%A4%A')}`)],
    ['that are a page', '<html>hello</html>'],
    ['that are empty', ''],
  ])('%s delete nothing', async (_what, xml) => {
    const expected = { service: 'cos', code: 'MALFORMED_REPLY', sent: 'answered', class: 'transient' } as const;
    const deleted = await against(xml, async (bucket) => {
      await failing(bucket.removeAll('f/v1/', never()), expected);
    });
    expect(deleted).toEqual([]);
  });

  test('that never end are left to the next try', async () => {
    const deleted = await against(
      listOf(version('f/v1/a') + version('f/v1/b', '<VersionId/>').replace(/Version>/g, 'DeleteMarker>')),
      async (bucket) => {
        await failing(bucket.removeAll('f/v1/', never()), { code: 'HTTP_5XX', class: 'transient' });
      },
    );
    expect(new Set(deleted)).toEqual(new Set(['/f/v1/a?versionId=1', '/f/v1/b?']));
    expect(deleted.length).toBe(100);
  });

  test('with and without whitespace, declared or not, of one or of none', async () => {
    await against(`<?xml version="1.0"?>\n${listOf('\n  <IsTruncated>false</IsTruncated>\n')}\n`, async (bucket) => {
      expect(await bucket.removeAll('f/v1/', never())).toEqual({ versions: 0 });
    });
  });
});
