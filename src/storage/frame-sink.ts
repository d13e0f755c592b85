/**
 * Where BestFrame ends up.
 *
 * 1. A frame is there whole, with the right MD5, or not at all: written beside its place, flushed, checked, renamed.
 * 2. The name is the same for every attempt, so that a repeated one replaces, and never multiplies.
 * 3. What a failed attempt wrote is removed; what a killed process left behind is removed at the first use after.
 * 4. Nothing is written outside the folder.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { StoredFrame } from '../domain/outcomes.ts';
import type { Bucket, FrameSink } from '../domain/ports.ts';
import type { FrameTarget } from '../domain/verification.ts';
import { abortFailure } from '../transport/abort.ts';
import { createLinkIo } from '../transport/link-io.ts';
import type { Transport } from '../transport/transport.ts';
import { type Digest, Hasher } from './hashing.ts';
import { readAll } from './reading.ts';
import { diskFailure, spool, writeWhole } from './spool.ts';

export interface FrameSinkOptions {
  /** Folder of the frames; made where it is missing, for its owner only. */
  readonly dir: string;
  /** By region. */
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly transport: Transport;
}

/** A guard against a link that yields anything but a picture. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;
const PUT_LINK_MS = 10 * 60_000;
const LEFT_BEHIND_MS = 3_600_000;
const PART = /^\..+\.part$/;

type Pieces = AsyncIterable<Uint8Array>;

export function createFrameSink({ dir, buckets, transport }: FrameSinkOptions): FrameSink {
  const links = createLinkIo(transport);
  let tidied = false;

  async function prepare(): Promise<void> {
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      if (!tidied) await removeLeftBehind(dir);
      tidied = true;
    } catch (error) {
      throw diskFailure(error);
    }
  }

  async function toFile(name: string, frame: Pieces, md5: string | null, signal: AbortSignal): Promise<StoredFrame> {
    refuseOutside(name);
    await prepare();
    const path = join(dir, name);
    const part = join(dir, `.${name}.${randomUUID()}.part`);
    try {
      const digest = await writePart(part, frame, md5, signal);
      await rename(part, path);
      await syncFolder(dir);
      return { path, md5: digest.md5, bytes: digest.sizeBytes };
    } catch (error) {
      await rm(part, { force: true }).catch(() => undefined); // the first error says why
      throw diskFailure(error);
    }
  }

  async function toBucket(
    target: FrameTarget & { to: 'cos' },
    frame: Pieces,
    md5: string | null,
    signal: AbortSignal,
  ): Promise<StoredFrame> {
    const bucket = buckets.get(target.region);
    if (bucket === undefined || bucket.name !== target.bucket) {
      const message = `frame.bucket is not the bucket that is configured for ${target.region}: use that one, or a file`;
      throw sinkFailure(CODES.NO_BUCKET, message, 'frame.bucket');
    }
    await prepare();
    const { file, digest } = await spool(limitedBy(signal, frame), dir, checkSize);
    try {
      checkFrame(digest, md5);
      const head = { sizeBytes: digest.sizeBytes, md5: digest.md5, contentType: 'image/jpeg' };
      await links.put(await bucket.signPut(target.key, PUT_LINK_MS), () => readAll(file), head, signal);
    } finally {
      await file.close();
    }
    return { path: `cos:${target.region}/${target.bucket}/${target.key}`, md5: digest.md5, bytes: digest.sizeBytes };
  }

  return {
    async store(id, target, frame, md5, signal) {
      const expected = md5?.toLowerCase() ?? null;
      switch (target.to) {
        case 'file':
          return toFile(target.name ?? `${id}.jpg`, frame, expected, signal);
        case 'cos':
          return toBucket(target, frame, expected, signal);
        case 'none':
          throw new Error('a frame that nobody wants was downloaded');
      }
    },
  };
}

async function writePart(part: string, frame: Pieces, md5: string | null, signal: AbortSignal): Promise<Digest> {
  const file = await open(
    part,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const hasher = new Hasher();
    for await (const piece of limitedBy(signal, frame)) {
      const position = hasher.sizeBytes;
      hasher.add(piece);
      checkSize(hasher.sizeBytes);
      await writeWhole(file, piece, position);
    }
    const digest = hasher.digest();
    checkFrame(digest, md5);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

async function* limitedBy(signal: AbortSignal, pieces: Pieces): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (signal.aborted) throw abortFailure(signal, 'maybe');
    yield piece;
  }
}

function checkFrame({ sizeBytes, md5 }: Digest, expected: string | null): void {
  if (sizeBytes === 0) throw sinkFailure(CODES.FRAME_MISSING, 'the picture is empty: there is none under this link');
  if (expected === null || expected === md5) return;
  throw sinkFailure(
    CODES.FRAME_MD5_MISMATCH,
    'the picture does not have the MD5 that the vendor gave: it will be fetched again',
  );
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_FRAME_BYTES) return;
  throw sinkFailure(CODES.MALFORMED_REPLY, 'the link yields more bytes than any picture has: it was not stored');
}

/** The schema says so too; a name in an old record, or an id, has not been through it. */
function refuseOutside(name: string): void {
  if (/^(?!\.)[A-Za-z0-9._-]+$/.test(name)) return;
  throw sinkFailure(
    CODES.INVALID_VERIFICATION,
    'frame.name is no plain file name: use letters, digits, ".", "_" and "-"',
    'frame.name',
  );
}

async function removeLeftBehind(dir: string): Promise<void> {
  const parts = (await readdir(dir)).filter((name) => PART.test(name)).map((name) => join(dir, name));
  await Promise.all(parts.map(removeIfLeftBehind));
}

/** Young ones may belong to another worker that is writing right now. */
async function removeIfLeftBehind(part: string): Promise<void> {
  try {
    if (Date.now() - (await stat(part)).mtimeMs > LEFT_BEHIND_MS) await rm(part, { force: true });
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!gone) throw error;
  }
}

/** A rename is on disk only when its folder is. */
async function syncFolder(dir: string): Promise<void> {
  let folder: FileHandle | null = null;
  try {
    folder = await open(dir, constants.O_RDONLY);
    await folder.sync();
  } finally {
    await folder?.close();
  }
}

function sinkFailure(code: string, message: string, field?: string): Failure {
  return new Failure(
    { service: 'sink', channel: 'local', code, sent: 'no', ...(field === undefined ? {} : { field }) },
    message,
  );
}
