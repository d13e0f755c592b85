/**
 * The body of a call that carries files: JSON, in which each file is a string of Base64. A body is a stream, so that no file is ever
 * in memory as a whole.
 *
 * The signature of a call covers the hash of its body, so a body is written twice: here, to hash it, and when it is sent.
 */
import { createHash } from 'node:crypto';
import { inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import { MAX_REQUEST_BYTES } from './vendor-calls.ts';

/** The parameters of a call, and the files that become parameters. */
export interface CallContent {
  readonly parameters: Readonly<Record<string, unknown>>;
  /** By parameter. Each use starts a new stream of the same bytes. */
  readonly files: Readonly<Record<string, () => AsyncIterable<Uint8Array>>>;
}

export interface CallBody {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Starts a new stream of the whole body. */
  stream(): AsyncIterable<Uint8Array>;
}

/** @throws Failure SOURCE_TOO_LARGE, or the failure of a file's stream */
export async function encodeBody(content: CallContent): Promise<CallBody> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of write(content)) {
    hash.update(piece);
    sizeBytes += piece.byteLength;
  }
  if (sizeBytes > MAX_REQUEST_BYTES) throw tooLarge(sizeBytes);
  return { sizeBytes, sha256: hash.digest('hex'), stream: () => write(content) };
}

async function* write({ parameters, files }: CallContent): AsyncGenerator<Uint8Array> {
  let text = JSON.stringify(parameters).slice(0, -1);
  for (const [name, open] of Object.entries(files)) {
    yield Buffer.from(`${text}${text === '{' ? '' : ','}${JSON.stringify(name)}:"`);
    yield* toBase64(open());
    text = '"';
  }
  yield Buffer.from(`${text}}`);
}

/** Base64 turns three bytes into four characters, so up to two bytes of a piece wait for the next piece. */
async function* toBase64(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const piece of bytes) {
    const ready = Buffer.concat([rest, piece]);
    const whole = ready.length - (ready.length % 3);
    rest = ready.subarray(whole);
    if (whole > 0) yield Buffer.from(ready.toString('base64', 0, whole), 'latin1');
  }
  if (rest.length > 0) yield Buffer.from(rest.toString('base64'), 'latin1');
}

function tooLarge(sizeBytes: number) {
  const message = `the files are too large for one request: ${sizeBytes} bytes as Base64, and Tencent takes ${MAX_REQUEST_BYTES}. Send a smaller video or photo`;
  return inputFailure(CODES.SOURCE_TOO_LARGE, 'resources', message);
}
