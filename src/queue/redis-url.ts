/**
 * The one setting that says how Redis is reached, in each of its forms (docs/redis.md), read once at the border. What is wrong
 * is said in words that hold nothing of the URL: it may be the password that is in the wrong place.
 */
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisLogin {
  /** Undefined: `default`. */
  readonly username?: string;
  readonly password: string;
}

export interface RedisSettings {
  /** `nodes` is one server; Sentinels that know the primary; or nodes of a Cluster, of which one that answers is enough. */
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly nodes: readonly RedisNode[];
  /** As the Sentinels call it; empty where there are none. */
  readonly primary: string;
  readonly db: number;
  readonly login: RedisLogin | null;
  /** Of the Sentinels themselves. */
  readonly sentinelLogin: RedisLogin | null;
  readonly tls: boolean;
  /** By TLS, whom to trust instead of the system's CAs: PEM, or a file of it. */
  readonly ca?: string;
  readonly caFile?: string;
}

const FORMS = 'redis://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port';
const ENCODED = 'in a password write @ as %40, / as %2F, % as %25';
const FORM = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const NODE = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i;
const DEFAULT_PORT = { server: 6379, sentinel: 26379, cluster: 6379 } as const;
const SENTINEL_OPTIONS = ['db', 'sentinelUser', 'sentinelPassword'];

/** @returns the settings, or the fault as a clause that goes on after the name of what holds the URL. */
export function readRedisUrl(url: string): { readonly settings: RedisSettings } | { readonly fault: string } {
  const form = FORM.exec(url);
  if (form === null)
    return { fault: `is not a Redis URL: write ${FORMS} (rediss for TLS), with user:password@ before the first host` };
  const [, secure = '', way, before, hosts = '', path = '', query = ''] = form;
  const kind = way === 'sentinel' || way === 'cluster' ? way : 'server';

  const nodes = hosts.split(',').flatMap((written) => nodeOf(written, DEFAULT_PORT[kind]) ?? []);
  if (nodes.length !== hosts.split(',').length)
    return { fault: `has an address that is none: write host:port, an IPv6 address in [ ]; ${ENCODED}` };
  if (kind === 'server' && nodes.length > 1)
    return { fault: `names several servers: say by redis+sentinel:// or redis+cluster:// what they are` };

  const login = before === undefined ? null : loginOf(before);
  const options = optionsOf(query);
  if (login === undefined || options === undefined)
    return { fault: `has a user or password that cannot be read: ${ENCODED}` };
  if (login?.password === '') return { fault: 'has a user without a password: write user:password@ or :password@' };
  if ([...options.keys()].some((name) => kind !== 'sentinel' || !SENTINEL_OPTIONS.includes(name)))
    return { fault: `has an option that is not known: use none, or with Sentinel ${SENTINEL_OPTIONS.join(', ')}` };

  const db = (kind === 'sentinel' ? options.get('db') : path) || '0';
  if (!/^\d{1,4}$/.test(db)) return { fault: 'has a database that is no number: write a number, or leave it out' };
  if (kind === 'cluster' && db !== '0') return { fault: 'has a database: leave it out, a Cluster has one only' };
  if (kind === 'sentinel' && path === '')
    return { fault: 'does not name the primary: write redis+sentinel://host:port/name, as the Sentinels call it' };

  const password = options.get('sentinelPassword');
  const username = options.get('sentinelUser');
  if (username !== undefined && password === undefined)
    return { fault: 'has sentinelUser without sentinelPassword: write both' };
  return {
    settings: {
      kind,
      nodes,
      primary: kind === 'sentinel' ? path : '',
      db: Number(db),
      login,
      sentinelLogin: password === undefined ? null : { ...(username === undefined ? {} : { username }), password },
      tls: secure === 's',
    },
  };
}

/** @throws Failure INVALID_SETTINGS that begins with `field`, which holds the URL. */
export function redisSettings(url: string, field: string): RedisSettings {
  const read = readRedisUrl(url);
  if ('fault' in read) throw inputFailure(CODES.INVALID_SETTINGS, field, `${field} ${read.fault}`);
  return read.settings;
}

function nodeOf(written: string, defaultPort: number): RedisNode | null {
  const [whole, address, name, digits] = NODE.exec(written) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  if (whole === undefined || port < 1 || port > 65_535) return null;
  return { host: address ?? name ?? '', port };
}

/** @returns undefined where it cannot be decoded. */
function loginOf(written: string): RedisLogin | undefined {
  const cut = written.indexOf(':');
  const username = decoded(cut === -1 ? written : written.slice(0, cut));
  const password = decoded(cut === -1 ? '' : written.slice(cut + 1));
  if (username === undefined || password === undefined) return undefined;
  return { ...(username === '' ? {} : { username }), password };
}

/** By hand: URLSearchParams would make a space of a plus, and a plus may be in a password. */
function optionsOf(query: string): Map<string, string> | undefined {
  const options = new Map<string, string>();
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [name = '', ...rest] = pair.split('=');
    const value = decoded(rest.join('='));
    if (value === undefined) return undefined;
    options.set(name, value);
  }
  return options;
}

function decoded(written: string): string | undefined {
  try {
    return decodeURIComponent(written);
  } catch {
    return undefined; // a % that begins nothing
  }
}
