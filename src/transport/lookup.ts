/**
 * From host names to addresses. For a caller's host, the address that was judged is the address that is connected to: there
 * is no second look-up in between. A name is refused if *any* of its addresses is private.
 */
import { lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress, publicHostProblem } from '../domain/addresses.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { bypassesProxy } from './no-proxy.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** As this machine's programs see it: the hosts file too. */
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

/** Whether an operator's word lets a host be reached, wherever it is. @param allowed as NO_PROXY is written. */
export function isAllowed(host: string, port: number, allowed: string): boolean {
  return bypassesProxy(host, port, allowed);
}

/**
 * @param allowed private ones that may be reached all the same: names, addresses and CIDR blocks, as in NO_PROXY.
 * @throws Failure ADDRESS_FORBIDDEN
 */
export async function publicAddresses(host: string, port = 443, allowed = ''): Promise<readonly Address[]> {
  if (allowed === '' && publicHostProblem(host) !== null) throw forbidden();
  const found = await lookupAll(host);
  const may = ({ address }: Address) => isPublicAddress(address) || isAllowed(address, port, allowed);
  if (isAllowed(host, port, allowed) || found.every(may)) return found;
  throw forbidden();
}

const DNS_LIMIT_MS = 1_000;

/**
 * Whether DNS, asked for a moment, knows no private address of a name. Where there is no DNS (behind many egress proxies)
 * nothing speaks against it. By c-ares: where DNS is silent, getaddrinfo blocks one of libuv's four threads for long.
 */
export async function maybePublic(host: string): Promise<boolean> {
  if (publicHostProblem(host) !== null) return false;
  if (isIP(host) !== 0) return true;
  const resolver = new Resolver({ timeout: DNS_LIMIT_MS, tries: 1 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return answers.every((answer) => answer.status === 'rejected' || answer.value.every(isPublicAddress));
}

const REMEMBERED_MS = 30_000;

/**
 * For hosts that a proxy resolves. The proxy itself is the boundary then, and should hold rules of its own; what can be seen
 * from here is refused here.
 */
export class ProxiedGuard {
  readonly #seen = new Map<string, { readonly until: number; readonly allowed: Promise<boolean> }>();

  /** @throws Failure ADDRESS_FORBIDDEN */
  async check(host: string): Promise<void> {
    const now = performance.now();
    for (const [name, { until }] of this.#seen) if (until < now) this.#seen.delete(name);
    const { allowed } = this.#seen.get(host) ?? { allowed: maybePublic(host) };
    if (!this.#seen.has(host)) this.#seen.set(host, { until: now + REMEMBERED_MS, allowed });
    if (!(await allowed)) throw forbidden();
  }
}

function forbidden(): Failure {
  const message =
    'the URL leads to a private or local address: only public hosts are read; use a file or COS source instead';
  return new Failure({ service: 'source', channel: 'local', code: CODES.ADDRESS_FORBIDDEN, sent: 'no' }, message);
}
