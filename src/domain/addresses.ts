/**
 * Decides whether a host is public. A caller's URL must not make a worker read anything that only the worker can reach:
 * loopback, private networks, carrier NAT, link-local addresses with their metadata services, and IPv6 forms of all these.
 */
import { BlockList, isIP } from 'node:net';

/** Ranges that IANA's special-purpose registry lists as not globally reachable, and the multicast range. */
const FORBIDDEN_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;
/** Ranges within 2000::/3 (all of global unicast). They embed an IPv4 address, or are reserved for documentation. */
const FORBIDDEN_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const forbidden = new BlockList();
for (const [net, prefix] of FORBIDDEN_V4) forbidden.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of FORBIDDEN_V6) forbidden.addSubnet(net, prefix, 'ipv6');

/** @param address an IPv4 address, or an IPv6 address without brackets. Any other text counts as not public. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !forbidden.check(address, 'ipv4');
    case 6:
      // An address with a zone id (`fe80::1%eth0`) is valid on one machine only.
      return !address.includes('%') && globalUnicast.check(address, 'ipv6') && !forbidden.check(address, 'ipv6');
    default:
      return false;
  }
}

const LOCAL_NAME = /^[^.]*$|\.(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/;

/** Checks the text of a host. The transport checks the addresses behind a host name. @returns what is wrong, or null. */
export function publicHostProblem(hostname: string): string | null {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return isPublicAddress(host) ? null : 'is a private address: use a host on the public network';
  return LOCAL_NAME.test(host.replace(/\.$/, ''))
    ? 'is a name of a private network: use a host on the public network'
    : null;
}
