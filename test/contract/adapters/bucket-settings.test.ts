/**
 * Tests how bucket settings are read from the answers of COS. The answers have whitespace or none, contain every kind of
 * lifecycle rule, or are unreadable.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransport, type Transport } from '../../../src/adapters/http/transport.ts';
import { type BucketSettings, createBucketSettings } from '../../../src/adapters/storage/bucket-settings.ts';
import { expectFailure, neverAborted, REGION, type ScriptedServer, startScriptedServer } from './support.ts';

let server: ScriptedServer;
let transport: Transport;
let settings: BucketSettings;
let answer: { status: number; body: string };

beforeAll(async () => {
  server = await startScriptedServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(answer.status, { 'content-type': 'application/xml' });
      response.end(answer.body);
    });
  });
  transport = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile });
  const keys = { secretId: 'AKIDexample', secretKey: 'secret-key', token: 'a+b/c=' };
  settings = createBucketSettings({
    name: 'x-1250000000',
    region: REGION,
    credentials: { get: async () => keys },
    transport,
  });
});
afterAll(async () => {
  await transport.close();
  await server.close();
});

function rulesOf(body: string, status = 200) {
  answer = { status, body };
  return settings.rules(neverAborted());
}

const DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n';
const rule = (inner: string) => `<Rule>${inner}</Rule>`;

describe('lifecycle rules', () => {
  it('of every kind keep their text unchanged', async () => {
    const rules = [
      rule(
        '<ID>plain</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>',
      ),
      rule(
        '\n  <ID>all &lt;of it&gt;</ID>\n  <Filter/>\n  <Status> Disabled </Status>\n  <Expiration><Days>30</Days></Expiration>\n',
      ),
      rule(
        '<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>',
      ),
      rule(
        '<ID>parts</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
      ),
      rule(
        '<ID>dated</ID><Prefix>old/</Prefix><Status>Enabled</Status><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>',
      ),
    ];
    const body = `${DECLARED}<LifecycleConfiguration>\n${rules.join('\n')}\n</LifecycleConfiguration>\n`;
    const read = await rulesOf(body);
    expect(read.map(({ xml }) => xml)).toEqual(rules);
    expect(read.map(({ id, enabled, prefix, days }) => [id, enabled, prefix, days])).toEqual([
      ['plain', true, 'a/', 1],
      ['all <of it>', false, '', 30],
      [null, true, null, 1],
      ['parts', true, '', null],
      ['dated', true, 'old/', null],
    ]);
  });

  it('are empty in each of the forms that COS uses', async () => {
    expect(await rulesOf('<LifecycleConfiguration/>')).toEqual([]);
    expect(await rulesOf('<LifecycleConfiguration></LifecycleConfiguration>')).toEqual([]);
    expect(await rulesOf('<Error><Code>NoSuchLifecycleConfiguration</Code></Error>', 404)).toEqual([]);
  });

  it.each([
    ['are cut short', '<LifecycleConfiguration><Rule><ID>a</ID></Rule><Rule>'],
    [
      'have another element between them',
      '<LifecycleConfiguration><Rule><ID>a</ID></Rule><Other/></LifecycleConfiguration>',
    ],
    ['are not XML', '<LifecycleConfiguration><Rule>< <</Rule></LifecycleConfiguration>'],
    ['are an HTML page', '<html>hello</html>'],
  ])('are refused completely if they %s', async (_defect, body) => {
    const refused = { service: 'cos', code: 'MALFORMED_REPLY', sent: 'answered', class: 'transient' } as const;
    await expectFailure(rulesOf(body), refused);
  });
});

it('reads versioning and ACL, and sends the session token', async () => {
  answer = { status: 200, body: '<VersioningConfiguration>\n<Status> Enabled </Status></VersioningConfiguration>' };
  expect(await settings.versioning(neverAborted())).toBe('on');
  answer = { status: 200, body: '<VersioningConfiguration/>' };
  expect(await settings.versioning(neverAborted())).toBe('never');
  answer = { status: 200, body: '<AccessControlPolicy><ID>qcs::cam::anyone:anyone</ID></AccessControlPolicy>' };
  expect(await settings.isPublic(neverAborted())).toBe(true);
  const url = server.requests.at(-1)?.url ?? '';
  expect(url).toMatch(/^\/\?acl&q-sign-algorithm=sha1&.*q-url-param-list=acl&.*&x-cos-security-token=a%2Bb%2Fc%3D$/);
});
