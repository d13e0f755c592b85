/**
 * Tests the content check that every source passes before a call can cost anything: it detects a wrong format and a
 * missing end.
 */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ContentCheck } from '../../../src/adapters/storage/content-checks.ts';
import { createSources } from '../../../src/adapters/storage/sources.ts';
import { openStagingFolder } from '../../../src/adapters/storage/staging-folder.ts';
import { ACTIONS, type ContentKind, type ResourceRule } from '../../../src/domain/verification/actions.ts';
import type { Source } from '../../../src/domain/verification/sources.ts';
import { sampleImage, sampleLiveData, sampleVideo } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  streamOf,
  temporaryDir,
} from './support.ts';

const FIELD = 'resources.x';
const RULES: Readonly<Record<ContentKind, ResourceRule>> = {
  gzip: ACTIONS.DetectReflectLivenessAndCompare.resources.liveData as ResourceRule,
  image: ACTIONS.DetectReflectLivenessAndCompare.resources.image as ResourceRule,
  video: ACTIONS.VideoLivenessCompare.resources.video as ResourceRule,
};

/** Checks the content, which is read in pieces of `pieceBytes`. */
async function judge(
  content: Uint8Array,
  kind: ContentKind,
  pieceBytes = 65_536,
  onPiece: () => void = () => {},
): Promise<void> {
  const check = new ContentCheck({ rule: RULES[kind], field: FIELD });
  async function* pieces() {
    for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
  }
  let sizeBytes = 0;
  for await (const piece of check.watch(pieces())) {
    sizeBytes += piece.byteLength;
    onPiece();
  }
  check.conclude({ sizeBytes, md5: md5Hex(content) });
}

/** The bytes of all buffers that are still referenced. */
function bytesInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}

function chunk(kind: string, content: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, Buffer.from(kind, 'latin1'), content, Buffer.alloc(4, 1)]);
}

const PNG = Buffer.concat([
  Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  chunk('IHDR', Buffer.alloc(13)),
  chunk('IDAT', deflateSync(randomBytes(9_000))),
  chunk('IEND', Buffer.alloc(0)),
]);
const JPEG = sampleImage('content');
const GZIP = sampleLiveData({ card: 'match' });
const MP4 = sampleVideo({ card: 'match' });

function iso(major: string, ...compatible: readonly string[]): Buffer {
  const brands = Buffer.from(`${major}\0\0\0\0${compatible.join('')}`, 'latin1');
  const head = Buffer.alloc(4);
  head.writeUInt32BE(brands.length + 8);
  return Buffer.concat([head, Buffer.from('ftyp'), brands, Buffer.alloc(5_000)]);
}

describe('the format', () => {
  test.each([
    ['image', iso('heic', 'mif1', 'heic'), 'a HEIC picture', 'convert it to JPEG'],
    ['image', iso('mif1', 'mif1', 'heic'), 'a HEIC picture', 'convert it to JPEG'],
    ['image', iso('mif1', 'avif', 'miaf'), 'an? AVIF picture', 'convert it to JPEG'],
    ['image', iso('avif', 'mif1'), 'an? AVIF picture', 'convert it to JPEG'],
    ['image', Buffer.from('RIFF\0\0\0\0WEBPVP8 '), 'a WebP picture', 'convert it to JPEG'],
    ['image', Buffer.from('GIF89a......'), 'a GIF picture', 'convert it to JPEG'],
    ['image', MP4, 'an MP4 video', 'give the right file'],
    ['video', iso('qt  ', 'qt  '), 'a QuickTime', 'as MP4'],
    ['video', Buffer.from('\0\0\0\x08wide\0\0\0\0mdat', 'latin1'), 'a QuickTime', 'as MP4'],
    ['video', iso('3gp4', 'isom', '3gp4'), 'a 3GP video', 'as MP4'],
    ['video', iso('M4A ', 'mp42', 'isom'), 'an M4A audio file', 'give the right file'],
    ['video', iso('heic', 'mif1'), 'a HEIC picture', 'give the right file'],
    ['video', Buffer.from('\x1aE\xdf\xa3....', 'latin1'), 'a WebM', 'as MP4'],
    ['video', iso('abcd'), 'unknown brand', 'as MP4'],
    ['gzip', Buffer.from('PK\x03\x04....'), 'a ZIP archive', 'give the right file'],
    ['gzip', JPEG, 'a JPEG picture', 'give the right file'],
    ['gzip', Buffer.from('Not found'), 'something else', 'give the right file'],
  ] as const)('%s: %#', async (kind, content, name, cure) => {
    const failure = await expectFailure(judge(content, kind), {
      code: 'SOURCE_WRONG_KIND',
      field: FIELD,
      class: 'caller',
    });
    expect(failure.message).toMatch(new RegExp(`but is ${name.startsWith('a') ? '' : '.*'}${name}`));
    expect(failure.message).toContain(cure);
  });

  test.each(['isom', 'iso5', 'mp41', 'mp42', 'avc1', 'M4V ', 'MSNV', 'dash'])('brand %s is an MP4', async (brand) => {
    const content = Buffer.concat([iso(brand).subarray(0, 16), Buffer.alloc(0)]);
    await judge(content, 'video');
  });

  test('an unknown brand that declares compatibility with MP4 is accepted', () => judge(iso('XYZ1', 'isom'), 'video'));
});

/** Complete contents, some with the extra bytes that cameras and archivers append. */
const COMPLETE: readonly (readonly [string, ContentKind, Buffer])[] = [
  ['a package', 'gzip', GZIP],
  ['an empty package', 'gzip', gzipSync('')],
  ['a package of two members', 'gzip', Buffer.concat([GZIP, gzipSync('more')])],
  ['a padded package', 'gzip', Buffer.concat([GZIP, Buffer.alloc(512)])],
  ['a package with something after it', 'gzip', Buffer.concat([GZIP, Buffer.from('appended')])],
  ['a JPEG', 'image', JPEG],
  ['a JPEG with a film after it', 'image', Buffer.concat([JPEG, MP4])],
  ['a PNG', 'image', PNG],
  ['a PNG with something after it', 'image', Buffer.concat([PNG, Buffer.from('x')])],
  ['an MP4', 'video', MP4],
  ['an MP4 with zeros after it', 'video', Buffer.concat([MP4, Buffer.alloc(16)])],
];

describe('the end', () => {
  test.each(COMPLETE)('%s is complete, in pieces of any size', async (_what, kind, content) => {
    for (const pieceBytes of [1, 7, 4_096, 65_536]) await judge(content, kind, pieceBytes);
  });

  test.each([
    ['gzip', GZIP],
    ['image', JPEG],
    ['image', PNG],
    ['video', MP4],
  ] as const)('%s %# is refused wherever it is cut', async (kind, content) => {
    const headBytes = kind === 'video' ? 24 : 18;
    const ends = [content.length - 9, content.length - 1];
    const cuts = [headBytes, 100, 4_095, 4_096, 4_097].filter((bytes) => bytes < content.length);
    for (const bytes of [...cuts, ...ends, Math.floor(content.length / 2)]) {
      const cut = content.subarray(0, bytes);
      if (kind === 'video' && bytes === headBytes) continue; // this piece ends between two boxes of the MP4, not inside one
      await expectFailure(judge(cut, kind, 1_000), { code: 'SOURCE_CUT', field: FIELD, class: 'caller' });
    }
  });

  test('a package of only its first two bytes is refused', async () => {
    const failure = await expectFailure(judge(GZIP.subarray(0, 2), 'gzip'), { code: 'SOURCE_CUT', class: 'caller' });
    expect(failure.message).toMatch(/ends too early: send the complete file again/);
  });

  test.each([
    ['CRC', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 8) ^ 1, bytes.length - 8)],
    ['length', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 4) ^ 1, bytes.length - 4)],
    ['content', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(12_000) ^ 1, 12_000)],
  ])('a package with a wrong %s is refused', async (_what, damage) => {
    const bytes = Buffer.from(GZIP);
    damage(bytes);
    const failure = await expectFailure(judge(bytes, 'gzip'), { code: 'SOURCE_CUT', class: 'caller' });
    expect(failure.message).toMatch(/is damaged/);
  });

  test('a package that unpacks to too much is refused without unpacking all of it', async () => {
    const member = gzipSync(Buffer.alloc(128 * 1_024 * 1_024));
    const bomb = Buffer.concat(Array.from({ length: 8 }, () => member));
    const before = bytesInUse();
    let most = 0;
    const judged = judge(bomb, 'gzip', undefined, () => {
      most = Math.max(most, bytesInUse());
    });
    await expectFailure(judged, { code: 'SOURCE_TOO_LARGE', field: FIELD, class: 'caller' });
    expect(most).toBeGreaterThan(0);
    expect(most - before).toBeLessThan(64 * 1_024 * 1_024);
  });
});

describe('a cut package', () => {
  let bench: Bench;
  let dir: string;

  beforeAll(async () => {
    bench = await openBench();
    dir = await temporaryDir();
  });
  afterAll(async () => {
    await bench.close();
    await rm(dir, { recursive: true });
  });

  const cut = GZIP.subarray(0, 15_000);
  const url = 'https://files.example.com/cut.gz';

  test.each<[string, () => Promise<Source>]>([
    [
      'file',
      async () => {
        await writeFile(join(dir, 'cut.gz'), cut);
        return { from: 'file', path: join(dir, 'cut.gz') };
      },
    ],
    [
      'https',
      async () => {
        await bench.control.putOrigin(url, cut);
        return { from: 'https', url };
      },
    ],
    [
      'cos',
      async () => {
        await bench.control.putObject(bench.bucket.name, 'cut.gz', cut);
        return { from: 'cos', bucket: bench.bucket.name, region: REGION, key: 'cut.gz' };
      },
    ],
  ])('is refused in a %s source, also if its MD5 is right, and a wrong MD5 is told first', async (_from, prepare) => {
    const { transport, bucket } = bench;
    const sources = createSources({ roots: [dir], transport, buckets: new Map([[REGION, bucket]]), spoolDir: dir });
    const source = await prepare();
    const open = (more: object = {}) => sources.open({ ...source, ...more }, RULES.gzip, FIELD, neverAborted());
    for (const more of [{}, { md5: md5Hex(cut) }]) {
      await expectFailure(open(more), { code: 'SOURCE_CUT', field: FIELD, class: 'caller' });
    }
    await expectFailure(open({ md5: md5Hex(GZIP) }), { code: 'SOURCE_MD5_MISMATCH', class: 'caller' });
  });

  test('is refused while it is staged', async () => {
    const staging = openStagingFolder(join(dir, 'staging'));
    const received = staging.receive('liveData', RULES.gzip, FIELD, streamOf(cut));
    await expectFailure(received, { code: 'SOURCE_CUT', field: FIELD, class: 'caller' });
    expect(await staging.list()).toEqual([]);
  });
});
