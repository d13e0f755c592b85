/** A name is judged by what it resolves to, and the address that was judged is the one that is used. */
import type { LookupAddress } from 'node:dns';
import { afterEach, expect, test, vi } from 'vitest';
import { createConnector } from '../../../src/transport/connector.ts';
import { publicAddresses } from '../../../src/transport/lookup.ts';
import { failing } from './support.ts';

type Done = (error: Error | null, addresses: LookupAddress[]) => void;
const answers = vi.hoisted(() => ({ addresses: [] as string[], asked: 0 }));

vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (_host: string, _options: object, done: Done) => {
    answers.asked += 1;
    const found = answers.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => (found.length === 0 ? done(new Error('ENOTFOUND'), []) : done(null, found)));
  },
}));

afterEach(() => {
  answers.asked = 0;
});

test('a public name, by all its addresses', async () => {
  answers.addresses = ['93.184.216.34', '2606:2800:220:1::1'];
  expect(await publicAddresses('photos.example.com')).toHaveLength(2);
});

test.each([
  [['127.0.0.1']],
  [['10.0.0.1']],
  [['::1']],
  [['::ffff:10.0.0.1']],
  [['fe80::1%eth0']],
  [['93.184.216.34', '192.168.0.1']],
])('a public name with a private address among %j', async (addresses) => {
  answers.addresses = addresses;
  const connector = createConnector({ mode: 'test' });
  const connecting = connector.connect({ host: 'photos.example.com', port: 443, guarded: true });
  await failing(connecting, { code: 'ADDRESS_FORBIDDEN', sent: 'no', class: 'caller' });
  expect(answers.asked).toBe(1);
});

test('a name without an address', async () => {
  answers.addresses = [];
  const connecting = createConnector({ mode: 'test' }).connect({ host: 'none.example.com', port: 443, guarded: true });
  await failing(connecting, { code: 'DNS_FAILED', sent: 'no', class: 'transient' });
});

test('the name is asked for once, and its answer is what is dialled', async () => {
  answers.addresses = ['127.0.0.1'];
  const connector = createConnector({ mode: 'test', allowPrivateAddresses: true });
  const connecting = connector.connect({ host: 'photos.example.com', port: 1, guarded: true });
  await failing(connecting, { code: 'CONNECT_REFUSED', sent: 'no', class: 'transient' });
  expect(answers.asked).toBe(1);
});
