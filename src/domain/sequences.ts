/**
 * What a phone needs before its liveness check: its SDK gives device data, Tencent makes a light sequence of it, and the SDK
 * records the face under that light. A sequence is no verification (docs/decisions/sequences.md).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { REGIONS, SEQUENCE } from './actions.ts';
import { CODES } from './errors/index.ts';
import { type Failure, inputFailure } from './failure.ts';
import { inWords, UPLOAD_WAYS } from './verification.ts';

const sequenceRequest = z.strictObject({
  /** As the SDK gave it: Base64 text, not decoded. */
  deviceData: z.custom<Uint8Array>(
    (given) => given instanceof Uint8Array,
    'is missing, or no bytes: give the bytes that the SDK gave',
  ),
  md5: z
    .string()
    .regex(/^[0-9a-fA-F]{32}$/, 'is no MD5: write 32 hex digits')
    .optional(),
  /** Of the caller's own. For some minutes, the same key with the same device data is answered with the same sequence. */
  key: z
    .string()
    .min(1, 'is empty: give a key of your own, or leave it out')
    .max(128, 'is longer than 128 characters: use a shorter id, or a hash of it')
    .regex(/^[\x21-\x7e]*$/, 'has a forbidden character: printable ASCII without spaces only')
    .optional(),
  region: z.enum(REGIONS),
  upload: z.enum(UPLOAD_WAYS),
  securityLevel: z.enum(SEQUENCE.levels).optional(),
});

/** What a caller writes. */
export type SequenceRequest = z.input<typeof sequenceRequest>;

/** What it means, with the digest of the device data. */
export type SequenceOrder = z.output<typeof sequenceRequest> & { readonly md5: string };

export interface LightSequence {
  readonly bytes: Uint8Array;
  /** 32 hex digits; the bytes have it. */
  readonly md5: string;
  /** Of the call that made it. */
  readonly requestId: string;
}

/** @throws Failure INVALID_SEQUENCE or one of the source codes, with the field at fault. */
export function parseSequence(input: unknown): SequenceOrder {
  const parsed = sequenceRequest.safeParse(input, { reportInput: true });
  if (!parsed.success) throw describeIssue(parsed.error.issues[0]);
  const { deviceData, md5: said } = parsed.data;
  const problem = dataProblem(deviceData);
  if (problem !== null) throw problem;
  const md5 = createHash('md5').update(deviceData).digest('hex');
  if (said === undefined || said.toLowerCase() === md5) return { ...parsed.data, md5 };
  const message = 'md5 is not the MD5 of deviceData: correct it, or give the bytes that the SDK gave';
  throw inputFailure(CODES.SOURCE_MD5_MISMATCH, 'md5', message);
}

function dataProblem(data: Uint8Array): Failure | null {
  const field = 'deviceData';
  if (data.byteLength === 0)
    return inputFailure(CODES.SOURCE_EMPTY, field, 'deviceData is empty: give what the SDK gave');
  if (data.byteLength > SEQUENCE.maxBytes) {
    const message = `deviceData is larger than ${SEQUENCE.maxBytes} bytes, the most that is taken: give what the SDK gave`;
    return inputFailure(CODES.SOURCE_TOO_LARGE, field, message);
  }
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1').trimEnd();
  if (/^[A-Za-z0-9+/_\-\r\n]+={0,2}$/.test(text)) return null;
  const message = 'deviceData is no Base64 text: give it as the SDK gave it, neither decoded nor wrapped';
  return inputFailure(CODES.SOURCE_WRONG_KIND, field, message);
}

function describeIssue(issue: z.core.$ZodIssue | undefined): Failure {
  const field = issue?.path.map(String).join('.') ?? '';
  const at = field === '' ? 'the request' : field;
  const words = issue === undefined ? 'is not valid' : inWords(issue);
  return inputFailure(CODES.INVALID_SEQUENCE, field, `${at} ${words}`);
}
