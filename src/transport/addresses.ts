/**
 * Which addresses a caller's URL may lead to: public ones only. A URL in a request is the caller's word; without this guard
 * it would read the metadata service or an admin page from inside the company's network.
 *
 * What must hold: the address that was judged is the address that is connected to (no second look-up in between).
 */
import { lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** IANA's special-purpose registries: everything there that is not globally reachable, and multicast. */
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
/** Only 2000::/3 is global unicast; of it, what carries an IPv4 address inside or is for documentation is out too. */
const FORBIDDEN_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

/** Tencent's and Alibaba's metadata services are on 169.254.0.0/16 and 100.64.0.0/10, and so are forbidden already. */
const forbidden = new BlockList();
for (const [net, prefix] of FORBIDDEN_V4) forbidden.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of FORBIDDEN_V6) forbidden.addSubnet(net, prefix, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !forbidden.check(address, 'ipv4');
  if (family === 6) {
    const plain = address.split('%', 1)[0] ?? '';
    return globalUnicast.check(plain, 'ipv6') && !forbidden.check(plain, 'ipv6');
  }
  return false;
}

/** Names that never mean a public host. */
function isLocalName(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return !name.includes('.') || /\.(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/.test(name);
}

/** @throws Failure ADDRESS_FORBIDDEN for a literal address or a name that cannot be public. */
export function refusePrivateHost(host: string): void {
  const literal = isIP(host) !== 0;
  if (literal ? !isPublicAddress(host) : isLocalName(host)) throw forbiddenAddress();
}

/** Looks a host up once, and refuses it if *any* of its addresses is private. The caller connects to these addresses only. */
export async function publicAddresses(host: string): Promise<readonly Address[]> {
  refusePrivateHost(host);
  const found = await lookupAll(host);
  if (found.some(({ address }) => !isPublicAddress(address))) throw forbiddenAddress();
  return found;
}

export function lookupAll(host: string): Promise<readonly Address[]> {
  const family = isIP(host);
  if (family !== 0) return Promise.resolve([{ address: host, family }]);
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

const PROXIED_LOOKUP_MS = 1_000;
const REMEMBERED_MS = 30_000;

/**
 * For a host that a proxy will resolve: literals and local names are refused; the name is looked up here too, where there is
 * a DNS to ask (behind many egress proxies there is none), and refused if it is private. The proxy itself is the boundary
 * then, and should hold rules of its own.
 */
export class ProxiedGuard {
  readonly #seen = new Map<string, { until: number; allowed: Promise<boolean> }>();

  async check(host: string): Promise<void> {
    refusePrivateHost(host);
    if (isIP(host) !== 0) return;
    const now = performance.now();
    let entry = this.#seen.get(host);
    if (entry === undefined || entry.until < now) {
      for (const [name, old] of this.#seen) if (old.until < now) this.#seen.delete(name);
      entry = { until: now + REMEMBERED_MS, allowed: allowedByDns(host) };
      this.#seen.set(host, entry);
    }
    if (!(await entry.allowed)) throw forbiddenAddress();
  }
}

/** c-ares and not getaddrinfo: where DNS is silent, getaddrinfo blocks one of libuv's four threads for many seconds. */
async function allowedByDns(host: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: PROXIED_LOOKUP_MS, tries: 1 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  return found.every(isPublicAddress);
}

function forbiddenAddress(): Failure {
  const message =
    'the URL leads to a private or local address: only public hosts are read; use a file or COS source instead';
  return new Failure({ service: 'source', channel: 'local', code: CODES.ADDRESS_FORBIDDEN, sent: 'no' }, message);
}
