/** Tests object lock through `cos-nodejs-sdk-v5`: the configuration of a bucket, locks of objects, and what a lock refuses. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, type Lab, openLab, REGION } from './lab.ts';

const LOCKED = 'locked-1250000000';
const DEFAULT = 'locked-by-default-1250000000';
const VERSIONED = 'locked-versions-1250000000';
const MINUTE = 60_000;

let lab: Lab;

beforeAll(async () => {
  lab = await openLab({
    buckets: [
      { name: BUCKET, region: REGION },
      { name: LOCKED, region: REGION, objectLock: { days: null } },
      { name: DEFAULT, region: REGION },
      { name: VERSIONED, region: REGION, versioning: 'Enabled', objectLock: { days: null } },
    ],
  });
});
afterAll(() => lab.close());

const iso = (ms: number) => new Date(ms).toISOString();
const lockUntil = (until: number, mode = 'COMPLIANCE') => ({
  'x-cos-object-lock-mode': mode,
  'x-cos-object-lock-retain-until-date': iso(until),
});

/** A request that the SDK has no method for. @returns the body, or the error code */
async function request(Bucket: string, Method: string, Action: string, Key = '', Body = ''): Promise<unknown> {
  const { ok, error } = await lab.cos('request', { Bucket, Method, Action, Key, Body, RawBody: true });
  if (ok === undefined) return error?.code;
  const { base64 = '' } = (ok.Body ?? {}) as { base64?: string };
  return Buffer.from(base64, 'base64').toString();
}

async function put(Bucket: string, Key: string, Headers: Record<string, string> = {}): Promise<unknown> {
  const { ok, error } = await lab.cos('putObject', { Bucket, Key, Body: bytes('face'), Headers });
  return ok === undefined ? error?.code : ok.statusCode;
}

async function remove(Bucket: string, Key: string, VersionId?: string): Promise<unknown> {
  const { ok, error } = await lab.cos('deleteObject', {
    Bucket,
    Key,
    ...(VersionId === undefined ? {} : { VersionId }),
  });
  return ok === undefined ? error?.code : ok.statusCode;
}

const retention = (until: number) =>
  `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${iso(until)}</RetainUntilDate></Retention>`;

describe('the configuration of a bucket', () => {
  it('is missing until it is enabled, and then stays, with or without default days', async () => {
    expect(await request(DEFAULT, 'GET', 'object-lock')).toBe('ObjectLockConfigurationNotFoundError');
    expect(await put(DEFAULT, 'early', lockUntil(Date.now() + MINUTE))).toBe('ObjectLockConfigurationNotFoundError');
    const enabled = '<ObjectLockEnabled>Enabled</ObjectLockEnabled>';
    const rule = '<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>30</Days></DefaultRetention></Rule>';
    for (const wrong of ['<ObjectLockEnabled>Disabled</ObjectLockEnabled>', `${enabled}${rule.replace('30', '36501')}`])
      expect(
        await request(DEFAULT, 'PUT', 'object-lock', '', `<ObjectLockConfiguration>${wrong}</ObjectLockConfiguration>`),
      ).toBe('MalformedXML');
    const xml = `<ObjectLockConfiguration>${enabled}${rule}</ObjectLockConfiguration>`;
    expect(await request(DEFAULT, 'PUT', 'object-lock', '', xml)).toBe('');
    expect(await request(DEFAULT, 'GET', 'object-lock')).toBe(xml);
    expect(await put(DEFAULT, 'by-default')).toBe(200);
    expect(await request(DEFAULT, 'GET', 'retention', 'by-default')).toContain(
      iso(Date.now() + 30 * 86_400_000).slice(0, 10),
    );
    expect(await remove(DEFAULT, 'by-default')).toBe('AccessDenied');
    const CopySource = `${DEFAULT}.cos.${REGION}.myqcloud.com/by-default`;
    await lab.cos('putObjectCopy', { Bucket: DEFAULT, Key: 'copy', CopySource });
    expect(await remove(DEFAULT, 'copy')).toBe('AccessDenied');
  });

  it('does not go with suspended versioning', async () => {
    const suspend = { Bucket: VERSIONED, VersioningConfiguration: { Status: 'Suspended' } };
    expect((await lab.cos('putBucketVersioning', suspend)).error?.code).toBe('InvalidBucketState');
  });
});

describe('a locked object', () => {
  it('is neither replaced nor deleted before its lock ends, by the vendor’s clock, and can be read', async () => {
    const until = Date.now() + MINUTE;
    expect(await put(LOCKED, 'one', lockUntil(until))).toBe(200);
    expect(await put(LOCKED, 'one')).toBe('AccessDenied');
    expect(await remove(LOCKED, 'one')).toBe('AccessDenied');
    const many = await lab.cos('deleteMultipleObject', { Bucket: LOCKED, Objects: [{ Key: 'one' }, { Key: 'none' }] });
    expect(JSON.stringify(many.ok)).toMatch(/"Key":"one","Code":"AccessDenied"/);
    expect((await lab.cos('headObject', { Bucket: LOCKED, Key: 'one' })).ok?.statusCode).toBe(200);
    await lab.control.settings({ clockSkewMs: 2 * MINUTE });
    expect(await remove(LOCKED, 'one')).toBe(204);
    await lab.control.reset();
  });

  it('can be locked for longer, and not for less', async () => {
    const until = Date.now() + MINUTE;
    await put(LOCKED, 'longer');
    expect(await request(LOCKED, 'GET', 'retention', 'longer')).toBe('NoSuchObjectLockConfiguration');
    expect(await request(LOCKED, 'GET', 'retention', 'nothing')).toBe('NoSuchKey');
    expect(await request(LOCKED, 'PUT', 'retention', 'longer', retention(until))).toBe('');
    expect(await request(LOCKED, 'PUT', 'retention', 'longer', retention(until + MINUTE))).toBe('');
    expect(await request(LOCKED, 'PUT', 'retention', 'longer', retention(until))).toBe('AccessDenied');
    expect(await request(LOCKED, 'GET', 'retention', 'longer')).toBe(retention(until + MINUTE));
    expect(await request(LOCKED, 'PUT', 'retention', 'longer', '<Retention/>')).toBe('MalformedXML');
    await put(BUCKET, 'free');
    expect(await request(BUCKET, 'PUT', 'retention', 'free', retention(until))).toBe(
      'ObjectLockConfigurationNotFoundError',
    );
  });

  it('is not written with a mode or date that COS does not have', async () => {
    for (const headers of [
      lockUntil(Date.now() + MINUTE, 'GOVERNANCE'),
      lockUntil(Date.now() - MINUTE),
      { 'x-cos-object-lock-mode': 'COMPLIANCE' },
    ])
      expect(await put(LOCKED, 'refused', headers)).toBe('InvalidArgument');
  });

  it('in a bucket with versions can be hidden, but its version is not deleted', async () => {
    const Headers = lockUntil(Date.now() + MINUTE);
    const { ok } = await lab.cos('putObject', { Bucket: VERSIONED, Key: 'kept', Body: bytes('face'), Headers });
    expect(await remove(VERSIONED, 'kept')).toBe(204);
    expect(await remove(VERSIONED, 'kept', String(ok?.VersionId))).toBe('AccessDenied');
  });
});
