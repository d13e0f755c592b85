/**
 * The light sequence that a phone needs before its liveness check. The phone's SDK returns device data, Tencent turns the
 * device data into a light sequence, and the SDK records the face under that light. A sequence is not a verification
 * (docs/decisions/sequences.md).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Failure, inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import { regionProblem, SEQUENCE, SEQUENCE_CALL } from './actions.ts';
import { REGIONS } from './regions.ts';
import { describeInvalidField, UPLOAD_WAYS } from './request.ts';

export const sequenceRegion = z.enum(REGIONS).superRefine((region, context) => {
  const message = regionProblem(region, SEQUENCE_CALL);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

const sequenceRequest = z.strictObject({
  /** The SDK's output: Base64 text as bytes, not decoded. */
  deviceData: z.custom<Uint8Array>(
    (given) => given instanceof Uint8Array,
    'is missing or not bytes: give the bytes that the SDK returned',
  ),
  /** MD5 of the device data, 32 hex digits. If given, device data with another MD5 is refused. */
  md5: z
    .string()
    .regex(/^[0-9a-fA-F]{32}$/, 'is not an MD5: write 32 hex digits')
    .optional(),
  /** The caller's own key. For some minutes, the same key with the same device data returns the same sequence. */
  key: z
    .string()
    .min(1, 'is empty: give a key of your own, or omit it')
    .max(128, 'is longer than 128 characters: use a shorter id, or a hash of it')
    .regex(/^[\x21-\x7e]*$/, 'has a forbidden character: use printable ASCII without spaces only')
    .optional(),
  region: sequenceRegion,
  upload: z.enum(UPLOAD_WAYS),
  /** @default chosen by Tencent: '4', blinking and light. */
  securityLevel: z.enum(SEQUENCE.levels).optional(),
});

/** A request as a caller writes it. */
export type SequenceRequest = z.input<typeof sequenceRequest>;

/** A validated request, with the MD5 of the device data. */
export type SequenceOrder = z.output<typeof sequenceRequest> & { readonly md5: string };

/** The answer: a sequence for the phone. */
export interface LightSequence {
  readonly bytes: Uint8Array;
  /** MD5 that Tencent gave for the bytes, 32 hex digits. Bestframe has checked it. */
  readonly md5: string;
  /** RequestId of the call that made the sequence. */
  readonly requestId: string;
}

/** @throws Failure INVALID_SEQUENCE or one of the SOURCE_ codes, with the invalid field. */
export function parseSequence(input: unknown): SequenceOrder {
  const parsed = sequenceRequest.safeParse(input, { reportInput: true });
  if (!parsed.success) {
    const { field, problem } = describeInvalidField(parsed.error.issues[0]);
    throw inputFailure(CODES.INVALID_SEQUENCE, field, `${field === '' ? 'the request' : field} ${problem}`);
  }
  const { deviceData, md5: expected } = parsed.data;
  const failure = checkDeviceData(deviceData);
  if (failure !== null) throw failure;
  const md5 = createHash('md5').update(deviceData).digest('hex');
  if (expected === undefined || expected.toLowerCase() === md5) return { ...parsed.data, md5 };
  const message = 'md5 is not the MD5 of deviceData: correct it, or give the bytes that the SDK returned';
  throw inputFailure(CODES.SOURCE_MD5_MISMATCH, 'md5', message);
}

function checkDeviceData(data: Uint8Array): Failure | null {
  const field = 'deviceData';
  if (data.byteLength === 0)
    return inputFailure(CODES.SOURCE_EMPTY, field, 'deviceData is empty: give what the SDK returned');
  if (data.byteLength > SEQUENCE.maxBytes) {
    const message = `deviceData is larger than the limit of ${SEQUENCE.maxBytes} bytes: give what the SDK returned`;
    return inputFailure(CODES.SOURCE_TOO_LARGE, field, message);
  }
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1').trimEnd();
  if (/^[A-Za-z0-9+/_\-\r\n]+={0,2}$/.test(text)) return null;
  const message = 'deviceData is not Base64 text: give it exactly as the SDK returned it, neither decoded nor wrapped';
  return inputFailure(CODES.SOURCE_WRONG_KIND, field, message);
}
