/**
 * Matches a host against a list in the format of NO_PROXY, as curl and most tools read it: host names (each includes its
 * subdomains), IP addresses and CIDR blocks, separated by commas or spaces, each with an optional port; or `*` for all hosts.
 */
import { BlockList, isIP } from 'node:net';

export function matchesHostList(host: string, port: number, list: string | undefined): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return (list ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(name, port, entry));
}

function matches(host: string, port: number, entry: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inBlock(host, entry);
  const [, bare = entry, entryPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  if (entryPort !== undefined && Number(entryPort) !== port) return false;
  const suffix = bare.replace(/^\*?\./, '');
  if (isIP(host) !== 0) return host === suffix;
  return host === suffix || host.endsWith(`.${suffix}`);
}

function inBlock(host: string, entry: string): boolean {
  const [net = '', prefix = ''] = entry.split('/');
  const family = isIP(net);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(net, Number(prefix), kind);
  return block.check(host, kind);
}
