/**
 * Where frames go: whole and right, under one name, inside the folder, or not at all; each with a receipt beside it; and
 * gone when they are removed.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { CODES } from '../../../src/domain/errors/index.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { FrameSink } from '../../../src/domain/ports.ts';
import type { FrameTarget } from '../../../src/domain/verification.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { createBucket } from '../../../src/storage/bucket.ts';
import { createFrameSink } from '../../../src/storage/frame-sink.ts';
import { writeWhole } from '../../../src/storage/spool.ts';
import { staticCredentials } from '../../../src/tencent/credentials.ts';
import { createLinkIo } from '../../../src/transport/link-io.ts';
import { type Bench, collect, failing, inPieces, md5Of, never, openBench, REGION, temporaryDir } from './support.ts';

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
  paid: true,
} as const;
const NEVER = 'never-1250000000';
const KEPT = 'kept-1250000000';
const OPAQUE = 'opaque-1250000000';
/** What is there after a frame was stored. */
const BOTH = [`${ID}.jpg`, `${ID}.jpg.receipt.json`];

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

function sinkIn(folder: string, bucket = NEVER): FrameSink {
  const credentials = staticCredentials(bench.emulator.credentials);
  const own = createBucket({ name: bucket, region: REGION, credentials, transport: bench.transport });
  return createFrameSink({ dir: folder, buckets: new Map([[REGION, own]]), transport: bench.transport });
}

function store(bytes: Uint8Array = frame, md5: string | null = md5Of(frame), target = TO_FILE, signal = never()) {
  return sink.store(ID, target, inPieces(bytes.subarray(0, 10), bytes.subarray(10)), md5, RECEIPT, signal);
}

describe('a file', () => {
  test('is there whole, for its owner only', async () => {
    const path = join(dir, `${ID}.jpg`);
    expect(await store()).toEqual({ path, md5: md5Of(frame), bytes: frame.length });
    expect(await readFile(path)).toEqual(frame);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  test('has a path that means the same everywhere', async () => {
    sink = sinkIn(relative(process.cwd(), dir));
    const stored = await store();
    expect(stored.path).toBe(join(dir, `${ID}.jpg`));
    await sinkIn(dir).remove(stored, never());
    expect(await readdir(dir)).toEqual([]);
  });

  test('has one name for every attempt, and attempts at once do no harm', async () => {
    await Promise.all([store(), store(), store()]);
    await store(frame, md5Of(frame).toUpperCase());
    expect((await readdir(dir)).sort()).toEqual(BOTH);
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
  });

  test('takes the name that is asked for, and any bytes where the vendor gave no MD5', async () => {
    const stored = await store(frame, null, { to: 'file', name: 'asked.jpeg' });
    expect(stored).toMatchObject({ path: join(dir, 'asked.jpeg'), md5: md5Of(frame) });
  });

  test.each([
    ['FRAME_MD5_MISMATCH', 'transient', () => store(frame, '0'.repeat(32))],
    ['FRAME_MISSING', 'caller', () => store(Buffer.alloc(0), null)],
    ['MALFORMED_REPLY', 'transient', () => store(Buffer.alloc(33 * 1024 * 1024), null)],
    ['ABORTED', 'transient', () => store(frame, null, TO_FILE, AbortSignal.abort())],
    ['RESET', 'transient', () => sink.store(ID, TO_FILE, breaking(), null, RECEIPT, never())],
  ])('%s leaves nothing, and what was there before as it was', async (code, kind, attempt) => {
    await failing(attempt(), { code, class: kind });
    expect(await readdir(dir)).toEqual([]);
    await store();
    await failing(attempt(), { code, class: kind });
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
    expect((await readdir(dir)).sort()).toEqual(BOTH);
  });

  test('is not seen before it is whole', async () => {
    let seen: string[] = [];
    async function* watched() {
      yield frame.subarray(0, 10);
      seen = await readdir(dir);
      yield frame.subarray(10);
    }
    await sink.store(ID, TO_FILE, watched(), null, RECEIPT, never());
    expect(seen).toEqual([expect.stringMatching(/^\..*\.part$/)]);
  });

  test.each(['../out.jpg', '/tmp/out.jpg', 'a/b.jpg', '.hidden', '..', '', 'a\0b'])(
    'a name that leads elsewhere: %j',
    async (name) => {
      const expected = { code: 'INVALID_VERIFICATION', field: 'frame.name', class: 'caller' };
      await failing(store(frame, null, { to: 'file', name }), expected);
      expect(await readdir(home)).toEqual([]);
    },
  );

  test('a link in its place is replaced, not followed', async () => {
    const victim = join(home, 'victim');
    await writeFile(victim, 'untouched');
    await mkdir(dir);
    await symlink(victim, join(dir, `${ID}.jpg`));
    await store();
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
  });

  test('what a killed process left behind goes, what another one writes stays', async () => {
    await mkdir(dir);
    const [old, young] = ['.old.jpg.1.part', '.young.jpg.2.part'];
    for (const name of [old, young]) await writeFile(join(dir, name), 'half');
    await utimes(join(dir, old), 1, 1);
    await store();
    expect((await readdir(dir)).sort()).toEqual([young, ...BOTH]);
  });

  test('what was left of one is removed with it, however young, and of no other whose name begins so', async () => {
    const [mine, receipt, other] = [
      `.${ID}.jpg.${UUID}.part`,
      `.${ID}.jpg.receipt.json.${UUID}.part`,
      `.${ID}.jpg.b.jpg.${UUID}.part`,
    ];
    const stored = await store();
    for (const name of [mine, receipt, other]) await writeFile(join(dir, name), 'half');
    await sink.removeParts(stored);
    expect((await readdir(dir)).sort()).toEqual([other, ...BOTH]);
  });

  test('and so it does in a process that has been there for long', async () => {
    await store();
    const later = Date.now() + 3_700_000;
    await writeFile(join(dir, '.killed.jpg.1.part'), 'half');
    vi.spyOn(Date, 'now').mockReturnValue(later);
    try {
      await store();
    } finally {
      vi.restoreAllMocks();
    }
    expect((await readdir(dir)).sort()).toEqual(BOTH);
  });

  test('a folder that went away is made again', async () => {
    await store();
    await rm(dir, { recursive: true });
    await store();
    expect(await readdir(dir)).toHaveLength(2);
  });

  test('a folder that cannot be, a name that is a folder', async () => {
    const expected = { service: 'sink', code: 'SINK_UNWRITABLE', class: 'transient' } as const;
    await writeFile(join(home, 'file'), '');
    sink = sinkIn(join(home, 'file'));
    await failing(store(), expected);
    sink = sinkIn(join(home, 'file', 'below'));
    await failing(store(), expected);
    sink = sinkIn(dir);
    await mkdir(join(dir, `${ID}.jpg`), { recursive: true });
    await failing(store(), expected);
    expect(await readdir(dir)).toEqual([`${ID}.jpg`]);
  });

  test.skipIf(process.getuid?.() === 0)('a folder without permission', async () => {
    await mkdir(dir);
    await chmod(dir, 0o500);
    await failing(store(), { code: 'SINK_UNWRITABLE', class: 'transient' });
    await chmod(dir, 0o000);
    await failing(store(), { code: 'SINK_UNWRITABLE', class: 'transient' });
    await chmod(dir, 0o700);
  });

  test.skipIf(process.platform !== 'linux')('a full disk', async () => {
    const full = await open('/dev/full', constants.O_WRONLY);
    try {
      await failing(writeWhole(full, frame, 0), { service: 'sink', code: 'SINK_FULL', class: 'transient' });
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

  test('is put whole, and nothing is left on the disk', async () => {
    const stored = await store(frame, md5Of(frame), target());
    expect(stored).toEqual({
      path: `cos:${REGION}/${NEVER}/${KEY}`,
      md5: md5Of(frame),
      bytes: frame.length,
    });
    expect(await kept()).toMatchObject([{ md5: md5Of(frame) }]);
    expect(await readdir(dir)).toEqual([]);
  });

  test('with another MD5 than the vendor’s is not put', async () => {
    await bench.control.reset();
    await failing(store(frame, '0'.repeat(32), target()), { code: 'FRAME_MD5_MISMATCH', class: 'transient' });
    expect(await bench.control.calls({ action: 'PutObject' })).toHaveLength(0);
    expect(await readdir(dir)).toEqual([]);
  });

  test('goes to the bucket that is configured, and to no other', async () => {
    const expected = { code: 'NO_BUCKET', field: 'frame.bucket', class: 'account' };
    await failing(store(frame, null, target({ bucket: 'other-1250000000' })), expected);
    await failing(store(frame, null, target({ region: 'ap-bangkok' })), expected);
  });

  test('that COS refuses', async () => {
    await bench.control.fault({ kind: 'error', code: 'AccessDenied', status: 403, action: 'PutObject' });
    await failing(store(frame, null, target()), { service: 'cos', code: 'AccessDenied', class: 'account' });
    expect(await readdir(dir)).toEqual([]);
  });
});

// ── receipts and removal, wherever the frame is ────────────────────────────────────────────────────────────────────

interface Kind {
  readonly target: FrameTarget;
  /** Of the frame. */
  readonly path: () => string;
  /** Puts something in the place of the frame, or of its receipt. */
  readonly overwrite: (ending: '' | '.receipt.json', bytes: Buffer) => Promise<unknown>;
  readonly read: (ending: '.receipt.json') => Promise<string>;
  /** Names of all that is left, old versions and delete markers too. */
  readonly left: () => Promise<string[]>;
}

const NAME = 'asked.jpg';

const aFile: Kind = {
  target: { to: 'file', name: NAME },
  path: () => join(dir, NAME),
  overwrite: (ending, bytes) => writeFile(join(dir, `${NAME}${ending}`), bytes),
  read: (ending) => readFile(join(dir, `${NAME}${ending}`), 'utf8'),
  left: async () => (await readdir(dir)).sort(),
};

function anObject(bucket: string): Kind {
  const key = `frames/${NAME}`;
  return {
    target: { to: 'cos', bucket, region: REGION, key },
    path: () => `cos:${REGION}/${bucket}/${key}`,
    overwrite: (ending, bytes) => bench.control.putObject(bucket, `${key}${ending}`, bytes),
    read: async (ending) => {
      const link = await bench.bucket.signGet({ bucket, region: REGION, key: `${key}${ending}` }, 60_000);
      return (await collect(await createLinkIo(bench.transport).get(link, never()))).toString();
    },
    left: async () => {
      const all = await bench.control.versions();
      const versions = all.filter((each) => each.bucket === bucket && each.key.startsWith(key));
      return versions.map((each) => each.key.replace('frames/', '')).sort();
    },
  };
}

describe.each<[string, () => FrameSink, Kind]>([
  ['a file', () => sinkIn(dir), aFile],
  ['an object', () => sinkIn(dir, NEVER), anObject(NEVER)],
  ['an object of a bucket with versioning', () => sinkIn(dir, KEPT), anObject(KEPT)],
  ['an object whose ETag is no MD5', () => sinkIn(dir, OPAQUE), anObject(OPAQUE)],
])('%s', (_what, open, { target, path, overwrite, read, left }) => {
  beforeEach(async () => {
    sink = open();
    await rm(dir, { recursive: true, force: true });
    await sink.remove({ path: path() }, never());
  });

  const asked = (id = ID) => sink.receipt(id, target, never());
  const receipt = { ...RECEIPT, frame: { md5: md5Of(frame), bytes: frame.length } };

  test('has a receipt beside it, which is read back with where the frame is', async () => {
    expect(await asked()).toBeNull();
    const stored = await store(frame, md5Of(frame), target);
    expect(stored.path).toBe(path());
    expect(JSON.parse(await read('.receipt.json'))).toEqual(receipt);
    expect(await asked()).toEqual({ receipt, stored });
    expect(await open().receipt(ID, target, never())).toEqual({ receipt, stored }); // another process
  });

  test('has the receipt of the attempt that stored it last', async () => {
    await store(frame, null, target);
    const other = sampleImage('another frame');
    await store(other, null, target);
    const found = await asked();
    expect(found?.receipt.frame).toEqual({ md5: md5Of(other), bytes: other.length });
    expect(found?.stored).toMatchObject({ md5: md5Of(other), bytes: other.length });
  });

  test('a receipt is of one verification alone', async () => {
    await store(frame, null, target);
    expect(await asked('v-2')).toBeNull();
  });

  test.each([
    ['of another content', Buffer.from(frame).fill(0, 100, 200)],
    ['of another size', frame.subarray(1)],
    ['that is empty', Buffer.alloc(0)],
  ])('a receipt counts for nothing beside a frame %s', async (_how, bytes) => {
    await store(frame, null, target);
    await overwrite('', bytes);
    expect(await asked()).toBeNull();
  });

  test.each([
    ['no JSON', '{"id": "v-1", '],
    ['null', 'null'],
    ['of another shape', JSON.stringify({ ...receipt, decision: 'perhaps' })],
    ['without its frame', JSON.stringify(RECEIPT)],
    ['too long', `${JSON.stringify(receipt)}${' '.repeat(5_000)}`],
    ['empty', ''],
  ])('a receipt that is %s is none', async (_how, text) => {
    await store(frame, null, target);
    await overwrite('.receipt.json', Buffer.from(text));
    expect(await asked()).toBeNull();
  });

  test('is opened as it was stored, whole and in part, again and again', async () => {
    const stored = await store(frame, md5Of(frame), target);
    const opened = await open().open(stored, never());
    if (opened === null) throw new Error('not there');
    const last = frame.length - 1;
    expect(Buffer.from(await collect(opened.bytes(0, last)))).toEqual(frame);
    expect(Buffer.from(await collect(opened.bytes(10, 19)))).toEqual(frame.subarray(10, 20));
    expect(Buffer.from(await collect(opened.bytes(last, last)))).toEqual(frame.subarray(last));
    await opened.close();
  });

  test('is not opened once it is gone, or another picture lies in its place', async () => {
    const stored = await store(frame, md5Of(frame), target);
    for (const other of [Buffer.from(frame).fill(0, 100, 200), frame.subarray(1), Buffer.alloc(0)]) {
      await overwrite('', other);
      expect(await sink.open(stored, never())).toBeNull();
    }
    await sink.remove(stored, never());
    expect(await sink.open(stored, never())).toBeNull();
  });

  test('is removed with its receipt, and again is the same as once', async () => {
    const stored = await store(frame, null, target);
    await store(frame, null, target);
    await overwrite('', sampleImage('somebody else wrote this'));
    expect(await left()).toEqual(expect.arrayContaining([NAME, `${NAME}.receipt.json`]));
    for (let time = 0; time < 2; time += 1) {
      await sink.remove(stored, never());
      expect(await left()).toEqual([]);
    }
    expect(await asked()).toBeNull();
  });

  test('is removed where the receipt is all that is left', async () => {
    const stored = await store(frame, null, target);
    await overwrite('', Buffer.from('x'));
    await sink.remove(stored, never());
    await overwrite('.receipt.json', Buffer.from(JSON.stringify(receipt)));
    expect(await asked()).toBeNull();
    await sink.remove(stored, never());
    expect(await left()).toEqual([]);
  });
});

test('nobody wants a frame: there is no receipt either', async () => {
  expect(await sink.receipt(ID, { to: 'none' }, never())).toBeNull();
});

describe('a file and its receipt', () => {
  const receiptPath = () => join(dir, `${ID}.jpg.receipt.json`);

  test('are for their owner only, and say nothing of where they are', async () => {
    await store();
    expect((await stat(receiptPath())).mode & 0o777).toBe(0o600);
    expect(await readFile(receiptPath(), 'utf8')).not.toContain(dir);
  });

  test('a link in place of either is not followed', async () => {
    const stored = await store();
    const elsewhere = join(home, 'elsewhere');
    for (const path of [stored.path, receiptPath()]) {
      await rename(path, elsewhere);
      await symlink(elsewhere, path);
      expect(await sink.receipt(ID, TO_FILE, never())).toBeNull();
      if (path === stored.path) expect(await sink.open(stored, never())).toBeNull();
      await sink.remove(stored, never());
      expect(await readdir(dir)).toEqual([]);
      expect((await stat(elsewhere)).size).toBeGreaterThan(0);
      await store();
    }
  });

  test('a receipt that could not be written: the attempt fails, and the next one mends it', async () => {
    await mkdir(receiptPath(), { recursive: true });
    await failing(store(), { code: 'SINK_UNWRITABLE', class: 'transient' });
    expect(await sink.receipt(ID, TO_FILE, never())).toBeNull();
    await rm(receiptPath(), { recursive: true });
    await store();
    expect(await sink.receipt(ID, TO_FILE, never())).not.toBeNull();
  });

  test.each([
    ['a file outside', () => join(home, 'outside.jpg')],
    ['a file below', () => join(dir, 'below', 'a.jpg')],
    ['a file outside, by way of the folder', () => `${dir}/../outside.jpg`],
    ['the folder above', () => `${dir}/..`],
    ['the folder', () => dir],
    ['a hidden file', () => join(dir, '.hidden')],
    ['nothing', () => ''],
  ])('%s is neither read nor removed', async (_what, path) => {
    await store();
    await mkdir(join(dir, 'below'));
    for (const victim of [join(home, 'outside.jpg'), join(dir, 'below', 'a.jpg'), join(dir, '.hidden')]) {
      await writeFile(victim, 'untouched');
    }
    const elsewhere = { service: 'sink', code: 'FRAME_ELSEWHERE', sent: 'no', class: 'account' } as const;
    await failing(sink.remove({ path: path() }, never()), elsewhere);
    await failing(sink.open({ path: path(), md5: md5Of(frame), bytes: frame.length }, never()), elsewhere);
    expect((await readdir(home)).sort()).toEqual(['frames', 'outside.jpg']);
    expect((await readdir(dir)).sort()).toEqual(['.hidden', 'below', ...BOTH]);
  });

  test('what is no file is not removed', async () => {
    const path = join(dir, `${ID}.jpg`);
    await mkdir(path, { recursive: true });
    const removal = sink.remove({ path }, never());
    await failing(removal, { code: 'SINK_UNWRITABLE', class: 'transient' });
    expect(await readdir(dir)).toEqual([`${ID}.jpg`]);
  });
});

describe('an object and its receipt', () => {
  const target: FrameTarget = { to: 'cos', bucket: KEPT, region: REGION, key: 'frames/b.jpg' };
  const denied = { kind: 'error', code: 'AccessDenied', status: 403, times: null } as const;
  beforeEach(() => {
    sink = sinkIn(dir, KEPT);
  });

  test('are not touched in a bucket that is not the one that is configured', async () => {
    const stored = await store(frame, null, target);
    sink = sinkIn(dir, NEVER);
    await failing(sink.remove(stored, never()), { service: 'sink', code: 'NO_BUCKET', class: 'account' });
    await failing(sink.open(stored, never()), { service: 'sink', code: 'NO_BUCKET', class: 'account' });
    expect(await sink.receipt(ID, target, never())).toBeNull();
    expect(await sinkIn(dir, KEPT).receipt(ID, target, never())).not.toBeNull();
  });

  test('keys that may not read them: there is no receipt', async () => {
    await store(frame, null, target);
    await bench.control.fault({ ...denied, action: 'GetObject' });
    expect(await sink.receipt(ID, target, never())).toBeNull();
  });

  test('a bucket that does not answer is not taken for one without a receipt', async () => {
    await store(frame, null, target);
    await bench.control.fault({ kind: 'error', code: 'InternalError', status: 500, action: 'GetObject', times: null });
    await failing(sink.receipt(ID, target, never()), { service: 'cos', code: 'InternalError', class: 'transient' });
  });

  test.each(['DeleteObject', 'GetBucketObjectVersions'])(
    'keys that may not %s: it is not taken for removed',
    async (action) => {
      const stored = await store(frame, null, target);
      await bench.control.fault({ ...denied, action });
      await failing(sink.remove(stored, never()), { service: 'cos', code: 'AccessDenied', class: 'account' });
      await bench.control.reset();
      await sink.remove(stored, never());
      const left = (await bench.control.versions()).filter(({ key }) => key.startsWith('frames/b.jpg'));
      expect(left).toEqual([]);
    },
  );
});
