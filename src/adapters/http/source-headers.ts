/**
 * Headers for the hosts of https sources, for example a token. The settings name the host, the header and a secret; the value is in a
 * file with the secret's name, so that neither a verification nor the environment contains it.
 *
 * What must hold: a header is sent only to the host that it is set for, also after a redirect, and its value is in no message.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

export interface SourceHeader {
  /** As in a URL: in lower case, with a port if it is not 443. */
  readonly host: string;
  /** In lower case. */
  readonly name: string;
  /** Name of the file with the value. */
  readonly secret: string;
}

export type HeadersOf = (host: string) => Promise<Readonly<Record<string, string>>>;

/** A value as HTTP allows it. */
const VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/;

/**
 * The file of a secret is read for each request, so that a new value counts at once. If it cannot be read, the last value counts.
 * @param dir folder with the files of the secrets
 * @returns a function that throws Failure SOURCE_UNAVAILABLE if a secret could never be read
 */
export function sourceHeaders(headers: readonly SourceHeader[], dir: string): HeadersOf {
  const values = new Map<string, string>();
  return async (host) => {
    const found: Record<string, string> = {};
    for (const { name, secret } of headers.filter((each) => each.host === host)) {
      const value = (await readSecret(dir, secret)) ?? values.get(secret);
      if (value === undefined) throw secretUnreadable(secret);
      values.set(secret, value);
      found[name] = value;
    }
    return found;
  };
}

/** @returns null if there is no usable value. */
export async function readSecret(dir: string, secret: string): Promise<string | null> {
  const text = await readFile(join(dir, secret), 'utf8').catch(() => '');
  const value = text.trim();
  return VALUE.test(value) ? value : null;
}

function secretUnreadable(secret: string): Failure {
  const message = `the secret ${secret} for the host of the source has no usable value: check its file in BESTFRAME_SOURCE_HEADERS_DIR`;
  return localFailure(CODES.SOURCE_UNAVAILABLE, message, { service: 'source', sent: 'no' });
}
