/** What would be told of answers that are not the emulator's, and that it never tells a link. */
import { expect, it } from 'vitest';
import {
  detectPoints,
  differences,
  linkPoints,
  mayBeBilled,
  objectPoints,
  uploadUrlPoints,
} from '../../../src/doctor/live-points.ts';
import { sampleLiveData, samplePhoto } from '../../../src/doctor/live-samples.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { readPicture } from '../../../src/emulator/pictures.ts';

const NOW = 1_700_000_000_000;
const UNTIL = 1_700_007_200;
const ID = '3f1b1c9e-0000-4000-8000-00000000000a';
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
const told = (points: ReturnType<typeof linkPoints>) => differences(points).map(({ what, seen }) => `${what}: ${seen}`);

it('has no difference where there is none', () => {
  expect(told(uploadUrlPoints(reply, NOW))).toEqual([]);
  expect(told(linkPoints(reply, 'ap-singapore'))).toEqual([]);
});

it('fields, times and ids that are others', () => {
  const other = { ...reply, ExpiredTimestamp: String(UNTIL), RequestId: 'abc-123', Extra: 1 };
  expect(told(uploadUrlPoints(other, NOW))).toEqual([
    'its fields: ExpiredTimestamp, Extra, RequestId, ResourceUrl, UploadUrl',
    'ExpiredTimestamp: string',
    'life of the links: NaN s',
    'RequestId: a text like aaa-999',
  ]);
  expect(told(uploadUrlPoints({ ...reply, ExpiredTimestamp: UNTIL - 3_600 }, NOW))).toEqual([
    'life of the links: 3600 s',
  ]);
});

it('links of another shape, told without their secrets', () => {
  const decodedPath = reply.UploadUrl.replaceAll('%2F', '/');
  const extra = `${reply.ResourceUrl}&x-cos-security-token=SECRET`;
  const points = linkPoints({ ...reply, UploadUrl: decodedPath, ResourceUrl: extra }, 'ap-singapore');
  expect(told(points)).toEqual([
    'UploadUrl, path: /faceid/DetectReflectLivenessAndCompare/<appid>/<uuid>',
    'ResourceUrl, names in the query: q-sign-algorithm, q-ak, q-sign-time, q-key-time, q-header-list, q-url-param-list, q-signature, x-cos-security-token',
    'the two links differ in: host or path, q-signature, the number of parameters',
  ]);
  const host = linkPoints({ ...reply, ResourceUrl: link(SIGNATURE.get, 'upload.example.com') }, 'ap-hongkong');
  expect(told(host)).toContain('ResourceUrl, host: upload.example.com');
  const raw = linkPoints({ ...reply, UploadUrl: reply.UploadUrl.replaceAll('%3B', ';') }, 'ap-singapore');
  expect(told(raw)).toContain('UploadUrl, q-sign-time: a text like 9999999999;9999999999');
  expect(told(linkPoints({ ...reply, ResourceUrl: undefined }, 'ap-singapore'))).toEqual([
    'UploadUrl and ResourceUrl: string and (absent)',
  ]);
  for (const text of [points, host, raw]) {
    expect(JSON.stringify(text)).not.toMatch(/AKID|SECRET|a{40}|b{40}|3f1b1c9e|https:\/\//);
  }
});

it('objects', () => {
  const bytes = Buffer.from('x');
  const etag = '"9dd4e461268c8034f5c8564e155c67a6"';
  expect(told(objectPoints('PUT', { status: 200, etag }, bytes))).toEqual([]);
  expect(told(objectPoints('GET', { status: 206, etag: null, type: 'text/plain' }, bytes))).toEqual([
    'GET, status: 206',
    'GET, ETag: (absent)',
    'GET, Content-Type: text/plain',
  ]);
});

it('Detect: the other channel, another code, a bill', () => {
  const facts = { service: 'faceid', channel: 'error', sent: 'answered', requestId: ID } as const;
  const refused = (code: string, message: string) => ({
    reply: null,
    failure: new Failure({ ...facts, code }, message),
    clockAheadMs: 0,
  });
  expect(told(detectPoints(refused('InvalidParameterValue', 'MD5 Error')))).toEqual([]);
  expect(told(detectPoints(refused('FailedOperation.DownLoadError', 'md5错误')))).toEqual([
    'code: FailedOperation.DownLoadError',
    'message: md5错误',
  ]);
  const result = (Result: string) => ({
    reply: { Result, Description: 'words', Sim: 0, RequestId: ID },
    failure: null,
    clockAheadMs: 0,
  });
  expect(told(detectPoints(result('FailedOperation.X')))).toContain('channel: result');
  expect(mayBeBilled(result('FailedOperation.X'))).toBe(false);
  expect(mayBeBilled(result('Success'))).toBe(true);
  expect(mayBeBilled(refused('FailedOperation.CompareLowSimilarity', ''))).toBe(true);
  expect(mayBeBilled(refused('InvalidParameterValue', 'MD5 Error'))).toBe(false);
  const lost = { ...facts, channel: 'local', code: 'TIMEOUT', sent: 'maybe' } as const;
  expect(mayBeBilled({ reply: null, failure: new Failure(lost, ''), clockAheadMs: null })).toBe(true);
});

it('the samples are what they say they are', () => {
  expect(sampleLiveData().subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  expect(readPicture(samplePhoto())).toMatchObject({ width: 96, height: 96 });
});
