/** Replaces the system's lookup of host names, so that a test can decide which addresses a public name has. */
import dns, { type LookupAddress } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { isIPv6 } from 'node:net';

type Done = (error: Error | null, addresses: LookupAddress[]) => void;

/**
 * @param addressesOf the addresses of a host name; none means that the name does not exist; null leaves the name to the system.
 * @returns a function that puts the system's lookup back. Call it before the file ends, because other files share the process.
 */
export function replaceLookup(addressesOf: (host: string) => readonly string[] | null): () => void {
  const { lookup } = dns;
  const replaced = (host: string, options: object, done: Done) => {
    const addresses = addressesOf(host);
    if (addresses === null) return lookup(host, options, done as never);
    const found = addresses.map((address) => ({ address, family: isIPv6(address.split('%')[0] as string) ? 6 : 4 }));
    setImmediate(() => (found.length === 0 ? done(new Error('ENOTFOUND'), []) : done(null, found)));
  };
  set(replaced as never);
  return () => set(lookup);
}

function set(lookup: typeof dns.lookup): void {
  dns.lookup = lookup;
  syncBuiltinESMExports();
}
