/**
 * Tests the staging of files that are uploaded over HTTP: a file is stored only if it is complete and has passed its check, and
 * the name of a stored file shows which verification it belongs to.
 */
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Staging } from '../../../src/adapters/storage/staging.ts';
import { openStagingFolder } from '../../../src/adapters/storage/staging-folder.ts';
import { ACTIONS, type ResourceRule } from '../../../src/domain/verification/actions.ts';
import { sourceIdentity } from '../../../src/domain/verification/sources.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { expectFailure, md5Hex, streamOf, temporaryDir } from './support.ts';

const ID = `v${'a'.repeat(25)}`;
const OWNER = { id: ID, region: 'ap-singapore', tenant: null } as const;
const PAYLOAD = 'p'.repeat(22);
const photo = sampleImage('staged');
const rule = ACTIONS.DetectReflectLivenessAndCompare.resources.image as ResourceRule;

let home: string;
let dir: string;
let staging: Staging;

beforeEach(async () => {
  home = await temporaryDir();
  dir = join(home, 'staging');
  staging = openStagingFolder(dir);
});
afterEach(() => rm(home, { recursive: true }));

const receive = (pieces: AsyncIterable<Uint8Array>, most: Partial<ResourceRule> = {}) =>
  staging.receive('image', { ...rule, ...most }, 'resources.image', pieces);

test('hashes a file and gives it its name when it is kept, readable by its owner only', async () => {
  const received = await receive(streamOf(photo.subarray(0, 10), photo.subarray(10)));
  expect(received.md5).toBe(md5Hex(photo));
  expect(await staging.list()).toEqual([]);
  const { path, source, replaySource } = await received.keep(OWNER, PAYLOAD);
  const replayPath = join(dir, `${ID}.image.${PAYLOAD}`);
  expect(replaySource).toEqual({ from: 'file', path: replayPath });
  expect(source).toEqual({ from: 'file', path });
  expect(path.slice(0, replayPath.length + 1)).toBe(`${replayPath}.`);
  expect(await readFile(path)).toEqual(photo);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  await received.discard(); // this must not delete a file that was kept
  expect(await staging.list()).toMatchObject([{ id: ID, path }]);
  await staging.remove([{ path }, { path }]);
  expect(await readdir(dir)).toEqual([]);
});

test('stores each request in its own file, and gives equal requests the same replay path', async () => {
  const kept = [];
  for (const payload of [PAYLOAD, PAYLOAD, 'q'.repeat(22)]) {
    kept.push(await (await receive(streamOf(photo))).keep(OWNER, payload));
  }
  expect(new Set(kept.map(({ replaySource }) => sourceIdentity(replaySource))).size).toBe(2);
  expect((await staging.list()).map(({ path }) => path).sort()).toEqual(kept.map(({ path }) => path).sort());
});

test('lists files with names from older versions', async () => {
  await mkdir(dir);
  await writeFile(join(dir, `${ID}.image.${PAYLOAD}`), 'x');
  expect(await staging.list()).toMatchObject([{ id: ID }]);
});

test('refuses invalid content while it arrives, and leaves nothing behind', async () => {
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      read += 1;
      yield read === 1 ? photo.subarray(0, 4_096) : Buffer.alloc(100_000, read);
    }
  }
  async function* wrong(): AsyncGenerator<Uint8Array> {
    for (;;) {
      read += 1;
      yield Buffer.alloc(4_096, 7);
    }
  }
  async function* breaking(): AsyncGenerator<Uint8Array> {
    yield photo.subarray(0, 10);
    throw new Error('gone');
  }
  const field = 'resources.image';
  await expectFailure(receive(endless(), { maxBytes: 2_359_296 }), {
    code: 'SOURCE_TOO_LARGE',
    field,
    class: 'caller',
  });
  expect(read).toBeLessThan(40);
  read = 0;
  await expectFailure(receive(wrong()), { code: 'SOURCE_WRONG_KIND', field, class: 'caller' });
  expect(read).toBe(1);
  await expectFailure(receive(streamOf(Buffer.from('small'))), { code: 'SOURCE_WRONG_KIND', field, class: 'caller' });
  await expectFailure(receive(streamOf()), { code: 'SOURCE_EMPTY', field, class: 'caller' });
  await expect(receive(breaking())).rejects.toThrow('gone');
  expect(await readdir(dir)).toEqual([]);
  const discarded = await receive(streamOf(photo));
  await discarded.discard();
  await discarded.discard();
  expect(await readdir(dir)).toEqual([]);
});

test('removes partial files of killed processes after an hour, and no other file', async () => {
  await mkdir(dir);
  const part = (n: number) => join(dir, `.0000000${n}-0000-4000-8000-000000000000.part`);
  for (const path of [part(1), part(2), join(dir, 'notes.txt'), join(dir, `${ID}.portrait.${PAYLOAD}`)]) {
    await writeFile(path, 'x');
  }
  const old = (Date.now() - 3_700_000) / 1_000;
  await utimes(part(1), old, old);
  await utimes(join(dir, 'notes.txt'), old, old);
  expect(await staging.list()).toEqual([]);
  expect((await readdir(dir)).sort()).toEqual(
    [part(2), join(dir, 'notes.txt'), join(dir, `${ID}.portrait.${PAYLOAD}`)]
      .map((path) => path.slice(dir.length + 1))
      .sort(),
  );
});

test('recognizes its own files by any spelling of their path', () => {
  for (const path of [dir, join(dir, 'a'), `${dir}/../staging/a`, `${dir}//a`])
    expect(staging.holds({ path })).toBe(true);
  for (const path of [home, join(home, 'staging-2', 'a'), '/', 'a']) expect(staging.holds({ path })).toBe(false);
  expect(staging.holds({ path: 7 })).toBe(false);
});

test('fails if the folder cannot be created', async () => {
  await writeFile(join(home, 'file'), '');
  staging = openStagingFolder(join(home, 'file'));
  await expectFailure(receive(streamOf(photo)), { code: 'STAGING_UNWRITABLE', class: 'machine' });
});
