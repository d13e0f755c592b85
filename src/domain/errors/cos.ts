/** Error codes in COS's XML answers. COS never bills a verification. */
import { type ErrorClass, type ErrorEntry, hintWords, RETRIES } from './entry.ts';

type Row = readonly [match: string, kind: ErrorClass, title: string, explanation: string, advice: string];

/** Nobody needs to act: Bestframe recovers by itself. */
const NOTHING = '';

const ROWS: readonly Row[] = [
  [
    'BadDigest',
    'transient',
    'The bytes changed during the upload',
    'COS computed another MD5 than the Content-MD5 of the request.',
    NOTHING,
  ],
  [
    'InvalidDigest',
    'caller',
    'The Content-MD5 header is malformed',
    'COS cannot parse the header.',
    'Report it: this is a bug in Bestframe.',
  ],
  [
    'EntitySizeNotMatch',
    'transient',
    'The size changed during the upload',
    'COS received another number of bytes than the request announced.',
    NOTHING,
  ],
  [
    'EntityTooLarge',
    'caller',
    'The object is too large',
    'COS accepts at most 5 GB in one PUT.',
    'Give a smaller resource.',
  ],
  [
    'ExpiredToken',
    'account',
    'The temporary credentials have expired',
    'The lifetime of the session token is over.',
    'Renew the credentials file. Bestframe reads it again as soon as it changes.',
  ],
  ['RequestTimeout', 'transient', 'The upload stalled', 'COS waited too long for more bytes.', NOTHING],
  [
    'AccessDenied',
    'account',
    'COS denied access',
    'The keys lack a permission on the bucket, or a signed link has expired.',
    'Grant the keys GetObject, PutObject, HeadObject, DeleteObject, GetBucketObjectVersions and HeadBucket on this bucket, and check the clock.',
  ],
  [
    'RequestTimeTooSkewed',
    'account',
    'This machine’s clock is wrong',
    'The clock differs from COS’s clock by more than 15 minutes.',
    'Synchronize this machine’s clock with NTP.',
  ],
  [
    'InvalidAccessKeyId',
    'account',
    'COS does not know the SecretId',
    'The key was deleted, disabled or mistyped.',
    'Correct the credentials.',
  ],
  [
    'SignatureDoesNotMatch',
    'account',
    'COS rejected the signature',
    'The SecretKey does not belong to the SecretId, or something rewrote the link.',
    'Correct the credentials. Look for a proxy that re-encodes URLs.',
  ],
  [
    'NoSuchKey',
    'reupload',
    'The object no longer exists',
    'Something deleted it between upload and use.',
    'Check the lifecycle rules of the bucket and other programs that write to it.',
  ],
  [
    'NoSuchBucket',
    'account',
    'The bucket does not exist',
    'There is no bucket with this name in this region.',
    'Correct BESTFRAME_BUCKETS, or create the bucket in the region of the API.',
  ],
  ['SlowDown', 'throttled', 'COS limits the request rate', 'The rate limit of the bucket was exceeded.', NOTHING],
  ['InternalError', 'transient', 'COS had an internal error', 'Something inside COS failed.', NOTHING],
  ['ServiceUnavailable', 'transient', 'COS is unavailable', 'COS is down or overloaded.', NOTHING],
];

/** Codes that COS returns if the fault lies with the keys or the clock, and not with the object in the request. */
export const COS_CODES_ABOUT_KEYS: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'InvalidAccessKeyId',
  'RequestTimeTooSkewed',
]);

export const COS_CODES: readonly ErrorEntry[] = ROWS.map(([match, kind, title, explanation, advice]) => ({
  match,
  service: 'cos',
  channel: 'error',
  class: kind,
  decision: null,
  retry: RETRIES[kind],
  billed: 'no',
  retake: 'none',
  title,
  explanation,
  advice: hintWords(kind, advice),
}));
