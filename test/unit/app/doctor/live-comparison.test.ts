/** Tests how the doctor reports answers that differ from the emulator's. No report may contain a link. */
import { expect, it } from 'vitest';
import {
  differences,
  linkPoints,
  mayBeBilled,
  objectPoints,
  refusalPoints,
  uploadUrlPoints,
} from '../../../../src/app/doctor/live-comparison.ts';
import { sampleLiveData, samplePhoto } from '../../../../src/app/doctor/live-samples.ts';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import { readPicture } from '../../../../src/emulator/pictures.ts';

const NOW = 1_700_000_000_000;
const UNTIL = 1_700_007_200;
const ID = '3f1b1c9e-0000-4000-8000-00000000000a';
const SINGAPORE = { region: 'ap-singapore', target: 'DetectReflectLivenessAndCompare' } as const;
const SIGNATURE = { put: 'a'.repeat(40), get: 'b'.repeat(40) };

function link(signature: string, host = 'faceid-resource-sg-1251001002.cos.ap-singapore.myqcloud.com'): string {
  const time = `1700000000%3B${UNTIL}`;
  const path = `/faceid%2FDetectReflectLivenessAndCompare%2F1251001002%2F${ID}`;
  return `https://${host}${path}?q-sign-algorithm=sha1&q-ak=AKIDx&q-sign-time=${time}&q-key-time=${time}&q-header-list=host&q-url-param-list=&q-signature=${signature}`;
}

const reply = {
  UploadUrl: link(SIGNATURE.put),
  ResourceUrl: link(SIGNATURE.get),
  ExpiredTimestamp: UNTIL,
  RequestId: ID,
};
const describeDifferences = (points: ReturnType<typeof linkPoints>) =>
  differences(points).map(({ name, actual }) => `${name}: ${actual}`);

it('finds no difference in the emulator’s own answers', () => {
  expect(describeDifferences(uploadUrlPoints(reply, NOW))).toEqual([]);
  expect(describeDifferences(linkPoints(reply, SINGAPORE))).toEqual([]);
});

it('reports fields, times and ids that differ', () => {
  const other = { ...reply, ExpiredTimestamp: String(UNTIL), RequestId: 'abc-123', Extra: 1 };
  expect(describeDifferences(uploadUrlPoints(other, NOW))).toEqual([
    'fields: ExpiredTimestamp, Extra, RequestId, ResourceUrl, UploadUrl',
    'ExpiredTimestamp: string',
    'link lifetime: NaN s',
    'RequestId: a string like aaa-999',
  ]);
  expect(describeDifferences(uploadUrlPoints({ ...reply, ExpiredTimestamp: UNTIL - 3_600 }, NOW))).toEqual([
    'link lifetime: 3600 s',
  ]);
});

it('reports links of a different shape without their secrets', () => {
  const decodedPath = reply.UploadUrl.replaceAll('%2F', '/');
  const extra = `${reply.ResourceUrl}&x-cos-security-token=SECRET`;
  const points = linkPoints({ ...reply, UploadUrl: decodedPath, ResourceUrl: extra }, SINGAPORE);
  expect(describeDifferences(points)).toEqual([
    'UploadUrl, path: /faceid/DetectReflectLivenessAndCompare/<appid>/<uuid>',
    'ResourceUrl, query parameters: q-sign-algorithm, q-ak, q-sign-time, q-key-time, q-header-list, q-url-param-list, q-signature, x-cos-security-token',
    'difference between the links: host or path, q-signature, number of parameters',
  ]);
  const host = linkPoints(
    { ...reply, ResourceUrl: link(SIGNATURE.get, 'upload.example.com') },
    { ...SINGAPORE, region: 'ap-hongkong' },
  );
  expect(describeDifferences(host)).toContain('ResourceUrl, host: upload.example.com');
  const raw = linkPoints({ ...reply, UploadUrl: reply.UploadUrl.replaceAll('%3B', ';') }, SINGAPORE);
  expect(describeDifferences(raw)).toContain('UploadUrl, q-sign-time: a string like 9999999999;9999999999');
  expect(describeDifferences(linkPoints({ ...reply, ResourceUrl: undefined }, SINGAPORE))).toEqual([
    'UploadUrl and ResourceUrl: string and (absent)',
  ]);
  for (const text of [points, host, raw]) {
    expect(JSON.stringify(text)).not.toMatch(/AKID|SECRET|a{40}|b{40}|3f1b1c9e|https:\/\//);
  }
});

it('compares status, ETag and type of objects', () => {
  const bytes = Buffer.from('x');
  const etag = '"9dd4e461268c8034f5c8564e155c67a6"';
  expect(describeDifferences(objectPoints('PUT', { status: 200, etag }, bytes))).toEqual([]);
  expect(describeDifferences(objectPoints('GET', { status: 206, etag: null, type: 'text/plain' }, bytes))).toEqual([
    'GET, status: 206',
    'GET, ETag: (absent)',
    'GET, Content-Type: text/plain',
  ]);
});

it('compares the answer to Detect, and says whether it may be billed', () => {
  const facts = { service: 'faceid', channel: 'error', sent: 'answered', requestId: ID } as const;
  const refused = (code: string, message: string) => ({
    reply: null,
    failure: new Failure({ ...facts, code }, message),
    clockAheadMs: 0,
  });
  expect(describeDifferences(refusalPoints(refused('InvalidParameterValue', 'MD5 Error')))).toEqual([]);
  expect(describeDifferences(refusalPoints(refused('FailedOperation.DownLoadError', 'md5错误')))).toEqual([
    'code: FailedOperation.DownLoadError',
    'message: md5错误',
  ]);
  const result = (Result: string) => ({
    reply: { Result, Description: 'words', Sim: 0, RequestId: ID },
    failure: null,
    clockAheadMs: 0,
  });
  expect(describeDifferences(refusalPoints(result('FailedOperation.X')))).toContain('channel: result');
  expect(mayBeBilled(result('FailedOperation.X'))).toBe(false);
  expect(mayBeBilled(result('Success'))).toBe(true);
  expect(mayBeBilled(refused('FailedOperation.CompareLowSimilarity', ''))).toBe(true);
  expect(mayBeBilled(refused('InvalidParameterValue', 'MD5 Error'))).toBe(false);
  const unanswered = { ...facts, channel: 'local', code: 'TIMEOUT', sent: 'maybe' } as const;
  expect(mayBeBilled({ reply: null, failure: new Failure(unanswered, '') })).toBe(true);
});

it('has samples in the right formats', () => {
  expect(sampleLiveData().subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  expect(readPicture(samplePhoto())).toMatchObject({ width: 96, height: 96 });
});
