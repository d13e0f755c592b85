/** What COS answers, in its XML errors. Nothing at COS is billed as a verification. */
import { type ErrorClass, type ErrorEntry, RETRIES } from './entry.ts';

type Row = readonly [match: string, kind: ErrorClass, title: string, explanation: string, advice: string];

const ROWS: readonly Row[] = [
  [
    'BadDigest',
    'transient',
    'The bytes changed on the way',
    'COS computed another MD5 than the Content-MD5 that was sent.',
    'Nothing: it is uploaded again.',
  ],
  [
    'InvalidDigest',
    'caller',
    'Content-MD5 is malformed',
    'COS cannot read the Content-MD5 header.',
    'Report it: Bestframe should not send this.',
  ],
  [
    'EntitySizeNotMatch',
    'transient',
    'The size changed on the way',
    'COS received another number of bytes than was announced.',
    'Nothing: it is uploaded again.',
  ],
  [
    'EntityTooLarge',
    'caller',
    'The object is too large',
    'COS takes at most 5 GB in one PUT.',
    'Give a smaller resource.',
  ],
  [
    'ExpiredToken',
    'account',
    'The temporary keys have expired',
    'The session token is past its life.',
    'Renew the credentials file; it is read again as soon as it changes.',
  ],
  [
    'RequestTimeout',
    'transient',
    'COS waited too long for bytes',
    'The upload stalled.',
    'Nothing: it is tried again.',
  ],
  [
    'AccessDenied',
    'account',
    'COS refuses access',
    'The keys lack a right on the bucket, or a signed link has expired.',
    'Grant the keys GetObject, PutObject, HeadObject, DeleteObject, GetBucketObjectVersions and HeadBucket on this bucket, and check the clock.',
  ],
  [
    'RequestTimeTooSkewed',
    'account',
    'The clock is off',
    'This machine’s clock differs from COS’s by more than 15 minutes.',
    'Set this machine’s clock by NTP.',
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
    'COS refuses the signature',
    'The SecretKey does not belong to the SecretId, or something rewrote the link.',
    'Correct the credentials; check proxies that re-encode URLs.',
  ],
  [
    'NoSuchKey',
    'reupload',
    'The object is gone',
    'Something deleted it between upload and use.',
    'Nothing: it is uploaded again. Check lifecycle rules and other writers if it comes back.',
  ],
  [
    'NoSuchBucket',
    'account',
    'No such bucket',
    'The bucket does not exist in this region.',
    'Correct BESTFRAME_BUCKETS, or create the bucket in the region of the API.',
  ],
  ['SlowDown', 'throttled', 'COS asks to slow down', 'The bucket’s rate was passed.', 'Nothing: it waits.'],
  ['InternalError', 'transient', 'Internal error of COS', 'COS failed.', 'Nothing: it is tried again.'],
  [
    'ServiceUnavailable',
    'transient',
    'COS is unavailable',
    'COS is down or overloaded.',
    'Nothing: it is tried again.',
  ],
];

export const COS_CODES: readonly ErrorEntry[] = ROWS.map(([match, kind, title, explanation, advice]) => ({
  match,
  service: 'cos',
  channel: 'error',
  class: kind,
  decision: null,
  retry: RETRIES[kind],
  billed: 'no',
  audience: kind === 'caller' ? 'caller' : 'operator',
  title,
  explanation,
  advice,
}));
