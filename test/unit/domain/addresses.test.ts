/** Tests which addresses and host names a worker may reach for a caller. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress, publicHostProblem } from '../../../src/domain/addresses.ts';

/** First and last address of every range that IANA lists as not globally reachable. */
const FORBIDDEN = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '255.255.255.255'],
  ['2001::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['4000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
] as const;

describe('an address', () => {
  it.each(FORBIDDEN)('from %s to %s is private', (first, last) => {
    expect([first, last].map(isPublicAddress)).toEqual([false, false]);
  });

  it.each([
    '1.0.0.0',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '8.8.8.8',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
    expect(publicHostProblem(address)).toBeNull();
  });

  it.each(['2000::', '2001:200::', '2001:db9::', '2003::', '2606:4700::1111', '3fff:1000::', '3ffe::1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
      expect(publicHostProblem(`[${address}]`)).toBeNull();
    },
  );

  it.each([
    '::ffff:8.8.8.8',
    '::1',
    'fe80::1',
    '2606:4700::1111%eth0',
    'fe80::1%eth0',
    '[2606:4700::1111]',
    'example.com',
    '',
    '8.8.8',
  ])('%j is not a public address', (text) => {
    expect(isPublicAddress(text)).toBe(false);
  });

  it('has no form that hides a private one', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(isPublicAddress(`::ffff:${address}`)).toBe(false);
        const private_ = !isPublicAddress(address);
        expect(publicHostProblem(address)).toBe(
          private_ ? 'is a private address: use a host on the public network' : null,
        );
      }),
    );
  });
});

describe('a host', () => {
  it.each([
    'example.com',
    'EXAMPLE.com',
    'localhost.example.com',
    'corporation.example',
    'my-home.example',
    'notlocal.example',
    'a.localhosted',
  ])('%s is public', (host) => expect(publicHostProblem(host)).toBeNull());

  it.each([
    'localhost',
    'redis',
    'LOCALHOST',
    'redis.',
    'a.localhost',
    'printer.local',
    'api.internal',
    'wiki.intranet',
    'nas.lan',
    'nas.home',
    'mail.corp',
    'tv.home.arpa',
    'printer.local.',
    '',
  ])('%j is a name of a private network', (host) =>
    expect(publicHostProblem(host)).toBe('is a name of a private network: use a host on the public network'),
  );

  it.each(['127.0.0.1', '[::1]', '::1', '[FE80::1]', '[::ffff:10.0.0.1]'])('%s is a private address', (host) => {
    expect(publicHostProblem(host)).toBe('is a private address: use a host on the public network');
  });
});
