/**
 * Tests the staging of files in the company's own bucket: only complete and valid files become objects, the key shows which
 * verification an object belongs to, and removal leaves no version.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { createBucket } from '../../../src/adapters/storage/bucket.ts';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import type { KeptFile, Staging, StagingOwner } from '../../../src/adapters/storage/staging.ts';
import { openStagingBucket } from '../../../src/adapters/storage/staging-bucket.ts';
import { ACTIONS, type ResourceRule } from '../../../src/domain/verification/actions.ts';
import type { Region } from '../../../src/domain/verification/regions.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { type Bench, expectFailure, md5Hex, openBench, REGION, streamOf } from './support.ts';

const ID = `v${'a'.repeat(25)}`;
const PAYLOAD = 'p'.repeat(22);
const OWNER = { id: ID, region: REGION, tenant: null } as const;
const photo = sampleImage('staged');
const rule = ACTIONS.DetectReflectLivenessAndCompare.resources.image as ResourceRule;
const VERSIONED = { name: 'versioned-1250000000', region: REGION, versioning: 'Enabled' } as const;

let bench: Bench;
let staging: Staging;

beforeAll(async () => {
  bench = await openBench({ buckets: [{ name: 'faces-1250000000', region: REGION }, VERSIONED] });
});
afterAll(() => bench.close());

function open(name: string): Staging {
  const credentials = staticCredentials(bench.emulator.credentials);
  const bucket = createBucket({ name, region: REGION, credentials, transport: bench.transport });
  const buckets = new Map<Region, typeof bucket>([[REGION, bucket]]);
  const spoolDir = join(bench.dir, 'spool');
  return openStagingBucket({ folder: 'staged', buckets, links: createLinkIo(bench.transport), spoolDir });
}

beforeEach(() => {
  staging = open('faces-1250000000');
});
afterEach(async () => {
  await staging.remove(await staging.list());
});

const receive = (pieces: AsyncIterable<Uint8Array>) => staging.receive('image', rule, 'resources.image', pieces);
async function keepOne(owner: StagingOwner = OWNER): Promise<KeptFile> {
  const received = await receive(streamOf(photo));
  try {
    return await received.keep(owner, PAYLOAD);
  } finally {
    await received.discard();
  }
}
const objects = async () => (await bench.control.objects()).map(({ key }) => key);

test('hashes a file while it arrives, and sends it to the bucket when it is kept', async () => {
  const received = await receive(streamOf(photo.subarray(0, 10), photo.subarray(10)));
  expect(received.md5).toBe(md5Hex(photo));
  expect(await objects()).toEqual([]);
  const { path, source, replaySource } = await received.keep(OWNER, PAYLOAD);
  await received.discard(); // this must not delete a file that was kept
  await received.discard();
  expect(await bench.control.objects()).toMatchObject([{ md5: md5Hex(photo), sizeBytes: photo.byteLength }]);
  const [key = ''] = await objects();
  expect(key).toMatch(new RegExp(`^staged/${ID}/image\\.${PAYLOAD}\\.[A-Za-z0-9_-]{22}$`));
  expect(path).toBe(`cos:${REGION}/faces-1250000000/${key}`);
  expect(source).toEqual({ from: 'cos', bucket: 'faces-1250000000', region: REGION, key });
  expect(replaySource).toEqual({ ...source, key: `staged/${ID}/image.${PAYLOAD}` });
  expect(staging.holds(source)).toBe(true);
  const [listed, ...others] = await staging.list();
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ id: ID, path });
  expect(Math.abs(listed?.ageMs ?? Number.NaN)).toBeLessThan(60_000);
  await staging.remove([{ path }, { path }]);
  expect(await objects()).toEqual([]);
  expect(await readdir(join(bench.dir, 'spool'))).toEqual([]);
});

test('keeps the files of a tenant below the folder of this tenant', async () => {
  const { path } = await keepOne({ ...OWNER, tenant: 'shop' });
  expect(path).toContain(`/staged/t/shop/${ID}/image.`);
  expect(await staging.list()).toMatchObject([{ id: ID, path }]);
});

test('stores each request in its own object, and gives equal requests the same replay source', async () => {
  const kept = [];
  for (let round = 0; round < 3; round += 1) kept.push(await keepOne());
  expect(new Set(kept.map(({ path }) => path)).size).toBe(3);
  expect(new Set(kept.map(({ replaySource }) => JSON.stringify(replaySource))).size).toBe(1);
  expect((await staging.list()).map(({ path }) => path).sort()).toEqual(kept.map(({ path }) => path).sort());
});

test('lists more objects than one page has, and no object of others', async () => {
  const links = createLinkIo(bench.transport);
  const put = async (key: string) => {
    const head = { sizeBytes: 1, md5: md5Hex(Buffer.from('x')), contentType: 'image/jpeg' };
    const link = await bench.bucket.signPut(key, 60_000);
    await links.put(link, () => streamOf(Buffer.from('x')), head, AbortSignal.timeout(10_000));
  };
  const names = Array.from({ length: 251 }, (_, n) => `staged/${ID}/image.${PAYLOAD}.${String(n).padStart(22, '0')}`);
  const others = ['staged/notes.txt', `staged/${ID}/portrait.${PAYLOAD}.${PAYLOAD}`, `bestframe/${ID}/0/image`];
  for (let at = 0; at < names.length; at += 50) await Promise.all(names.slice(at, at + 50).map(put));
  await Promise.all(others.map(put));
  const listed = await staging.list();
  expect(listed.map(({ path }) => path.split('/').slice(2).join('/')).sort()).toEqual(names);
  await staging.remove(listed);
  expect((await objects()).sort()).toEqual(others.sort());
  for (const key of others) await bench.bucket.remove(key, AbortSignal.timeout(10_000));
});

test('leaves no version behind in a bucket with versions', async () => {
  staging = open(VERSIONED.name);
  const { path } = await keepOne();
  await staging.remove([{ path }]); // nothing was listed yet, so the version stays until the next sweep
  const left = await staging.list();
  expect(left).toMatchObject([{ id: ID, path }]);
  await staging.remove(left);
  expect(await staging.list()).toEqual([]);
});

test('refuses invalid content while it arrives, and sends none of it', async () => {
  const before = (await bench.control.calls()).length;
  const field = 'resources.image';
  await expectFailure(receive(streamOf(Buffer.alloc(5_000, 7))), { code: 'SOURCE_WRONG_KIND', field, class: 'caller' });
  await expectFailure(receive(streamOf()), { code: 'SOURCE_EMPTY', field, class: 'caller' });
  await expectFailure(receive(streamOf(photo.subarray(0, -2))), { code: 'SOURCE_CUT', field, class: 'caller' });
  async function* breaking(): AsyncGenerator<Uint8Array> {
    yield photo.subarray(0, 10);
    throw new Error('gone');
  }
  await expect(receive(breaking())).rejects.toThrow('gone');
  await (await receive(streamOf(photo))).discard();
  expect((await bench.control.calls()).length).toBe(before);
});

test('refuses files for a region without a bucket, and says what it holds', async () => {
  const received = await receive(streamOf(photo));
  const keep = received.keep({ ...OWNER, region: 'ap-bangkok' as Region }, PAYLOAD);
  await expectFailure(keep, { code: 'NO_BUCKET', field: 'region', class: 'account' });
  await received.discard();
  const own = { from: 'cos', bucket: 'faces-1250000000', region: REGION };
  expect(staging.holds({ ...own, key: 'staged/x' })).toBe(true);
  for (const source of [
    { ...own, key: 'bestframe/x' },
    { ...own, key: 7 },
    { ...own, bucket: 'b', key: 'staged/x' },
  ])
    expect(staging.holds(source)).toBe(false);
});
