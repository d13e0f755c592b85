/** Where files lie that came over HTTP: whole and judged, under a name that is found again, or not at all. */
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ACTIONS, type ResourceRule } from '../../../src/domain/actions.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { openStaging, type Staging } from '../../../src/storage/staging.ts';
import { failing, inPieces, md5Of, temporaryDir } from './support.ts';

const ID = `v${'a'.repeat(25)}`;
const PAYLOAD = 'p'.repeat(22);
const photo = sampleImage('staged');
const rule = ACTIONS.DetectReflectLivenessAndCompare.resources.image as ResourceRule;

let home: string;
let dir: string;
let staging: Staging;

beforeEach(async () => {
  home = await temporaryDir();
  dir = join(home, 'staging');
  staging = openStaging(dir);
});
afterEach(() => rm(home, { recursive: true }));

const receive = (pieces: AsyncIterable<Uint8Array>, most: Partial<ResourceRule> = {}) =>
  staging.receive('image', { ...rule, ...most }, 'resources.image', pieces);

test('is named when it is kept, for its owner only, and hashed', async () => {
  const received = await receive(inPieces(photo.subarray(0, 10), photo.subarray(10)));
  expect(received.md5).toBe(md5Of(photo));
  expect(await staging.list()).toEqual([]);
  const path = await received.keep(ID, PAYLOAD);
  expect(path).toBe(join(dir, `${ID}.image.${PAYLOAD}`));
  expect(await readFile(path)).toEqual(photo);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  await received.discard(); // of one that was kept, nothing
  expect(await staging.list()).toMatchObject([{ id: ID, path }]);
  await staging.remove([{ path }, { path }]);
  expect(await readdir(dir)).toEqual([]);
});

test('the same again takes the same name; another payload another one', async () => {
  for (const payload of [PAYLOAD, PAYLOAD, 'q'.repeat(22)]) await (await receive(inPieces(photo))).keep(ID, payload);
  expect(await readdir(dir)).toHaveLength(2);
});

test('what is wrong is refused as it comes, and leaves nothing', async () => {
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
  await failing(receive(endless()), { code: 'SOURCE_TOO_LARGE', field, class: 'caller' });
  expect(read).toBeLessThan(40);
  read = 0;
  await failing(receive(wrong()), { code: 'SOURCE_WRONG_KIND', field, class: 'caller' });
  expect(read).toBe(1);
  await failing(receive(inPieces(Buffer.from('small'))), { code: 'SOURCE_WRONG_KIND', field, class: 'caller' });
  await failing(receive(inPieces()), { code: 'SOURCE_EMPTY', field, class: 'caller' });
  await expect(receive(breaking())).rejects.toThrow('gone');
  expect(await readdir(dir)).toEqual([]);
  const discarded = await receive(inPieces(photo));
  await discarded.discard();
  await discarded.discard();
  expect(await readdir(dir)).toEqual([]);
});

test('what a killed process left is removed after an hour, and nothing else that lies there', async () => {
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

test('knows what lies in it, by whatever way it is named', () => {
  for (const path of [dir, join(dir, 'a'), `${dir}/../staging/a`, `${dir}//a`]) expect(staging.holds(path)).toBe(true);
  for (const path of [home, join(home, 'staging-2', 'a'), '/', 'a']) expect(staging.holds(path)).toBe(false);
});

test('a folder that cannot be is said', async () => {
  await writeFile(join(home, 'file'), '');
  staging = openStaging(join(home, 'file'));
  await failing(receive(inPieces(photo)), { code: 'SINK_UNWRITABLE', class: 'transient' });
});
