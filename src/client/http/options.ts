/** The options of `BestframeHttpClient`, and how the client reads them. */
import { CODES } from '../../domain/errors/codes.ts';
import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { parseToken } from '../../domain/operations/api-keys.ts';

export interface HttpClientOptions {
  /**
   * Address of the HTTP API, without `/v1`, user, query or `#`.
   * @example 'https://bestframe.internal'
   */
  readonly url: string;
  /**
   * API key, as `bestframe keys create` prints it. Submitting needs scope `submit`; see docs/http-api.md for the others.
   * @example process.env.BESTFRAME_KEY
   */
  readonly key: string;
  /**
   * Allows an address that begins with `http://` and is not on this machine. The API key then crosses the network unencrypted.
   * @default false
   */
  readonly allowPlainHttp?: boolean;
  /**
   * Where the paths of `file` sources lead. `upload`: to files on this machine, which the client sends with the request.
   * `workers`: to files that the workers can read; only the path is sent.
   * @default 'upload'
   */
  readonly files?: 'upload' | 'workers';
  /**
   * The client sends only files in these folders. Set them if untrusted callers supply the paths. Ignored with `files:
   * 'workers'`.
   * @default any folder
   * @example ['/var/spool/captures']
   */
  readonly fileRoots?: readonly string[];
}

export interface ApiAddress {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly key: string;
}

/** @throws Failure INVALID_SETTINGS, naming the option but not its value, because a URL may contain a password. */
export function readApiAddress(options: HttpClientOptions): ApiAddress {
  // JavaScript callers may leave anything out.
  const { url, key, allowPlainHttp = false }: Partial<HttpClientOptions> = options ?? {};
  if (url === undefined) {
    throw invalid(
      'url',
      "url is missing: give the address of the HTTP API, e.g. { url: 'https://bestframe.internal', key }",
    );
  }
  const baseUrl = parseBaseUrl(url);
  if (!allowPlainHttp && isPlainAndRemote(new URL(baseUrl))) {
    throw invalid(
      'url',
      'url begins with http://, so the API key would cross the network in clear: use https://, or set allowPlainHttp',
    );
  }
  if (key === undefined) throw invalid('key', 'key is missing: give an API key, which the operator of Bestframe makes');
  if (typeof key !== 'string' || parseToken(key) === null) {
    throw invalid('key', 'key is not an API key: give one that the operator of Bestframe made');
  }
  return { baseUrl, key };
}

function isPlainAndRemote({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function parseBaseUrl(text: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === '')
    return url.href.replace(/\/+$/, '');
  throw invalid('url', 'url is not the address of an HTTP API: write https://host, without a user, a query or "#"');
}

function invalid(option: string, message: string): Failure {
  return inputFailure(CODES.INVALID_SETTINGS, option, message);
}
