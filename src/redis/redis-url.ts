/**
 * Parses the URL of Redis, in all its forms (docs/redis.md).
 *
 * What must hold: no error text contains any part of the URL. In a malformed URL, any part may be the password.
 */

import { inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisLogin {
  /** If absent, Redis uses its user `default`. */
  readonly username?: string;
  readonly password: string;
}

export interface RedisSettings {
  /** What `nodes` contains: the one server, the Sentinels, or some nodes of the Cluster. One node that answers is enough. */
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly nodes: readonly RedisNode[];
  /** The name under which the Sentinels know the primary; empty without Sentinels. */
  readonly primary: string;
  readonly db: number;
  readonly login: RedisLogin | null;
  /** The login for the Sentinels themselves. */
  readonly sentinelLogin: RedisLogin | null;
  readonly tls: boolean;
  /** With TLS: the CAs to trust instead of the system's, as PEM. */
  readonly ca?: string;
  /** With TLS: path of a PEM file with CAs, used if `ca` is absent. */
  readonly caFile?: string;
}

const URL_FORMS = 'redis://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port';
const ENCODING_ADVICE = 'in a password write @ as %40, / as %2F, % as %25';
const URL_PATTERN = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const NODE_PATTERN = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i;
const DEFAULT_PORT = { server: 6379, sentinel: 26379, cluster: 6379 } as const;
const SENTINEL_OPTIONS = ['db', 'sentinelUser', 'sentinelPassword'];

/** @returns the settings, or the problem as a clause that follows the name of the setting: `is not a Redis URL: …`. */
export function readRedisUrl(url: string): { readonly settings: RedisSettings } | { readonly fault: string } {
  const match = URL_PATTERN.exec(url);
  if (match === null)
    return {
      fault: `is not a Redis URL: write ${URL_FORMS} (rediss for TLS), with user:password@ before the first host`,
    };
  const [, secure = '', topology, userInfo, hosts = '', path = '', query = ''] = match;
  const kind = topology === 'sentinel' || topology === 'cluster' ? topology : 'server';

  const nodes = hosts.split(',').flatMap((text) => parseNode(text, DEFAULT_PORT[kind]) ?? []);
  if (nodes.length !== hosts.split(',').length)
    return { fault: `has an invalid address: write host:port, with an IPv6 address in [ ]; ${ENCODING_ADVICE}` };
  if (kind === 'server' && nodes.length > 1)
    return { fault: 'names several servers: write redis+sentinel:// or redis+cluster:// to say which kind they are' };

  const login = userInfo === undefined ? null : parseLogin(userInfo);
  const options = parseOptions(query);
  if (login === undefined || options === undefined)
    return { fault: `has a user or password that cannot be decoded: ${ENCODING_ADVICE}` };
  if (login?.password === '') return { fault: 'has a user without a password: write user:password@ or :password@' };
  if ([...options.keys()].some((name) => kind !== 'sentinel' || !SENTINEL_OPTIONS.includes(name)))
    return { fault: `has an unknown option: use none, or with Sentinel only ${SENTINEL_OPTIONS.join(', ')}` };

  const db = (kind === 'sentinel' ? options.get('db') : path) || '0';
  if (!/^\d{1,4}$/.test(db)) return { fault: 'has a database that is not a number: write a number, or leave it out' };
  if (kind === 'cluster' && db !== '0') return { fault: 'has a database: leave it out, since a Cluster has only one' };
  if (kind === 'sentinel' && path === '')
    return {
      fault: 'does not name the primary: write redis+sentinel://host:port/name, with its name at the Sentinels',
    };

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

/** @param field the setting that holds the URL. @throws Failure INVALID_SETTINGS, whose message begins with `field`. */
export function redisSettings(url: string, field: string): RedisSettings {
  const read = readRedisUrl(url);
  if ('fault' in read) throw inputFailure(CODES.INVALID_SETTINGS, field, `${field} ${read.fault}`);
  return read.settings;
}

function parseNode(text: string, defaultPort: number): RedisNode | null {
  const [whole, address, name, digits] = NODE_PATTERN.exec(text) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  if (whole === undefined || port < 1 || port > 65_535) return null;
  return { host: address ?? name ?? '', port };
}

/** @returns undefined if the login cannot be decoded. */
function parseLogin(text: string): RedisLogin | undefined {
  const colon = text.indexOf(':');
  const username = decodeOrUndefined(colon === -1 ? text : text.slice(0, colon));
  const password = decodeOrUndefined(colon === -1 ? '' : text.slice(colon + 1));
  if (username === undefined || password === undefined) return undefined;
  return { ...(username === '' ? {} : { username }), password };
}

/** Parses without URLSearchParams, which decodes a + in a password as a space. @returns undefined if decoding fails. */
function parseOptions(query: string): Map<string, string> | undefined {
  const options = new Map<string, string>();
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const [name = '', ...rest] = pair.split('=');
    const value = decodeOrUndefined(rest.join('='));
    if (value === undefined) return undefined;
    options.set(name, value);
  }
  return options;
}

function decodeOrUndefined(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a % without two hex digits
  }
}
