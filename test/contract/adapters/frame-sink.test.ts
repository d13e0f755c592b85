/**
 * Tests the frame sinks (folder and bucket). A frame is stored complete, verified and with a receipt next to it, or not
 * at all. After the removal of a frame, nothing of it remains.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { createBucket } from '../../../src/adapters/storage/bucket.ts';
import { writePiece } from '../../../src/adapters/storage/disk.ts';
import { createFrameSink } from '../../../src/adapters/storage/frame-sink.ts';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { CODES } from '../../../src/domain/errors/index.ts';
import type { FrameSink } from '../../../src/domain/ports.ts';
import type { FrameTarget } from '../../../src/domain/verification/request.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  collect,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  streamOf,
  temporaryDir,
} from './support.ts';

const ID = 'v-1';
const frame = sampleImage('frame');
const UUID = '00000000-0000-4000-8000-000000000000';
const TO_FILE = { to: 'file' } as FrameTarget;
const RECEIPT = {
  id: ID,
  decision: 'match',
  similarity: 92.61,
  result: 'Success',
  requestId: '00000000-0000-4000-8000-000000000001',
  decidedAt: 1_700_000_000_000,
  proof: 'proof',
  owner: 'owner',
  paid: true,
} as const;
const TAKEN = { service: 'sink', code: 'FRAME_TAKEN', class: 'caller', field: 'frame' } as const;
const NEVER = 'never-1250000000';
const KEPT = 'kept-1250000000';
const OPAQUE = 'opaque-1250000000';
/** The files that exist once a frame is stored. */
const FRAME_AND_RECEIPT = [`${ID}.jpg`, `${ID}.jpg.receipt.json`];

let bench: Bench;
let home: string;
let dir: string;
let sink: FrameSink;

beforeAll(async () => {
  bench = await openBench({
    buckets: [
      { name: NEVER, region: REGION },
      { name: KEPT, region: REGION, versioning: 'Enabled' },
      { name: OPAQUE, region: REGION, opaqueEtag: true },
    ],
  });
});
beforeEach(async () => {
  home = await temporaryDir();
  dir = join(home, 'frames');
  sink = sinkIn(dir);
});
afterEach(async () => {
  await rm(home, { recursive: true });
  await bench.control.reset();
});
afterAll(() => bench.close());

function placeOf(target: FrameTarget) {
  return { id: ID, tenant: null, target };
}

function sinkIn(folder: string, bucket = NEVER): FrameSink {
  return createFrameSink({ dir: folder, buckets: new Map([[REGION, bucketIn(bucket)]]), transport: bench.transport });
}

function bucketIn(name: string) {
  const credentials = staticCredentials(bench.emulator.credentials);
  return createBucket({ name, region: REGION, credentials, transport: bench.transport });
}

function store(
  bytes: Uint8Array = frame,
  md5: string | null = md5Hex(frame),
  target = TO_FILE,
  signal = neverAborted(),
) {
  const pieces = streamOf(bytes.subarray(0, 10), bytes.subarray(10));
  return sink.store({ ...placeOf(target), frame: pieces, md5, receipt: RECEIPT }, signal);
}

describe('a file', () => {
  test('is complete and readable by its owner only', async () => {
    const path = join(dir, `${ID}.jpg`);
    expect(await store()).toEqual({ path, md5: md5Hex(frame), bytes: frame.length });
    expect(await readFile(path)).toEqual(frame);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  test('has an absolute path', async () => {
    sink = sinkIn(relative(process.cwd(), dir));
    const stored = await store();
    expect(stored.path).toBe(join(dir, `${ID}.jpg`));
    await sinkIn(dir).remove(stored, ID, neverAborted());
    expect(await readdir(dir)).toEqual([]);
  });

  test('has the same name for every attempt, and tolerates concurrent attempts', async () => {
    await Promise.all([store(), store(), store()]);
    await store(frame, md5Hex(frame).toUpperCase());
    expect((await readdir(dir)).sort()).toEqual(FRAME_AND_RECEIPT);
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
  });

  test('has the requested name, and any bytes if the vendor gave no MD5', async () => {
    const stored = await store(frame, null, { to: 'file', name: 'asked.jpeg' });
    expect(stored).toMatchObject({ path: join(dir, 'asked.jpeg'), md5: md5Hex(frame) });
  });

  test.each([
    ['FRAME_MD5_MISMATCH', 'transient', () => store(frame, '0'.repeat(32))],
    ['FRAME_MISSING', 'caller', () => store(Buffer.alloc(0), null)],
    ['MALFORMED_REPLY', 'transient', () => store(Buffer.alloc(33 * 1024 * 1024), null)],
    ['ABORTED', 'transient', () => store(frame, null, TO_FILE, AbortSignal.abort())],
    [
      'RESET',
      'transient',
      () => sink.store({ ...placeOf(TO_FILE), frame: breaking(), md5: null, receipt: RECEIPT }, neverAborted()),
    ],
  ])('%s stores nothing, and keeps an earlier frame', async (code, kind, attempt) => {
    await expectFailure(attempt(), { code, class: kind });
    expect(await readdir(dir)).toEqual([]);
    await store();
    await expectFailure(attempt(), { code, class: kind });
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
    expect((await readdir(dir)).sort()).toEqual(FRAME_AND_RECEIPT);
  });

  test('does not appear before it is complete', async () => {
    let seen: string[] = [];
    async function* watched() {
      yield frame.subarray(0, 10);
      seen = await readdir(dir);
      yield frame.subarray(10);
    }
    await sink.store({ ...placeOf(TO_FILE), frame: watched(), md5: null, receipt: RECEIPT }, neverAborted());
    expect(seen).toEqual([expect.stringMatching(/^\..*\.part$/)]);
  });

  test.each(['../out.jpg', '/tmp/out.jpg', 'a/b.jpg', '.hidden', '..', '', 'a\0b'])(
    'refuses a name that leads elsewhere: %j',
    async (name) => {
      const expected = { code: 'INVALID_VERIFICATION', field: 'frame.name', class: 'caller' };
      await expectFailure(store(frame, null, { to: 'file', name }), expected);
      expect(await readdir(home)).toEqual([]);
    },
  );

  test('replaces a symbolic link instead of following it', async () => {
    const victim = join(home, 'victim');
    await writeFile(victim, 'untouched');
    await mkdir(dir);
    await symlink(victim, join(dir, `${ID}.jpg`));
    await store();
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
  });

  test('removes stale partial files of killed processes and keeps recent ones', async () => {
    await mkdir(dir);
    const [old, young] = ['.old.jpg.1.part', '.young.jpg.2.part'];
    for (const name of [old, young]) await writeFile(join(dir, name), 'half');
    await utimes(join(dir, old), 1, 1);
    await store();
    expect((await readdir(dir)).sort()).toEqual([young, ...FRAME_AND_RECEIPT]);
  });

  test('removeParts removes even recent partial files of a frame, but not those of a longer name', async () => {
    const [mine, receipt, other] = [
      `.${ID}.jpg.${UUID}.part`,
      `.${ID}.jpg.receipt.json.${UUID}.part`,
      `.${ID}.jpg.b.jpg.${UUID}.part`,
    ];
    const stored = await store();
    for (const name of [mine, receipt, other]) await writeFile(join(dir, name), 'half');
    await sink.removeParts(stored);
    expect((await readdir(dir)).sort()).toEqual([other, ...FRAME_AND_RECEIPT]);
  });

  test('stale partial files are also removed by a process that has run for hours', async () => {
    await store();
    const later = Date.now() + 3_700_000;
    await writeFile(join(dir, '.killed.jpg.1.part'), 'half');
    vi.spyOn(Date, 'now').mockReturnValue(later);
    try {
      await store();
    } finally {
      vi.restoreAllMocks();
    }
    expect((await readdir(dir)).sort()).toEqual(FRAME_AND_RECEIPT);
  });

  test('creates the folder again if it was removed', async () => {
    await store();
    await rm(dir, { recursive: true });
    await store();
    expect(await readdir(dir)).toHaveLength(2);
  });

  test('fails if the folder cannot be created or the name is a folder', async () => {
    const expected = { service: 'sink', code: 'SINK_UNWRITABLE', class: 'machine' } as const;
    await writeFile(join(home, 'file'), '');
    sink = sinkIn(join(home, 'file'));
    await expectFailure(store(), expected);
    sink = sinkIn(join(home, 'file', 'below'));
    await expectFailure(store(), expected);
    sink = sinkIn(dir);
    await mkdir(join(dir, `${ID}.jpg`), { recursive: true });
    await expectFailure(store(), expected);
    expect(await readdir(dir)).toEqual([`${ID}.jpg`]);
  });

  test.skipIf(process.getuid?.() === 0)('fails in a folder without permission', async () => {
    await mkdir(dir);
    await chmod(dir, 0o500);
    await expectFailure(store(), { code: 'SINK_UNWRITABLE', class: 'machine' });
    await chmod(dir, 0o000);
    await expectFailure(store(), { code: 'SINK_UNWRITABLE', class: 'machine' });
    await chmod(dir, 0o700);
  });

  test.skipIf(process.platform !== 'linux')('fails on a full disk', async () => {
    const full = await open('/dev/full', constants.O_WRONLY);
    try {
      await expectFailure(writePiece(full, frame, 0, 'frames'), {
        service: 'sink',
        code: 'SINK_FULL',
        class: 'machine',
      });
    } finally {
      await full.close();
    }
  });
});

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield frame.subarray(0, 10);
  throw new Failure({ service: 'http', channel: 'local', code: CODES.RESET, sent: 'maybe' }, 'broken');
}

describe('an object in the own bucket', () => {
  const KEY = 'frames/a.jpg';
  const target = (more: object = {}): FrameTarget => ({
    to: 'cos',
    bucket: NEVER,
    region: REGION,
    key: KEY,
    ...more,
  });
  const kept = async () => (await bench.control.objects()).filter(({ key }) => key === KEY);

  test('is stored complete, and nothing remains on the disk', async () => {
    const stored = await store(frame, md5Hex(frame), target());
    expect(stored).toEqual({
      path: `cos:${REGION}/${NEVER}/${KEY}`,
      md5: md5Hex(frame),
      bytes: frame.length,
    });
    expect(await kept()).toMatchObject([{ md5: md5Hex(frame) }]);
    expect(await readdir(dir)).toEqual([]);
  });

  test('is not stored if its MD5 is not the vendor’s', async () => {
    await bench.control.reset();
    await expectFailure(store(frame, '0'.repeat(32), target()), { code: 'FRAME_MD5_MISMATCH', class: 'transient' });
    expect(await bench.control.calls({ action: 'PutObject' })).toHaveLength(0);
    expect(await readdir(dir)).toEqual([]);
  });

  test('is refused for a bucket that is not configured', async () => {
    const expected = { code: 'NO_BUCKET', field: 'frame.bucket', class: 'account' };
    await expectFailure(store(frame, null, target({ bucket: 'other-1250000000' })), expected);
    await expectFailure(store(frame, null, target({ region: 'ap-bangkok' })), expected);
  });

  test('fails if COS refuses it', async () => {
    await bench.control.fault({ kind: 'error', code: 'AccessDenied', status: 403, action: 'PutObject' });
    await expectFailure(store(frame, null, target()), { service: 'cos', code: 'AccessDenied', class: 'account' });
    expect(await readdir(dir)).toEqual([]);
  });
});

// ── receipts and removal in every kind of store ────────────────────────────────────────────────────────────────────

interface Kind {
  readonly target: FrameTarget;
  /** The path of the stored frame. */
  readonly path: () => string;
  /** Replaces the frame or its receipt. */
  readonly overwrite: (ending: '' | '.receipt.json', bytes: Buffer) => Promise<unknown>;
  readonly read: (ending: '.receipt.json') => Promise<string>;
  /** The names of everything that remains, including old versions and delete markers. */
  readonly left: () => Promise<string[]>;
  /** Removes what `overwrite` wrote. */
  readonly drop: (ending: '' | '.receipt.json') => Promise<unknown>;
  /** COS cannot refuse to replace an object in a bucket with versioning: of attempts at once, the last one wins. */
  readonly isVersioned: boolean;
}

const NAME = 'asked.jpg';

const aFile: Kind = {
  target: { to: 'file', name: NAME },
  path: () => join(dir, NAME),
  overwrite: (ending, bytes) => writeFile(join(dir, `${NAME}${ending}`), bytes),
  read: (ending) => readFile(join(dir, `${NAME}${ending}`), 'utf8'),
  left: async () => (await readdir(dir)).sort(),
  drop: (ending) => rm(join(dir, `${NAME}${ending}`)),
  isVersioned: false,
};

function anObject(bucket: string): Kind {
  const key = `frames/${NAME}`;
  return {
    target: { to: 'cos', bucket, region: REGION, key },
    path: () => `cos:${REGION}/${bucket}/${key}`,
    overwrite: (ending, bytes) => bench.control.putObject(bucket, `${key}${ending}`, bytes),
    read: async (ending) => {
      const link = await bench.bucket.signGet({ bucket, region: REGION, key: `${key}${ending}` }, 60_000);
      return (await collect(await createLinkIo(bench.transport).get(link, neverAborted()))).toString();
    },
    left: async () => {
      const all = await bench.control.versions();
      const versions = all.filter((each) => each.bucket === bucket && each.key.startsWith(key));
      return versions.map((each) => each.key.replace('frames/', '')).sort();
    },
    drop: (ending) => bucketIn(bucket).removeVersions(`${key}${ending}`, neverAborted()),
    isVersioned: bucket === KEPT,
  };
}

describe.each<[string, () => FrameSink, Kind]>([
  ['a file', () => sinkIn(dir), aFile],
  ['an object', () => sinkIn(dir, NEVER), anObject(NEVER)],
  ['an object of a bucket with versioning', () => sinkIn(dir, KEPT), anObject(KEPT)],
  ['an object whose ETag is not an MD5', () => sinkIn(dir, OPAQUE), anObject(OPAQUE)],
])('%s', (_case, open, { target, path, overwrite, read, left, drop, isVersioned }) => {
  beforeEach(async () => {
    sink = open();
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir);
    if (target.to === 'cos') await Promise.all([drop(''), drop('.receipt.json')]);
  });

  const asked = (id = ID) => sink.receipt({ ...placeOf(target), id }, neverAborted());
  const receipt = { ...RECEIPT, frame: { md5: md5Hex(frame), bytes: frame.length } };

  test('has a receipt, which is read back together with the frame’s place', async () => {
    expect(await asked()).toBeNull();
    const stored = await store(frame, md5Hex(frame), target);
    expect(stored.path).toBe(path());
    expect(JSON.parse(await read('.receipt.json'))).toEqual(receipt);
    expect(await asked()).toEqual({ receipt, stored });
    expect(await open().receipt(placeOf(target), neverAborted())).toEqual({ receipt, stored });
  });

  test('has the receipt of the latest attempt', async () => {
    await store(frame, null, target);
    const other = sampleImage('another frame');
    await store(other, null, target);
    const found = await asked();
    expect(found?.receipt.frame).toEqual({ md5: md5Hex(other), bytes: other.length });
    expect(found?.stored).toMatchObject({ md5: md5Hex(other), bytes: other.length });
  });

  test('has a receipt that is valid for one verification only', async () => {
    await store(frame, null, target);
    expect(await asked('v-2')).toBeNull();
  });

  test.each([
    ['with other content', Buffer.from(frame).fill(0, 100, 200)],
    ['of another size', frame.subarray(1)],
    ['that is empty', Buffer.alloc(0)],
  ])('does not accept its receipt for a frame %s', async (_case, bytes) => {
    await store(frame, null, target);
    await overwrite('', bytes);
    expect(await asked()).toBeNull();
  });

  test.each([
    ['not JSON', '{"id": "v-1", '],
    ['null', 'null'],
    ['of another shape', JSON.stringify({ ...receipt, decision: 'perhaps' })],
    ['without its frame', JSON.stringify(RECEIPT)],
    ['too long', `${JSON.stringify(receipt)}${' '.repeat(5_000)}`],
    ['empty', ''],
  ])('ignores a receipt that is %s', async (_case, text) => {
    await store(frame, null, target);
    await overwrite('.receipt.json', Buffer.from(text));
    expect(await asked()).toBeNull();
  });

  test('can be read completely and in part, any number of times', async () => {
    const stored = await store(frame, md5Hex(frame), target);
    const opened = await open().open(stored, neverAborted());
    if (opened === null) throw new Error('not there');
    const last = frame.length - 1;
    expect(Buffer.from(await collect(opened.bytes(0, last)))).toEqual(frame);
    expect(Buffer.from(await collect(opened.bytes(10, 19)))).toEqual(frame.subarray(10, 20));
    expect(Buffer.from(await collect(opened.bytes(last, last)))).toEqual(frame.subarray(last));
    await opened.close();
  });

  test('is not opened if it is gone or was replaced', async () => {
    const stored = await store(frame, md5Hex(frame), target);
    for (const other of [Buffer.from(frame).fill(0, 100, 200), frame.subarray(1), Buffer.alloc(0)]) {
      await overwrite('', other);
      expect(await sink.open(stored, neverAborted())).toBeNull();
    }
    await sink.remove(stored, ID, neverAborted());
    expect(await sink.open(stored, neverAborted())).toBeNull();
  });

  test('is removed with its receipt, and removal is idempotent', async () => {
    const stored = await store(frame, null, target);
    await store(sampleImage('another attempt'), null, target);
    expect(await left()).toEqual(expect.arrayContaining([NAME, `${NAME}.receipt.json`]));
    for (let time = 0; time < 2; time += 1) {
      await sink.remove(stored, ID, neverAborted());
      expect(await left()).toEqual([]);
    }
    expect(await asked()).toBeNull();
  });

  test('is not replaced, read or removed by another verification', async () => {
    const stored = await store(frame, null, target);
    const other = { ...placeOf(target), id: 'v-2', frame: streamOf(sampleImage('v-2')), md5: null };
    await expectFailure(sink.store({ ...other, receipt: { ...RECEIPT, id: 'v-2' } }, neverAborted()), TAKEN);
    await sink.remove(stored, 'v-2', neverAborted());
    expect(await asked()).toEqual({ receipt, stored });
    expect(await left()).toEqual([NAME, `${NAME}.receipt.json`]);
  });

  test.each(['', '.receipt.json'] as const)(
    'is not stored over what somebody else wrote under its name%s',
    async (ending) => {
      await overwrite(ending, Buffer.from('untouched'));
      await expectFailure(store(frame, null, target), TAKEN);
      expect(await left()).toEqual([`${NAME}${ending}`]);
      await sink.remove({ path: path() }, ID, neverAborted());
      expect(await left()).toEqual([`${NAME}${ending}`]);
      await drop(ending);
    },
  );

  test('does not take with it what replaced it', async () => {
    const stored = await store(frame, null, target);
    await overwrite('', Buffer.from('somebody else wrote this'));
    await sink.remove(stored, ID, neverAborted());
    expect(await left()).toEqual([NAME]);
    await drop('');
  });

  test('of one of two verifications at once is stored, and the other one is told', async () => {
    const storing = (id: string) =>
      sink.store(
        { ...placeOf(target), id, frame: streamOf(sampleImage(id)), md5: null, receipt: { ...RECEIPT, id } },
        neverAborted(),
      );
    const ids = ['v-3', 'v-4', 'v-5'];
    const ends = await Promise.allSettled(ids.map(storing));
    const winners = ids.filter((_, index) => ends[index]?.status === 'fulfilled');
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: TAKEN.code });
    if (!isVersioned) expect(winners).toHaveLength(1);
    const [winner = ''] = winners;
    if (!isVersioned) expect((await asked(winner))?.receipt.frame.md5).toBe(md5Hex(sampleImage(winner)));
    for (const id of winners) await sink.remove({ path: path() }, id, neverAborted());
    expect(await left()).toEqual([]);
  });
});

test('has no receipt if no frame is wanted', async () => {
  expect(await sink.receipt(placeOf({ to: 'none' }), neverAborted())).toBeNull();
});

describe('a file and its receipt', () => {
  const receiptPath = () => join(dir, `${ID}.jpg.receipt.json`);

  test('are readable by their owner only, and contain no path', async () => {
    await store();
    expect((await stat(receiptPath())).mode & 0o777).toBe(0o600);
    expect(await readFile(receiptPath(), 'utf8')).not.toContain(dir);
  });

  test('are not followed if they are symbolic links', async () => {
    const stored = await store();
    const elsewhere = join(home, 'elsewhere');
    for (const path of [stored.path, receiptPath()]) {
      await rename(path, elsewhere);
      await symlink(elsewhere, path);
      expect(await sink.receipt(placeOf(TO_FILE), neverAborted())).toBeNull();
      if (path === stored.path) expect(await sink.open(stored, neverAborted())).toBeNull();
      await sink.remove(stored, ID, neverAborted());
      expect(await readdir(dir)).toEqual([]);
      expect((await stat(elsewhere)).size).toBeGreaterThan(0);
      await store();
    }
  });

  test('are completed by the next attempt if the receipt could not be written', async () => {
    await mkdir(receiptPath(), { recursive: true });
    await expectFailure(store(), { code: 'SINK_UNWRITABLE', class: 'machine' });
    expect(await sink.receipt(placeOf(TO_FILE), neverAborted())).toBeNull();
    await rm(receiptPath(), { recursive: true });
    await store();
    expect(await sink.receipt(placeOf(TO_FILE), neverAborted())).not.toBeNull();
  });

  test.each([
    ['a file outside', () => join(home, 'outside.jpg')],
    ['a file below', () => join(dir, 'below', 'a.jpg')],
    ['a file outside, through the folder', () => `${dir}/../outside.jpg`],
    ['the folder above', () => `${dir}/..`],
    ['the folder', () => dir],
    ['a hidden file', () => join(dir, '.hidden')],
    ['nothing', () => ''],
  ])('%s is neither read nor removed', async (_case, path) => {
    await store();
    await mkdir(join(dir, 'below'));
    for (const victim of [join(home, 'outside.jpg'), join(dir, 'below', 'a.jpg'), join(dir, '.hidden')]) {
      await writeFile(victim, 'untouched');
    }
    const elsewhere = { service: 'sink', code: 'FRAME_ELSEWHERE', sent: 'no', class: 'account' } as const;
    await expectFailure(sink.remove({ path: path() }, ID, neverAborted()), elsewhere);
    await expectFailure(
      sink.open({ path: path(), md5: md5Hex(frame), bytes: frame.length }, neverAborted()),
      elsewhere,
    );
    expect((await readdir(home)).sort()).toEqual(['frames', 'outside.jpg']);
    expect((await readdir(dir)).sort()).toEqual(['.hidden', 'below', ...FRAME_AND_RECEIPT]);
  });

  test('does not remove a folder in place of the file', async () => {
    const path = join(dir, `${ID}.jpg`);
    await mkdir(path, { recursive: true });
    const removal = sink.remove({ path }, ID, neverAborted());
    await expectFailure(removal, { code: 'SINK_UNWRITABLE', class: 'machine' });
    expect(await readdir(dir)).toEqual([`${ID}.jpg`]);
  });
});

describe('an object and its receipt', () => {
  const target: FrameTarget = { to: 'cos', bucket: KEPT, region: REGION, key: 'frames/b.jpg' };
  const denied = { kind: 'error', code: 'AccessDenied', status: 403, times: null } as const;
  beforeEach(() => {
    sink = sinkIn(dir, KEPT);
  });

  test('are not touched in a bucket that is not configured', async () => {
    const stored = await store(frame, null, target);
    sink = sinkIn(dir, NEVER);
    await expectFailure(sink.remove(stored, ID, neverAborted()), {
      service: 'sink',
      code: 'NO_BUCKET',
      class: 'account',
    });
    await expectFailure(sink.open(stored, neverAborted()), { service: 'sink', code: 'NO_BUCKET', class: 'account' });
    expect(await sink.receipt(placeOf(target), neverAborted())).toBeNull();
    expect(await sinkIn(dir, KEPT).receipt(placeOf(target), neverAborted())).not.toBeNull();
  });

  test('count as missing if the keys may not read them', async () => {
    await store(frame, null, target);
    await bench.control.fault({ ...denied, action: 'GetObject' });
    expect(await sink.receipt(placeOf(target), neverAborted())).toBeNull();
  });

  test('are not reported as missing if the bucket does not answer', async () => {
    await store(frame, null, target);
    await bench.control.fault({ kind: 'error', code: 'InternalError', status: 500, action: 'GetObject', times: null });
    await expectFailure(sink.receipt(placeOf(target), neverAborted()), {
      service: 'cos',
      code: 'InternalError',
      class: 'transient',
    });
  });

  test.each(['DeleteObject', 'GetBucketObjectVersions'])(
    'are not reported as removed if the keys may not %s',
    async (action) => {
      const stored = await store(frame, null, target);
      await bench.control.fault({ ...denied, action });
      await expectFailure(sink.remove(stored, ID, neverAborted()), {
        service: 'cos',
        code: 'AccessDenied',
        class: 'account',
      });
      await bench.control.reset();
      await sink.remove(stored, ID, neverAborted());
      const left = (await bench.control.versions()).filter(({ key }) => key.startsWith('frames/b.jpg'));
      expect(left).toEqual([]);
    },
  );
});
