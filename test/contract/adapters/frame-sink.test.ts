/** Where frames go: whole and right, under one name, inside the folder, or not at all. */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CODES } from '../../../src/domain/errors/index.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { FrameSink } from '../../../src/domain/ports.ts';
import type { FrameTarget } from '../../../src/domain/verification.ts';
import { sampleImage } from '../../../src/emulator/samples.ts';
import { createFrameSink } from '../../../src/storage/frame-sink.ts';
import { writeWhole } from '../../../src/storage/spool.ts';
import { type Bench, failing, inPieces, md5Of, never, openBench, REGION, temporaryDir } from './support.ts';

const ID = 'v-1';
const frame = sampleImage('frame');
const TO_FILE = { to: 'file' } as FrameTarget;

let bench: Bench;
let home: string;
let dir: string;
let sink: FrameSink;

beforeAll(async () => {
  bench = await openBench();
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

function sinkIn(folder: string): FrameSink {
  return createFrameSink({ dir: folder, buckets: new Map([[REGION, bench.bucket]]), transport: bench.transport });
}

function store(bytes: Uint8Array = frame, md5: string | null = md5Of(frame), target = TO_FILE, signal = never()) {
  return sink.store(ID, target, inPieces(bytes.subarray(0, 10), bytes.subarray(10)), md5, signal);
}

describe('a file', () => {
  test('is there whole, for its owner only', async () => {
    const path = join(dir, `${ID}.jpg`);
    expect(await store()).toEqual({ path, md5: md5Of(frame), bytes: frame.length });
    expect(await readFile(path)).toEqual(frame);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  test('has one name for every attempt, and attempts at once do no harm', async () => {
    await Promise.all([store(), store(), store()]);
    await store(frame, md5Of(frame).toUpperCase());
    expect(await readdir(dir)).toEqual([`${ID}.jpg`]);
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
    ['RESET', 'transient', () => sink.store(ID, TO_FILE, breaking(), null, never())],
  ])('%s leaves nothing, and what was there before as it was', async (code, kind, attempt) => {
    await failing(attempt(), { code, class: kind });
    expect(await readdir(dir)).toEqual([]);
    await store();
    await failing(attempt(), { code, class: kind });
    expect(await readFile(join(dir, `${ID}.jpg`))).toEqual(frame);
    expect(await readdir(dir)).toHaveLength(1);
  });

  test('is not seen before it is whole', async () => {
    let seen: string[] = [];
    async function* watched() {
      yield frame.subarray(0, 10);
      seen = await readdir(dir);
      yield frame.subarray(10);
    }
    await sink.store(ID, TO_FILE, watched(), null, never());
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
    expect((await readdir(dir)).sort()).toEqual([young, `${ID}.jpg`]);
  });

  test('a folder that went away is made again', async () => {
    await store();
    await rm(dir, { recursive: true });
    await store();
    expect(await readdir(dir)).toHaveLength(1);
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
    bucket: bench.bucket.name,
    region: REGION,
    key: KEY,
    ...more,
  });
  const kept = async () => (await bench.control.objects()).filter(({ key }) => key === KEY);

  test('is put whole, and nothing is left on the disk', async () => {
    const stored = await store(frame, md5Of(frame), target());
    expect(stored).toEqual({
      path: `cos:${REGION}/${bench.bucket.name}/${KEY}`,
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
