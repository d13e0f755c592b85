import { describe, expect, it } from 'vitest';
import { Failure, type FailureFacts } from '../../../src/domain/errors/failure.ts';
import {
  dependenciesOf,
  dependencyKind,
  isSharedTrouble,
  sourceDependency,
} from '../../../src/domain/operations/breakers.ts';
import { DEFAULT_POLICY, nextMove } from '../../../src/domain/verification/policy.ts';
import type { Order } from '../../../src/domain/verification/request.ts';

const file = (path: string) => ({ from: 'file', path }) as const;
const ORDER: Order = {
  action: 'DetectReflectLivenessAndCompare',
  region: 'ap-singapore',
  upload: 'own-bucket',
  resources: { liveData: file('/l'), image: { from: 'https', url: 'https://photos.example.com:8443/1.jpg' } },
  frame: { to: 'file' },
};

describe('what a stage needs', () => {
  it('is the hosts of its sources and the dependencies of its upload method', () => {
    expect(dependenciesOf(ORDER, 'upload')).toEqual(['source:photos.example.com:8443', 'cos:put']);
    expect(dependenciesOf({ ...ORDER, upload: 'create-upload-url' }, 'upload')).toContain('CreateUploadUrl');
    expect(dependenciesOf(ORDER, 'md5')).toEqual(['cos:get']);
    expect(dependenciesOf(ORDER, 'detect')).toEqual(['faceid:DetectReflectLivenessAndCompare']);
    expect(dependenciesOf({ ...ORDER, frame: { to: 'none' } }, 'download')).toEqual([]);
  });

  it('is a place to read and a place to store the frame', () => {
    expect(dependenciesOf(ORDER, 'download')).toEqual(['cos:get']);
    const frame = { to: 'cos', bucket: 'b-125000', region: 'ap-singapore', key: 'f' } as const;
    expect(dependenciesOf({ ...ORDER, frame }, 'download')).toEqual(['cos:get', 'cos:put']);
  });

  it('names each host once, and never a file', () => {
    const twice = { from: 'https', url: 'https://a.example/1' } as const;
    const order: Order = { ...ORDER, resources: { liveData: twice, image: twice }, upload: 'create-upload-url' };
    expect(dependenciesOf(order, 'upload')).toEqual(['source:a.example', 'CreateUploadUrl', 'cos:put']);
    expect(dependenciesOf({ ...order, upload: 'own-bucket' }, 'upload')).toEqual(['source:a.example', 'cos:put']);
    expect(sourceDependency(file('/a'))).toBeNull();
    expect(sourceDependency({ from: 'cos', bucket: 'b-125', region: 'ap-bangkok', key: 'k' })).toBe(
      'source:b-125.cos.ap-bangkok.myqcloud.com',
    );
  });

  it('is an upload to COS if the own bucket lies in another region', () => {
    const object = { from: 'cos', region: 'ap-singapore', bucket: 'own-125', key: 'face' } as const;
    const order: Order = { ...ORDER, resources: { liveData: object, image: object } };
    expect(dependenciesOf(order, 'upload', { name: 'own-125', region: 'ap-bangkok' })).toContain('cos:put');
  });

  it('is an upload to COS only if a COS object is not in the deployment’s own bucket yet', () => {
    const object = (bucket: string) => ({ from: 'cos', region: 'ap-singapore', bucket, key: 'face' }) as const;
    const order: Order = { ...ORDER, resources: { liveData: object('own-125'), image: object('theirs-125') } };
    const own = { name: 'own-125', region: 'ap-singapore' };
    expect(dependenciesOf(order, 'upload', own)).toContain('cos:put');
    expect(
      dependenciesOf({ ...order, resources: { liveData: object('own-125'), image: object('own-125') } }, 'upload', own),
    ).not.toContain('cos:put');
    expect(dependenciesOf(order, 'upload')).not.toContain('cos:put'); // a producer does not know the bucket
  });

  it('shows no host in logs and metrics', () => {
    expect(dependencyKind('source:photos.example.com')).toBe('source');
    expect(dependencyKind('cos:put')).toBe('cos:put');
  });
});

describe('shared trouble', () => {
  const failure = (code: string, more: Partial<FailureFacts> = {}) =>
    new Failure({ service: 'cos', channel: 'error', sent: 'answered', dependency: 'cos:put', code, ...more }, 'x');

  it.each(['InternalError', 'SlowDown', 'TIMEOUT', 'RESET', 'DNS_FAILED', 'TLS_FAILED', 'PROXY_REFUSED', 'HTTP_5XX'])(
    '%s of a dependency is',
    (code) => expect(isSharedTrouble(failure(code))).toBe(true),
  );

  it.each([500, 599])('is an answer with status %d', (httpStatus) => {
    expect(isSharedTrouble(failure('Whatever', { httpStatus }))).toBe(true);
  });

  it('is not an answer with status 499, and not the fault of a single object', () => {
    expect(isSharedTrouble(failure('Whatever', { httpStatus: 499 }))).toBe(false);
    for (const code of [
      'ServiceUnavailable',
      'ResourceInsufficient',
      'ResourceUnavailable',
      'KEYS_UNAVAILABLE',
      'NoSuchKey',
    ])
      expect(isSharedTrouble(failure(code))).toBe(code !== 'NoSuchKey');
  });

  it('is every 5xx, and nothing about one object or inside this process', () => {
    expect(isSharedTrouble(failure('Whatever', { httpStatus: 502 }))).toBe(true);
    expect(isSharedTrouble(failure('AccessDenied', { httpStatus: 403 }))).toBe(false);
    expect(isSharedTrouble(failure('FailedOperation.CompareSystemError'))).toBe(false);
    expect(isSharedTrouble(new Failure({ service: 'sink', channel: 'local', sent: 'no', code: 'TIMEOUT' }, 'x'))).toBe(
      false,
    );
  });
});

it('in an outage no attempt counts, and the wait stays within the limits of the lane', () => {
  for (const attempts of [0, 4, 100]) {
    for (const waitMs of [0, 30_000, 10_000_000]) {
      const move = nextMove(
        {
          classified: { class: 'transient', decision: null, billed: 'no', entry: null },
          ...{ stage: 'detect', lane: 'batch', attempts, rewinds: 0, retryAfterMs: undefined, random: 0.5 },
          outage: { waitMs, runs: attempts },
        },
        DEFAULT_POLICY,
      );
      expect(move).toMatchObject({ to: 'later', counts: false });
      if (move.to === 'later') expect(move.delayMs).toBeLessThanOrEqual(DEFAULT_POLICY.backoffMs.batch.most);
    }
  }
});
