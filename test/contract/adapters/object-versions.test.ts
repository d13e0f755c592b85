/** Tests the deletion of everything under a prefix, in buckets whose versioning is off, on, or suspended. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { createTransport } from '../../../src/adapters/http/transport.ts';
import { type CheckedBucket, createBucket } from '../../../src/adapters/storage/bucket.ts';
import { createBucketSettings } from '../../../src/adapters/storage/bucket-settings.ts';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  startScriptedServer,
  streamOf,
} from './support.ts';

const UNVERSIONED = 'unversioned-1250000000';
const VERSIONED = 'versioned-1250000000';
const SUSPENDED = 'suspended-1250000000';
const SWITCHED = 'switched-1250000000';
const MINUTE = 60_000;
const face = sampleImage('versions');

let bench: Bench;

beforeAll(async () => {
  bench = await openBench({
    buckets: [
      { name: UNVERSIONED, region: REGION },
      { name: VERSIONED, region: REGION, versioning: 'Enabled' },
      { name: SUSPENDED, region: REGION, versioning: 'Suspended' },
      { name: SWITCHED, region: REGION, versioning: 'Enabled' },
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
  const head = { sizeBytes: face.length, md5: md5Hex(face), contentType: 'image/jpeg' };
  for (const key of keys)
    await links.put(await bucket.signPut(key, MINUTE), () => streamOf(face), head, neverAborted());
}

/** Returns the keys that remain in a bucket, including delete markers. */
const remainingKeys = async (name: string) =>
  (await bench.control.versions()).filter(({ bucket }) => bucket === name).map(({ key }) => key);

describe.each([
  [UNVERSIONED, 2], // the objects `image` and `é`
  [VERSIONED, 5], // `live` and its delete marker, two versions of `image`, and `é`
  [SUSPENDED, 3], // the delete marker of `live`, the objects `image` and `é`
])('removeAll in %s', (name, versions) => {
  test('leaves no versions or markers, and touches no other object', async () => {
    const bucket = bucketOf(name);
    await put(bucket, 'f/v1/0/live', 'f/v1/0/image', 'f/v1/0/image', 'f/v1/1/é & <b>+%2F', 'f/v10/0/live', 'f/v1');
    await bucket.remove('f/v1/0/live', neverAborted());
    await put(bucket, 'f/v2/0/live');
    await bucket.remove('f/v2/0/live', neverAborted());
    const others = (await remainingKeys(name)).filter((key) => !key.startsWith('f/v1/'));
    expect(others).toContain('f/v10/0/live');
    expect(await bucket.removeAll('f/v1/', neverAborted())).toEqual({ versions });
    expect(await remainingKeys(name)).toEqual(others);
    expect(await bucket.removeAll('f/v1/', neverAborted())).toEqual({ versions: 0 });
  });
});

describe('removeAll', () => {
  test('deletes versions from before versioning was suspended', async () => {
    const bucket = bucketOf(SWITCHED);
    await put(bucket, 'f/v1/live', 'f/v1/live');
    await createBucketSettings(placeOf(SWITCHED)).suspendVersioning(neverAborted());
    await put(bucket, 'f/v1/live');
    await bucket.remove('f/v1/live', neverAborted());
    expect(await bucket.removeAll('f/v1/', neverAborted())).toEqual({ versions: 3 });
    expect(await remainingKeys(SWITCHED)).toEqual([]);
  });

  test('deletes more than one page', async () => {
    const bucket = bucketOf(VERSIONED);
    await put(bucket, ...Array.from({ length: 45 }, (_, index) => `f/many/${index % 5}`));
    await bench.control.reset();
    expect(await bucket.removeAll('f/many/', neverAborted())).toEqual({ versions: 45 });
    expect(await bench.control.calls({ action: 'GetBucketObjectVersions' })).toHaveLength(4);
    expect(await bench.control.calls({ action: 'DeleteObject' })).toHaveLength(45);
  });

  test.each(['', '/', 'f/kept', '/f/kept/'])('refuses %j, which is not a folder, and sends nothing', async (prefix) => {
    await put(bucketOf(UNVERSIONED), 'f/kept/guarded');
    await bench.control.reset();
    await expect(bucketOf(UNVERSIONED).removeAll(prefix, neverAborted())).rejects.toThrow('must name a folder');
    expect(await bench.control.calls()).toEqual([]);
    expect(await remainingKeys(UNVERSIONED)).toContain('f/kept/guarded');
  });

  test.each([
    ['GetBucketObjectVersions', 'name/cos:GetBucketObjectVersions'],
    ['DeleteObject', 'name/cos:DeleteObject'],
  ])('names the permission if the keys may not %s', async (action, permission) => {
    await put(bucketOf(VERSIONED), 'f/refused/live');
    await bench.control.fault({ kind: 'error', action, code: 'AccessDenied', status: 403, times: null });
    const expected = { service: 'cos', code: 'AccessDenied', httpStatus: 403, class: 'account' } as const;
    const failure = await expectFailure(bucketOf(VERSIONED).removeAll('f/refused/', neverAborted()), expected);
    expect(failure.message).toContain(`permit ${permission} `);
    expect(await remainingKeys(VERSIONED)).toContain('f/refused/live');
  });

  test('does not report a missing bucket as empty', async () => {
    const call = bucketOf('missing-1250000000').removeAll('f/v1/', neverAborted());
    await expectFailure(call, { service: 'cos', code: 'NoSuchBucket', class: 'account' });
  });

  test.each(['GetBucketObjectVersions', 'DeleteObject'])('retries %s after a hiccup', async (action) => {
    await put(bucketOf(VERSIONED), 'f/hiccup/live');
    await bench.control.fault({ kind: 'drop', action, when: 'before', times: 2 });
    expect(await bucketOf(VERSIONED).removeAll('f/hiccup/', neverAborted())).toEqual({ versions: 1 });
  });

  test('repeats a DELETE that was executed but not answered', async () => {
    await put(bucketOf(VERSIONED), 'f/unanswered/live');
    await bench.control.fault({ kind: 'drop', action: 'DeleteObject', when: 'after' });
    expect(await bucketOf(VERSIONED).removeAll('f/unanswered/', neverAborted())).toEqual({ versions: 1 });
    expect((await remainingKeys(VERSIONED)).filter((key) => key.startsWith('f/unanswered/'))).toEqual([]);
  });

  test('ends at once when the signal fires', async () => {
    await put(bucketOf(VERSIONED), 'f/given-up/live');
    await bench.control.fault({ kind: 'hold', action: 'DeleteObject' });
    const giveUp = new AbortController();
    const failed = expectFailure(bucketOf(VERSIONED).removeAll('f/given-up/', giveUp.signal), {
      code: 'ABORTED',
      class: 'transient',
    });
    await bench.control.waitFor({ event: 'held' });
    giveUp.abort();
    await failed;
  });
});

describe('removeVersions', () => {
  test('deletes the versions of one object, and not those of longer keys', async () => {
    const bucket = bucketOf(VERSIONED);
    const name = 'frames/a.jpg';
    await put(bucket, name, name, `${name}.receipt.json`, 'frames/a.jp');
    await bucket.remove(name, neverAborted());
    expect(await bucket.removeVersions(name, neverAborted())).toEqual({ versions: 3 });
    expect((await remainingKeys(VERSIONED)).filter((key) => key.startsWith('frames/')).sort()).toEqual([
      'frames/a.jp',
      `${name}.receipt.json`,
    ]);
    expect(await bucket.removeVersions(name, neverAborted())).toEqual({ versions: 0 });
  });
});

describe('unusual version lists', () => {
  const listOf = (inner: string) => `<ListVersionsResult><Name>x-1250000000</Name>${inner}</ListVersionsResult>`;
  const version = (key: string, id = '<VersionId>1</VersionId>') => `<Version><Key>${key}</Key>${id}</Version>`;

  /** Calls `run` with a bucket that always returns the same list. @returns the deleted keys */
  async function withList(xml: string, run: (bucket: CheckedBucket) => Promise<void>): Promise<string[]> {
    const deleted: string[] = [];
    const server = await startScriptedServer((request, response) => {
      if (request.method === 'DELETE') {
        deleted.push((request.url ?? '').replace(/&?q-sign-algorithm.*/, ''));
        response.writeHead(204).end();
      } else response.writeHead(200, { 'content-type': 'application/xml' }).end(xml);
    });
    const transport = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile });
    const credentials = staticCredentials({ secretId: 'AKIDexample', secretKey: 'secret-key' });
    await run(createBucket({ name: 'x-1250000000', region: REGION, credentials, transport }));
    await transport.close();
    await server.close();
    return deleted;
  }

  test.each([
    ['are cut after a key', listOf(version('f/v1/a')).replace(/<VersionId>.*/s, '')],
    ['are cut before the first version', listOf(version('f/v1/a')).replace(/<Version>.*/s, '')],
    ['contain keys outside the prefix', listOf(version('f/v1/a') + version('g/b'))],
    ['lack keys', listOf('<Version><VersionId>1</VersionId></Version>')],
    ['have an invalid percent encoding', listOf(`<EncodingType>url</EncodingType>${version('f/v1/%E0%A4%A')}`)],
    ['are an HTML page', '<html>hello</html>'],
    ['are empty', ''],
  ])('delete nothing if they %s', async (_defect, xml) => {
    const expected = { service: 'cos', code: 'MALFORMED_REPLY', sent: 'answered', class: 'transient' } as const;
    const deleted = await withList(xml, async (bucket) => {
      await expectFailure(bucket.removeAll('f/v1/', neverAborted()), expected);
    });
    expect(deleted).toEqual([]);
  });

  test('are left to the next attempt if they never become empty', async () => {
    const deleted = await withList(
      listOf(version('f/v1/a') + version('f/v1/b', '<VersionId/>').replace(/Version>/g, 'DeleteMarker>')),
      async (bucket) => {
        await expectFailure(bucket.removeAll('f/v1/', neverAborted()), { code: 'HTTP_5XX', class: 'transient' });
      },
    );
    expect(new Set(deleted)).toEqual(new Set(['/f/v1/a?versionId=1', '/f/v1/b?']));
    expect(deleted.length).toBe(100);
  });

  test('may contain whitespace, a declaration and no version', async () => {
    await withList(`<?xml version="1.0"?>\n${listOf('\n  <IsTruncated>false</IsTruncated>\n')}\n`, async (bucket) => {
      expect(await bucket.removeAll('f/v1/', neverAborted())).toEqual({ versions: 0 });
    });
  });
});
