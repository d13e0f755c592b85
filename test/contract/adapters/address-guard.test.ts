/** Tests that every address of a host name is checked, and that the connection uses exactly the checked addresses. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { lookupPublicAddresses } from '../../../src/adapters/http/address-guard.ts';
import { createConnector } from '../../../src/adapters/http/connector.ts';
import { replaceLookup } from '../../support/system-lookup.ts';
import { expectFailure } from './support.ts';

const answers = { addresses: [] as string[], asked: 0 };
let putBack: () => void;

beforeAll(() => {
  putBack = replaceLookup(() => {
    answers.asked += 1;
    return answers.addresses;
  });
});
afterEach(() => {
  answers.asked = 0;
});
afterAll(() => putBack());

test('resolves a public name to all its addresses', async () => {
  answers.addresses = ['93.184.216.34', '2606:2800:220:1::1'];
  expect(await lookupPublicAddresses('photos.example.com')).toHaveLength(2);
});

test.each([
  [['127.0.0.1']],
  [['10.0.0.1']],
  [['::1']],
  [['::ffff:10.0.0.1']],
  [['fe80::1%eth0']],
  [['93.184.216.34', '192.168.0.1']],
])('refuses a public name with a private address among %j', async (addresses) => {
  answers.addresses = addresses;
  const connector = createConnector({ mode: 'test' });
  const connecting = connector.connect({ host: 'photos.example.com', port: 443, guarded: true });
  await expectFailure(connecting, { code: 'ADDRESS_FORBIDDEN', sent: 'no', class: 'caller' });
  expect(answers.asked).toBe(1);
});

test('fails for a name without an address', async () => {
  answers.addresses = [];
  const connecting = createConnector({ mode: 'test' }).connect({ host: 'none.example.com', port: 443, guarded: true });
  await expectFailure(connecting, { code: 'DNS_FAILED', sent: 'no', class: 'transient' });
});

test('looks a name up once and connects to the address that was found', async () => {
  answers.addresses = ['127.0.0.1'];
  const connector = createConnector({ mode: 'test', allowPrivateAddresses: true });
  const connecting = connector.connect({ host: 'photos.example.com', port: 1, guarded: true });
  await expectFailure(connecting, { code: 'CONNECT_REFUSED', sent: 'no', class: 'transient' });
  expect(answers.asked).toBe(1);
});
