/**
 * Keys in a file: in Bestframe's own JSON format, or in the profile file of Tencent's SDKs. The file is read again whenever it
 * changes, because another program may write new keys to it.
 */
import { readFile, stat } from 'node:fs/promises';
import { type CredentialsProvider, type Keys, noCredentials, parseKeys, requireUnexpired } from './keys.ts';

/** @param path a JSON file `{secretId, secretKey, token?, expiresAt?}`. */
export function fileCredentials(path: string): CredentialsProvider {
  const subject = 'the credentials file';
  return watchedFile(path, subject, (text) => parseKeys(parseJson(text), subject));
}

/** @param path an INI file whose section `[default]` has `secret_id`, `secret_key` and, for temporary keys, `token`. */
export function profileCredentials(path: string): CredentialsProvider {
  return watchedFile(path, 'the profile file', parseProfile);
}

function watchedFile(path: string, subject: string, parse: (text: string) => Keys): CredentialsProvider {
  let cached: { version: string; keys: Keys } | null = null;

  async function current(): Promise<Keys> {
    const version = await fileVersion(path, subject);
    if (cached?.version === version) return cached.keys;
    const text = await readOrFail(subject, () => readFile(path, 'utf8'));
    cached = { version, keys: parse(text) };
    return cached.keys;
  }

  return { get: async () => requireUnexpired(await current(), subject) };
}

async function fileVersion(path: string, subject: string): Promise<string> {
  const { mtimeNs, size, ino } = await readOrFail(subject, () => stat(path, { bigint: true }));
  return `${ino}:${mtimeNs}:${size}`;
}

/** @throws Failure NO_CREDENTIALS with the system's error code, and without the path. */
export async function readOrFail<T>(subject: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw noCredentials(`${subject} cannot be read${why}: correct its path or permissions`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the content, so it is dropped on purpose.
    throw noCredentials('the credentials file is not JSON: write {"secretId": …, "secretKey": …}');
  }
}

function parseProfile(text: string): Keys {
  const fields = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[([^\]]*)\]\s*$/.exec(line)?.[1]?.trim() ?? section;
    const [, name, value] = /^\s*([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === 'default' && name !== undefined && value !== undefined) fields.set(name, value);
  }
  const [secretId, secretKey, token] = ['secret_id', 'secret_key', 'token'].map((name) => fields.get(name) ?? '');
  if (!secretId || !secretKey)
    throw noCredentials('the profile file has no secret_id and secret_key in its section [default]: add both');
  return { secretId, secretKey, ...(token ? { token } : {}) };
}
