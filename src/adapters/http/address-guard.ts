/**
 * Resolves host names, and refuses private addresses for hosts that a caller chose. The connection uses the very addresses
 * that were checked, without a second lookup. A name is refused if *any* of its addresses is private.
 */
import { lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress, publicHostProblem } from '../../domain/addresses.ts';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { matchesHostList } from './host-list.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Resolves a host with the system's resolver, which also reads the hosts file. */
export function lookupAddresses(host: string): Promise<readonly Address[]> {
  const family = isIP(host);
  if (family !== 0) return Promise.resolve([{ address: host, family }]);
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

/**
 * Resolves a host that a caller chose.
 * @param allowed private hosts that are allowed nevertheless: names, addresses and CIDR blocks, as in NO_PROXY.
 * @throws Failure ADDRESS_FORBIDDEN
 */
export async function lookupPublicAddresses(host: string, port = 443, allowed = ''): Promise<readonly Address[]> {
  if (allowed === '' && publicHostProblem(host) !== null) throw addressForbidden();
  const addresses = await lookupAddresses(host);
  if (matchesHostList(host, port, allowed)) return addresses;
  const isPermitted = ({ address }: Address) => isPublicAddress(address) || matchesHostList(address, port, allowed);
  if (addresses.every(isPermitted)) return addresses;
  throw addressForbidden();
}

const DNS_LIMIT_MS = 1_000;

/**
 * Asks DNS about the host, with a short timeout. Returns false if this finds a private address. Otherwise returns true, even if
 * DNS does not answer, which is normal behind many egress proxies. Queries go through c-ares, because getaddrinfo would block one
 * of libuv's four threads while a DNS server is silent.
 */
export async function isPresumablyPublic(host: string): Promise<boolean> {
  if (publicHostProblem(host) !== null) return false;
  if (isIP(host) !== 0) return true;
  const resolver = new Resolver({ timeout: DNS_LIMIT_MS, tries: 1 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return answers.every((answer) => answer.status === 'rejected' || answer.value.every(isPublicAddress));
}

const CACHE_MS = 30_000;

/**
 * Checks hosts that a proxy will resolve. The proxy is then the real boundary and should have its own rules: this guard refuses
 * only hosts that this machine can recognise as private. The guard caches each result for 30 s.
 */
export class ProxiedHostGuard {
  readonly #cache = new Map<string, { readonly expiresAt: number; readonly isPublic: Promise<boolean> }>();

  /** @throws Failure ADDRESS_FORBIDDEN */
  async check(host: string): Promise<void> {
    const now = performance.now();
    for (const [name, { expiresAt }] of this.#cache) if (expiresAt < now) this.#cache.delete(name);
    let entry = this.#cache.get(host);
    if (entry === undefined) {
      entry = { expiresAt: now + CACHE_MS, isPublic: isPresumablyPublic(host) };
      this.#cache.set(host, entry);
    }
    if (!(await entry.isPublic)) throw addressForbidden();
  }
}

function addressForbidden(): Failure {
  const message = 'the URL leads to a private or local address: use a public host, or a file or COS source instead';
  return localFailure(CODES.ADDRESS_FORBIDDEN, message, { service: 'source' });
}
