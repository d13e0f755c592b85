/** Tests the support bundle and the parameters in it: what Tencent needs, and nothing that belongs to the caller. */
import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';
import { describeSentParameters, type SentParameters } from '../../../src/domain/verification/sent-parameters.ts';
import { supportBundle } from '../../../src/domain/verification/support.ts';
import type { VerificationView } from '../../../src/domain/verification/view.ts';

const AT = Date.parse('2026-11-25T10:00:00Z');
const ISO = '2026-11-25T10:00:00.000Z';
const [ONE, TWO] = ['a'.repeat(32), 'b'.repeat(32)];
const DETECT = 'DetectReflectLivenessAndCompare';
const SENT: SentParameters = {
  resources: [
    { name: 'liveData', bytes: 10, md5: ONE, place: 'own.cos/l', requestId: 'u-1' },
    { name: 'image', bytes: 20, md5: TWO, place: 'own.cos/i' },
  ],
};
const PARAMETERS = {
  LiveDataUrl: 'https://own.cos/l',
  LiveDataMd5: ONE,
  ImageUrl: 'https://own.cos/i',
  ImageMd5: TWO,
};

function bundle(history: readonly Omit<HistoryEntry, 'at'>[], more: Partial<VerificationView> = {}) {
  const view = {
    ...{ id: 'v1', mode: 'live', action: DETECT, region: 'ap-singapore', upload: 'own-bucket', state: 'completed' },
    ...{ decision: 'match', similarity: 91, createdAt: ISO, decidedAt: ISO, endedAt: null, reason: null },
    ...{ key: 'order-1', metadata: { who: 'maria' }, history: history.map((entry) => ({ at: AT, ...entry })) },
    ...more,
  } as unknown as VerificationView;
  return supportBundle(view);
}

describe('the support bundle', () => {
  it('has the facts of the verification, and nothing that the caller named', () => {
    expect(bundle([])).toEqual({
      id: 'v1',
      mode: 'live',
      service: 'faceid',
      version: '2018-03-01',
      action: DETECT,
      region: 'ap-singapore',
      upload: 'own-bucket',
      state: 'completed',
      decision: 'match',
      similarity: 91,
      createdAt: ISO,
      decidedAt: ISO,
      endedAt: null,
      reason: null,
      calls: [],
      history: [],
    });
    const reason = { code: 'TIMEOUT', class: 'transient' } as never;
    expect(bundle([], { reason })).toMatchObject({ reason: 'TIMEOUT' });
  });

  it('has the history with the class of each code, without operators and parameters', () => {
    const { history } = bundle([
      { event: 'retry', stage: 'upload', code: 'SlowDown', requestId: 'c-1' },
      { event: 'held', code: 'Vendor.NeverSeen', by: 'maria', why: 'odd' },
      { event: 'done', stage: 'upload', sent: SENT, ms: 5 },
    ]);
    expect(history).toEqual([
      { at: ISO, event: 'retry', stage: 'upload', code: 'SlowDown', requestId: 'c-1', class: 'throttled' },
      { at: ISO, event: 'held', code: 'Vendor.NeverSeen' },
      { at: ISO, event: 'done', stage: 'upload', ms: 5 },
    ]);
  });

  it('lists a call of CreateUploadUrl for each link of the vendor', () => {
    const { calls } = bundle([{ event: 'done', stage: 'upload', sent: SENT, ms: 5, requestId: 'x' }]);
    expect(calls).toEqual([
      {
        at: ISO,
        api: 'CreateUploadUrl',
        code: 'Success',
        requestId: 'u-1',
        ms: null,
        billed: false,
        parameters: { TargetAction: DETECT },
        bytes: { liveData: 10 },
      },
    ]);
  });

  it.each([
    ['upload', 'faceid', 'CreateUploadUrl', { TargetAction: DETECT }],
    ['upload', 'cos', 'PutObject', {}],
    ['md5', 'cos', 'GetObject', {}],
    ['download', undefined, 'GetObject', {}],
  ] as const)('lists a failed call of %s to %s as %s', (stage, service, api, parameters) => {
    const entry = { event: 'retry', stage, code: 'AccessDenied', requestId: 'c-1', ms: 7 } as const;
    const { calls } = bundle([{ ...entry, ...(service === undefined ? {} : { service }) }]);
    expect(calls).toEqual([
      { at: ISO, api, code: 'AccessDenied', requestId: 'c-1', ms: 7, billed: false, parameters, bytes: {} },
    ]);
  });

  it('lists no call without a RequestId or without a code, unless it is the paid one', () => {
    const entry = { event: 'retry', stage: 'upload' } as const;
    expect(
      bundle([
        { ...entry, code: 'TIMEOUT' },
        { ...entry, requestId: 'r' },
      ]).calls,
    ).toEqual([]);
  });

  it.each(['done', 'error', 'unknown', 'late'] as const)('lists a paid call that ended as %s', (event) => {
    const { calls } = bundle([
      { event: 'done', stage: 'upload', sent: { resources: SENT.resources.slice(1) } },
      { event: 'done', stage: 'upload', sent: { resources: SENT.resources.map(({ requestId: _, ...rest }) => rest) } },
      { event, stage: 'detect', code: 'Success', requestId: 'd-1', ms: 900, billed: true },
    ]);
    expect(calls).toEqual([
      {
        at: ISO,
        api: DETECT,
        code: 'Success',
        requestId: 'd-1',
        ms: 900,
        billed: true,
        parameters: PARAMETERS,
        bytes: { LiveDataUrl: 10, ImageUrl: 20 },
      },
    ]);
  });

  it('lists a paid call of which little is known', () => {
    const { calls } = bundle([{ event: 'unknown', stage: 'detect' }]);
    const unknown = { code: '', requestId: null, ms: null, billed: false, parameters: {}, bytes: {} };
    expect(calls).toEqual([{ at: ISO, api: DETECT, ...unknown }]);
  });

  it('lists no paid call that was not sent', () => {
    const unsent = { event: 'unsent', stage: 'detect', code: 'TLS_FAILED', requestId: 'r' } as const;
    expect(bundle([unsent, { event: 'done', stage: 'md5' }]).calls).toEqual([]);
  });

  it('has the liveness type, and only the resources of the action', () => {
    const liveness = { type: 'LIP', validateData: '1234' } as const;
    const detect = { event: 'done', stage: 'detect', code: 'Success' } as const;
    const video = { action: 'VideoLivenessCompare' } as const;
    const [lip] = bundle([{ event: 'done', stage: 'upload', sent: { ...SENT, liveness } }, detect], video).calls.slice(
      -1,
    );
    expect(lip?.parameters).toEqual({
      ImageUrl: 'https://own.cos/i',
      ImageMd5: TWO,
      LivenessType: 'LIP',
      ValidateData: '1234',
    });
    const silent = { resources: [], liveness: { type: 'SILENT' } } as const;
    expect(bundle([{ event: 'done', stage: 'upload', sent: silent }, detect], video).calls[0]?.parameters).toEqual({
      LivenessType: 'SILENT',
    });
  });
});

describe('the sent parameters', () => {
  const place = { bucket: 'own-125', region: 'ap-singapore' };
  const describe_ = (resource: object, liveness?: { type: 'SILENT' }) =>
    describeSentParameters({ resources: { image: { bytes: 20, md5: TWO, ...resource } } }, 'temp/v1', liveness);

  it('name the object of an upload, and hide the key of a caller’s object', () => {
    const places = ['temp/v1/0/image', 'callers/1.jpg', 'temp/v10/0/image', 'x/temp/v1/0/image'].map(
      (key) => describe_({ object: { ...place, key } }).resources[0]?.place,
    );
    const host = 'own-125.cos.ap-singapore.myqcloud.com';
    expect(places).toEqual([`${host}/temp/v1/0/image`, `${host}/…`, `${host}/…`, `${host}/…`]);
  });

  it('name host and path of the vendor’s link, without its signature', () => {
    const link = 'https://vendor.example/https://a?sign=1\n2?3';
    expect(describe_({ link, requestId: 'u-1' }, { type: 'SILENT' })).toEqual({
      resources: [{ name: 'image', bytes: 20, md5: TWO, place: 'vendor.example/https://a', requestId: 'u-1' }],
      liveness: { type: 'SILENT' },
    });
  });

  it('name nothing that is not known', () => {
    expect(describe_({})).toEqual({ resources: [{ name: 'image', bytes: 20, md5: TWO, place: '' }] });
  });
});
