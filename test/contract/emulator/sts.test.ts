/**
 * Tests that FaceID and COS accept keys from STS (through `tencentcloud-sdk-nodejs`) and from the metadata service until they
 * expire.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Credentials } from '../../../src/emulator/settings.ts';
import { STS_ACTIONS } from '../../../src/emulator/sts.ts';
import { stsModels } from '../../support/vendor-facts.ts';
import { BUCKET, DETECT, type Lab, openLab, REGION } from './lab.ts';

const STS = { endpoint: 'sts.intl.tencentcloudapi.com', version: '2018-08-13' };
const ROLE = 'qcs::cam::uin/100000000001:roleName/bestframe';
const role = { RoleArn: ROLE, RoleSessionName: 'lab' };
const POLICY = encodeURIComponent(JSON.stringify({ version: '2.0', statement: [] }));
const METADATA = '/latest/meta-data/cam/security-credentials/';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.control.reset());
afterAll(() => lab.close());

interface Issued {
  readonly Credentials: { readonly Token: string; readonly TmpSecretId: string; readonly TmpSecretKey: string };
  readonly ExpiredTime: number;
  readonly Expiration: string;
}

const keysOf = ({ Credentials: { TmpSecretId, TmpSecretKey, Token } }: Issued): Credentials => ({
  secretId: TmpSecretId,
  secretKey: TmpSecretKey,
  token: Token,
});

async function issue(action: string, parameters: object, credential?: Credentials): Promise<Issued> {
  const more = credential === undefined ? {} : { credential };
  const { ok, error } = await lab.faceId(action, parameters, { ...STS, ...more });
  expect(error).toBeUndefined();
  return ok as unknown as Issued;
}

async function refusal(action: string, parameters: object): Promise<string | undefined> {
  return (await lab.faceId(action, parameters, STS)).error?.code;
}

/** Calls FaceID and COS with these keys. @returns the error code of FaceID and the status of COS; undefined after a success */
async function tryKeys(credential: Credentials): Promise<(string | undefined)[]> {
  const faceId = await lab.faceId('CreateUploadUrl', { TargetAction: DETECT }, { credential });
  const cos = await lab.cos('headBucket', { Bucket: BUCKET }, { credential });
  return [faceId.error?.code, cos.error === undefined ? undefined : String(cos.error.statusCode)];
}

describe('STS', () => {
  it('AssumeRole issues keys for FaceID and COS, for as long as they were asked for', async () => {
    const issued = await issue('AssumeRole', { ...role, DurationSeconds: 900 });
    const leftS = issued.ExpiredTime - Date.now() / 1_000;
    expect(leftS).toBeGreaterThan(880);
    expect(leftS).toBeLessThanOrEqual(900);
    expect(Date.parse(issued.Expiration)).toBe(issued.ExpiredTime * 1_000);
    expect(await tryKeys(keysOf(issued))).toEqual([undefined, undefined]);
    const { Token: _token, ...noToken } = issued.Credentials;
    expect((await tryKeys({ secretId: noToken.TmpSecretId, secretKey: noToken.TmpSecretKey }))[0]).toBe(
      'AuthFailure.TokenFailure',
    );
  });

  it('issued keys are refused as expired at the end of their life', async () => {
    await lab.control.settings({ keyTtlMs: 60_000 });
    const issued = keysOf(await issue('AssumeRole', role));
    expect(await tryKeys(issued)).toEqual([undefined, undefined]);
    await lab.control.settings({ clockSkewMs: 61_000 });
    expect(await tryKeys(issued)).toEqual(['AuthFailure.TokenFailure', '400']);
  });

  it('AssumeRole with issued keys issues keys again', async () => {
    const first = await issue('AssumeRole', role);
    expect(await tryKeys(keysOf(await issue('AssumeRole', role, keysOf(first))))).toEqual([undefined, undefined]);
  });

  it('GetFederationToken takes a policy', async () => {
    const issued = await issue('GetFederationToken', { Name: 'lab', Policy: POLICY });
    expect(issued.ExpiredTime - Date.now() / 1_000).toBeLessThanOrEqual(1_800);
    expect(await tryKeys(keysOf(issued))).toEqual([undefined, undefined]);
  });

  it('AssumeRoleWithWebIdentity needs no signature', async () => {
    const body = { ProviderId: 'tke', WebIdentityToken: 'a.b.c', ...role };
    const headers = {
      'content-type': 'application/json',
      authorization: 'SKIP',
      'x-tc-action': 'AssumeRoleWithWebIdentity',
      'x-tc-version': STS.version,
      'x-tc-region': REGION,
    };
    const reply = await lab.http('POST', `https://${STS.endpoint}/`, {
      headers,
      body: Buffer.from(JSON.stringify(body)),
    });
    const { Response } = JSON.parse(String(reply.body)) as { Response: Issued };
    expect(await tryKeys(keysOf(Response))).toEqual([undefined, undefined]);
    const unsigned = { ...headers, 'x-tc-action': 'AssumeRole' };
    const refused = await lab.http('POST', `https://${STS.endpoint}/`, {
      headers: unsigned,
      body: Buffer.from(JSON.stringify(role)),
    });
    expect(String(refused.body)).toContain('AuthFailure.InvalidAuthorization');
  });

  it.each([
    ['AssumeRole', { ...role, DurationSeconds: 43_201 }, 'InvalidParameter.OverTimeError'],
    ['AssumeRole', { ...role, DurationSeconds: 0 }, 'InvalidParameter.ParamError'],
    ['AssumeRole', { ...role, RoleArn: 'admin' }, 'InvalidParameter.ParamError'],
    ['AssumeRole', { ...role, RoleSessionName: 'x' }, 'InvalidParameter.ParamError'],
    ['AssumeRole', { RoleArn: ROLE }, 'MissingParameter'],
    ['AssumeRole', { ...role, Extra: 'x' }, 'UnknownParameter'],
    ['GetFederationToken', { Name: 'lab', Policy: 'everything' }, 'InvalidParameter.StrategyFormatError'],
    ['GetCallerIdentity', {}, 'InvalidAction'],
  ])('refuses %s %j', async (action, parameters, code) => {
    expect(await refusal(action, parameters)).toBe(code);
  });

  it.each(Object.keys(STS_ACTIONS))('%s has the parameters and the answer of Tencent’s models', async (action) => {
    const { request, response } = stsModels(action);
    const rule = STS_ACTIONS[action];
    expect([...(rule?.mandatory ?? []), ...(rule?.optional ?? []), 'DurationSeconds'].sort()).toEqual(
      // The emulator does not know tags: docs/emulator.md.
      Object.keys(request)
        .filter((name) => name !== 'Tags')
        .sort(),
    );
    const given: Readonly<Record<string, string>> = {
      ...role,
      ProviderId: 'tke',
      WebIdentityToken: 'a.b.c',
      Name: 'lab',
      Policy: POLICY,
    };
    const parameters = Object.fromEntries((rule?.mandatory ?? []).map((name) => [name, given[name]]));
    const { Credentials: keys, ...rest } = await issue(action, parameters);
    const leaves = { ...rest, ...Object.fromEntries(Object.entries(keys).map(([k, v]) => [`Credentials.${k}`, v])) };
    const types = Object.fromEntries(Object.entries(leaves).map(([name, value]) => [name, typeof value]));
    expect(types).toEqual(response);
  });

  it('logs each call without keys', async () => {
    const issued = await issue('AssumeRole', role);
    expect(await lab.control.calls({ service: 'sts' })).toMatchObject([{ action: 'AssumeRole', code: 'Success' }]);
    for (const secret of Object.values(issued.Credentials))
      expect(JSON.stringify(await lab.logged())).not.toContain(secret);
  });
});

describe('the metadata service', () => {
  const ask = (path: string) => fetch(`${lab.emulator.metadataUrl}${path}`);

  it('names the bound role and issues its keys, the same ones until half of their life is over', async () => {
    const name = await (await ask(METADATA)).text();
    expect(name).toBe('bestframe-emulator');
    const keys = async () => (await (await ask(`${METADATA}${name}`)).json()) as Record<string, string | number>;
    const first = await keys();
    const { TmpSecretId: secretId, TmpSecretKey: secretKey, Token: token } = first;
    expect(first.Code).toBe('Success');
    expect(await tryKeys({ secretId, secretKey, token } as Credentials)).toEqual([undefined, undefined]);
    expect(await keys()).toEqual(first);
    await lab.control.settings({ clockSkewMs: 3.1 * 3_600_000 });
    expect((await keys()).TmpSecretId).not.toBe(secretId);
  });

  it('answers 404 for another role, another path, and an instance without a role', async () => {
    expect((await ask(`${METADATA}other`)).status).toBe(404);
    expect((await ask('/latest/meta-data/uuid')).status).toBe(404);
    await lab.control.settings({ instanceRole: null });
    expect((await ask(METADATA)).status).toBe(404);
  });

  it('fails as a fault says', async () => {
    await lab.control.fault({ kind: 'error', service: 'metadata', code: 'Busy', status: 500 });
    expect((await ask(METADATA)).status).toBe(500);
    expect((await ask(METADATA)).status).toBe(200);
  });
});
