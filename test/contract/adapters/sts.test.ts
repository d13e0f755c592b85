/** Tests the calls to STS and to the metadata service: the requests, the values that are read, and the Failure for each fault. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { instanceRoleKeys } from '../../../src/adapters/credentials/instance-role.ts';
import { assumeRole, assumeRoleWithWebIdentity, type StsOptions } from '../../../src/adapters/credentials/sts.ts';
import type { Transport, TransportResponse } from '../../../src/adapters/http/transport.ts';
import { stsModels } from '../../support/vendor-facts.ts';
import { type Bench, expectFailure, neverAborted, openBench, REGION } from './support.ts';

const ROLE = { arn: 'qcs::cam::uin/100000000001:roleName/a', sessionName: 'bench', durationS: 900 };
const ENDPOINT = 'sts.intl.tencentcloudapi.com';

let bench: Bench;
let sts: StsOptions;

beforeAll(async () => {
  bench = await openBench();
  sts = { transport: bench.transport, endpoint: ENDPOINT, region: REGION };
});
afterAll(() => bench.close());

describe('STS', () => {
  test.each([
    ['AssumeRole', (options: StsOptions) => assumeRole(options, bench.emulator.credentials, ROLE, neverAborted())],
    [
      'AssumeRoleWithWebIdentity',
      (options: StsOptions) =>
        assumeRoleWithWebIdentity(options, { providerId: 'tke', token: 'a.b.c' }, ROLE, neverAborted()),
    ],
  ])('%s sends and reads what Tencent’s models have', async (action, call) => {
    const { request, response } = stsModels(action);
    let sent: Record<string, unknown> = {};
    const answer = {
      Credentials: { Token: 't', TmpSecretId: 'i', TmpSecretKey: 'k' },
      ExpiredTime: 1_900_000_000,
      Expiration: '2030-03-17T17:46:40Z',
      RequestId: 'r',
    };
    const leaves = [...Object.keys(answer.Credentials).map((name) => `Credentials.${name}`)];
    expect([...leaves, 'ExpiredTime', 'Expiration', 'RequestId'].sort()).toEqual(Object.keys(response).sort());
    const transport = fakeTransport((body) => {
      sent = JSON.parse(body) as Record<string, unknown>;
      return JSON.stringify({ Response: answer });
    });
    expect(await call({ ...sts, transport })).toEqual({
      secretId: 'i',
      secretKey: 'k',
      token: 't',
      expiresAt: 1_900_000_000_000,
    });
    for (const [name, value] of Object.entries(sent)) expect([name, typeof value]).toEqual([name, request[name]]);
  });

  test.each([
    ['AuthFailure.SignatureFailure', 'NO_CREDENTIALS', 'account'],
    ['UnauthorizedOperation', 'NO_CREDENTIALS', 'account'],
    ['ResourceNotFound.RoleNotFound', 'NO_CREDENTIALS', 'account'],
    ['InternalError.IllegalRole', 'NO_CREDENTIALS', 'account'],
    ['InternalError.SystemError', 'KEYS_UNAVAILABLE', 'transient'],
    ['RequestLimitExceeded', 'KEYS_UNAVAILABLE', 'transient'],
    ['InvalidParameter.OverLimit', 'KEYS_UNAVAILABLE', 'transient'],
  ])('%s is %s, and the vendor’s message is not repeated', async (code, own, kind) => {
    await bench.control.fault({ kind: 'error', service: 'sts', code, message: 'uin 100000000001 may not' });
    const failure = await expectFailure(assumeRole(sts, bench.emulator.credentials, ROLE, neverAborted()), {
      code: own,
      sent: 'no',
      class: kind,
    });
    expect(failure.message).toContain(code);
    expect(failure.message).not.toContain('100000000001');
  });

  test.each([[{ kind: 'status', status: 502 }], [{ kind: 'drop' }], [{ kind: 'cut' }]] as const)(
    '%j is an outage, after which nothing can have been billed',
    async (fault) => {
      await bench.control.fault({ service: 'sts', ...fault });
      const keys = bench.emulator.credentials;
      await expectFailure(assumeRole(sts, keys, ROLE, neverAborted()), {
        code: 'KEYS_UNAVAILABLE',
        sent: 'no',
        class: 'transient',
      });
      expect((await assumeRole(sts, keys, ROLE, neverAborted())).token).toMatch(/./);
    },
  );
});

describe('the metadata service', () => {
  async function against(listener: RequestListener, role: string | null = null) {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const metadataUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return {
      keys: instanceRoleKeys({ metadataUrl, role }, neverAborted()),
      end: () => new Promise((resolve) => server.close(resolve)),
    };
  }

  test.each<[string, RequestListener, string]>([
    ['404', (_request, response) => void response.writeHead(404).end(), 'NO_CREDENTIALS'],
    ['a page instead of a role', (_request, response) => void response.end('<html>'), 'NO_CREDENTIALS'],
    ['a redirect', (_request, response) => void response.writeHead(302, { location: '/x' }).end(), 'KEYS_UNAVAILABLE'],
    ['no keys', (_request, response) => void response.end('role'), 'KEYS_UNAVAILABLE'],
    ['an endless answer', (_request, response) => void response.end('x'.repeat(100_000)), 'KEYS_UNAVAILABLE'],
    ['a broken connection', (request) => void request.socket.destroy(), 'KEYS_UNAVAILABLE'],
  ])('%s is told', async (_case, listener, code) => {
    const { keys, end } = await against(listener);
    await expectFailure(keys, { code, sent: 'no', class: code === 'NO_CREDENTIALS' ? 'account' : 'transient' });
    await end();
  });

  test('answers the keys of the emulator’s role', async () => {
    const { metadataUrl } = bench.emulator;
    const keys = await instanceRoleKeys({ metadataUrl, role: 'bestframe-emulator' }, neverAborted());
    expect(keys.expiresAt).toBeGreaterThan(Date.now());
  });
});

function fakeTransport(answer: (body: string) => string): Transport {
  return {
    async request({ body }) {
      const pieces: Uint8Array[] = [];
      for await (const piece of body ?? []) pieces.push(piece);
      const text = answer(Buffer.concat(pieces).toString());
      return { status: 200, headers: {}, text: async () => text } as unknown as TransportResponse;
    },
    close: async () => undefined,
  };
}
