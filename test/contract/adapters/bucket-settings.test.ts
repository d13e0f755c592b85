/** A bucket's settings as COS may say them: with and without whitespace, rules of every kind, and what cannot be read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BucketSettings, bucketSettings } from '../../../src/storage/bucket-settings.ts';
import { createTransport, type Transport } from '../../../src/transport/transport.ts';
import { type Far, failing, never, REGION, startFar } from './support.ts';

let far: Far;
let transport: Transport;
let settings: BucketSettings;
let answer: { status: number; body: string };

beforeAll(async () => {
  far = await startFar((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(answer.status, { 'content-type': 'application/xml' });
      response.end(answer.body);
    });
  });
  transport = createTransport({ mode: 'test', proxy: far.proxyUrl, caFile: far.caFile });
  const keys = { secretId: 'AKIDsomebody', secretKey: 'secret-key', token: 'a+b/c=' };
  settings = bucketSettings({
    name: 'x-1250000000',
    region: REGION,
    credentials: { get: async () => keys },
    transport,
  });
});
afterAll(async () => {
  await transport.close();
  await far.close();
});

function rulesOf(body: string, status = 200) {
  answer = { status, body };
  return settings.rules(never());
}

const DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n';
const rule = (inner: string) => `<Rule>${inner}</Rule>`;

describe('lifecycle rules', () => {
  it('of every kind, each with its text as it was', async () => {
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

  it('none, in each of the ways', async () => {
    expect(await rulesOf('<LifecycleConfiguration/>')).toEqual([]);
    expect(await rulesOf('<LifecycleConfiguration></LifecycleConfiguration>')).toEqual([]);
    expect(await rulesOf('<Error><Code>NoSuchLifecycleConfiguration</Code></Error>', 404)).toEqual([]);
  });

  it.each([
    ['cut short', '<LifecycleConfiguration><Rule><ID>a</ID></Rule><Rule>'],
    ['with something between them', '<LifecycleConfiguration><Rule><ID>a</ID></Rule><Other/></LifecycleConfiguration>'],
    ['that are no XML', '<LifecycleConfiguration><Rule>< <</Rule></LifecycleConfiguration>'],
    ['that are a page', '<html>hello</html>'],
  ])('%s are not taken for the whole', async (_what, body) => {
    const refused = { service: 'cos', code: 'MALFORMED_REPLY', sent: 'answered', class: 'transient' } as const;
    await failing(rulesOf(body), refused);
  });
});

it('versioning and ACL, and the session token in what is asked', async () => {
  answer = { status: 200, body: '<VersioningConfiguration>\n<Status> Enabled </Status></VersioningConfiguration>' };
  expect(await settings.versioning(never())).toBe('on');
  answer = { status: 200, body: '<VersioningConfiguration/>' };
  expect(await settings.versioning(never())).toBe('never');
  answer = { status: 200, body: '<AccessControlPolicy><ID>qcs::cam::anyone:anyone</ID></AccessControlPolicy>' };
  expect(await settings.isPublic(never())).toBe(true);
  const url = far.requests.at(-1)?.url ?? '';
  expect(url).toMatch(/^\/\?acl&q-sign-algorithm=sha1&.*q-url-param-list=acl&.*&x-cos-security-token=a%2Bb%2Fc%3D$/);
});
