import { normalize } from 'node:path/posix';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkDemands,
  findForbiddenPlace,
  NO_GRANTS,
  ownerOf,
  parseTenantFile,
  stagedResources,
  type TenantPolicy,
  tenantFolder,
  tenantPolicy,
  wallOf,
} from '../../../src/domain/operations/tenants.ts';
import type { FrameTarget } from '../../../src/domain/verification/request.ts';
import type { Source } from '../../../src/domain/verification/sources.ts';

const BUCKET = 'own-1250000000';
const AROUND = { objectFolder: 'bestframe', buckets: new Map([['ap-singapore', BUCKET] as const]) };
const ID = `v${'a'.repeat(25)}`;

function wall(policy: Partial<TenantPolicy> = {}) {
  return wallOf('acme', tenantPolicy.parse(policy), AROUND);
}

function forbidden(image: Source, policy: Partial<TenantPolicy> = {}, frame: FrameTarget = { to: 'file' }) {
  return findForbiddenPlace(wall(policy), { resources: { image }, frame });
}

const cos = (key: string, bucket = BUCKET, region: 'ap-singapore' | 'ap-bangkok' = 'ap-singapore'): Source => ({
  from: 'cos',
  bucket,
  region,
  key,
});
const file = (path: string): Source => ({ from: 'file', path });
const https = (url: string): Source => ({ from: 'https', url });

describe('a wall', () => {
  it('stands for every tenant but the deployment and default, which get one with a policy', () => {
    expect(wallOf(null, null, AROUND)).toBeNull();
    expect(wallOf('default', null, AROUND)).toBeNull();
    expect(wallOf('default', NO_GRANTS, AROUND)).not.toBeNull();
    expect(wallOf('acme', null, AROUND)?.policy).toEqual(NO_GRANTS);
    expect([ownerOf(null), ownerOf('default'), ownerOf('acme')]).toEqual([null, null, 'acme']);
    expect([tenantFolder('f', null), tenantFolder('f', 'default'), tenantFolder('f', 'acme')]).toEqual([
      'f',
      'f',
      'f/t/acme',
    ]);
  });

  it.each([
    [cos('bestframe/t/acme/a.jpg'), true],
    [cos('bestframe/t/acme'), false],
    [cos('bestframe/t/acme-2/a.jpg'), false],
    [cos('bestframe/t/globex/a.jpg'), false],
    [cos('x/bestframe/t/acme/a.jpg'), false],
    [cos('bestframe/t/acme/a.jpg', 'foreign-1250000000'), false],
    [cos('bestframe/t/acme/a.jpg', BUCKET, 'ap-bangkok'), false],
    [cos('shared/a.jpg'), true],
    [cos('sharedness/a.jpg'), false],
    [cos('else/a.jpg', 'other-1250000000'), true],
    [cos('else/a.jpg', 'other-1250000000', 'ap-bangkok'), false],
    [cos('else/a.jpg'), false],
    [file('/captures/acme/a.jpg'), true],
    [file('/captures/acme/../acme/a.jpg'), true],
    [file('/captures/acme/../globex/a.jpg'), false],
    [file('/captures/acme'), false],
    [file('/captures/acme-2/a.jpg'), false],
    [file('captures/acme/a.jpg'), false],
    [https('https://photos.example.com/a.jpg'), true],
    [https('https://PHOTOS.example.com/a.jpg'), true],
    [https('https://photos.example.com:8443/a.jpg'), false],
    [https('https://photos.example.com.evil.example/a.jpg'), false],
    [https('https://a.cdn.example.com/a.jpg'), true],
    [https('https://cdn.example.com/a.jpg'), false],
    [https('https://evilcdn.example.com/a.jpg'), false],
  ])('%j: allowed %s', (source, allowed) => {
    const policy = {
      read: [{ prefix: 'shared/' }, { bucket: 'other-1250000000', region: 'ap-singapore', prefix: 'else/' }],
      fileRoots: ['/captures/acme'],
      httpsHosts: ['photos.example.com', '*.cdn.example.com'],
    } as const satisfies Partial<TenantPolicy>;
    expect(forbidden(source, policy as unknown as Partial<TenantPolicy>)).toBe(allowed ? null : 'resources.image');
  });

  it('asks other folders for frames than for sources', () => {
    const frame = { to: 'cos', bucket: BUCKET, region: 'ap-singapore', key: 'out/a.jpg' } as const;
    const own = cos('bestframe/t/acme/a.jpg');
    expect(forbidden(own, { read: [{ prefix: 'out/' }] }, frame)).toBe('frame');
    expect(forbidden(own, { write: [{ prefix: 'out/' }] }, frame)).toBeNull();
  });

  it('lets no path out of its folders', () => {
    const part = fc.constantFrom('..', '.', '', 'acme', 'globex', 'captures', 'a.jpg', '...', '..a');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = `/${parts.join('/')}`;
        const inside = normalize(path).startsWith('/captures/acme/');
        expect(forbidden(file(path), { fileRoots: ['/captures/acme'] }) === null).toBe(inside);
      }),
      { numRuns: 2_000 },
    );
  });

  it('excepts only the files that were sent with this very verification', () => {
    const staged = (id: string) => ({ resources: { image: file(`/staging/${id}.image.${'x'.repeat(22)}`) } });
    expect(stagedResources(ID, staged(ID))).toEqual(['image']);
    expect(stagedResources(ID, staged(`v${'b'.repeat(25)}`))).toEqual([]);
    expect(stagedResources(ID, { resources: { image: file(`/staging/${ID}.image.x`) } })).toEqual([]);
    const object = (key: string) => ({
      resources: { image: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key } as const },
    });
    const name = `image.${'x'.repeat(22)}.${'y'.repeat(22)}`;
    expect(stagedResources(ID, object(`staged/t/shop/${ID}/${name}`))).toEqual(['image']);
    for (const key of [`staged/v${'b'.repeat(25)}/${name}`, `${ID}/x/${name}`, `staged/${ID}/video${name}`, name])
      expect(stagedResources(ID, object(key))).toEqual([]);
    expect(stagedResources(ID, { resources: { video: file(`/staging/${ID}.image.${'x'.repeat(22)}`) } })).toEqual([]);
  });
});

describe('demands', () => {
  it('refuse a lane or a missing field by name', () => {
    const strict = wall({ lanes: ['batch'], demands: ['purpose'] });
    expect(() => checkDemands(strict, { lane: 'interactive' })).toThrow(
      /lane is not allowed for this tenant: use batch/,
    );
    expect(() => checkDemands(strict, { lane: 'batch' })).toThrow(/purpose is missing/);
    expect(() => checkDemands(strict, { lane: 'batch', purpose: 'x' })).not.toThrow();
    expect(() => checkDemands(null, { lane: 'interactive' })).not.toThrow();
  });
});

describe('a policy file', () => {
  it('may leave out everything but the tenant', () => {
    expect(parseTenantFile({ tenant: 'acme', policy: {} })).toEqual({ tenant: 'acme', policy: NO_GRANTS });
  });

  it.each([
    [{ policy: {} }, 'tenant', /tenant is missing/],
    [{ tenant: 'Acme', policy: {} }, 'tenant', /not a tenant name/],
    [{ tenant: 'acme' }, 'policy', /policy is missing/],
    [{ tenant: 'acme', policy: { reads: [] } }, 'policy', /unknown field "reads"/],
    [{ tenant: 'acme', policy: { read: [{ prefix: 'a' }] } }, 'policy.read.0.prefix', /end with a slash/],
    [{ tenant: 'acme', policy: { read: [{ prefix: '../' }] } }, 'policy.read.0.prefix', /not a folder/],
    [{ tenant: 'acme', policy: { read: [{ prefix: '/' }] } }, 'policy.read.0.prefix', /not a folder/],
    [{ tenant: 'acme', policy: { fileRoots: ['captures'] } }, 'policy.fileRoots.0', /absolute path/],
    [{ tenant: 'acme', policy: { fileRoots: ['/a/../b'] } }, 'policy.fileRoots.0', /absolute path/],
    [{ tenant: 'acme', policy: { fileRoots: ['/'] } }, 'policy.fileRoots.0', /absolute path/],
    [{ tenant: 'acme', policy: { httpsHosts: ['*'] } }, 'policy.httpsHosts.0', /not a host/],
    [{ tenant: 'acme', policy: { httpsHosts: ['https://a.example'] } }, 'policy.httpsHosts.0', /not a host/],
    [{ tenant: 'acme', policy: { similarityThreshold: 101 } }, 'policy.similarityThreshold', /above 100/],
    [{ tenant: 'acme', policy: { lanes: [] } }, 'policy.lanes', /name a lane/],
    [{ tenant: 'acme', policy: { demands: ['name'] } }, 'policy.demands.0', /use one of subject/],
  ])('%j is refused at %s', (given, field, words) => {
    let found: unknown;
    try {
      parseTenantFile(given);
    } catch (error) {
      found = error;
    }
    expect(found).toMatchObject({ code: 'INVALID_TENANT', field, message: expect.stringMatching(words) });
  });
});
