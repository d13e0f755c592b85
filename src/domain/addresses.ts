/**
 * Which hosts a source may lie on: public ones only. A caller's URL must not make a worker read what only the worker can
 * reach: loopback, private networks, carrier NAT, link-local with its metadata services, and IPv6 forms of all these.
 */
import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registry: everything there that is not globally reachable, and multicast. */
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
/** Of 2000::/3, which is all the global unicast there is: what carries an IPv4 address inside, or is for documentation. */
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

/** @param address an IP address, IPv6 without brackets. Anything else is not public. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !forbidden.check(address, 'ipv4');
    case 6:
      // A zone makes sense on one machine only.
      return !address.includes('%') && globalUnicast.check(address, 'ipv6') && !forbidden.check(address, 'ipv6');
    default:
      return false;
  }
}

const LOCAL_NAME = /^[^.]*$|\.(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/;

/** What is wrong with a host as it is written, or null. What its name resolves to is judged where that is known. */
export function publicHostProblem(hostname: string): string | null {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return isPublicAddress(host) ? null : 'is a private address: use a host on the public network';
  return LOCAL_NAME.test(host.replace(/\.$/, ''))
    ? 'is a name of a private network: use a host on the public network'
    : null;
}
