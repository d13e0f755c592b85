/**
 * Links by COS's signature, for the default domain, one method and one object. The COS SDK signs and does nothing else.
 * `host` is signed, and the headers that are named, and no other: a PUT may carry Content-MD5.
 */
import COS from 'cos-nodejs-sdk-v5';
import type { ObjectPlace } from '../domain/outcomes.ts';

/** What signing needs to know of the keys; `CredentialsProvider` of `tencent/` gives it. */
export interface SigningKeys {
  get(): Promise<{ readonly secretId: string; readonly secretKey: string; readonly token?: string }>;
}

export type Method = 'GET' | 'PUT' | 'DELETE' | 'HEAD';

export interface Signing {
  readonly method: Method;
  /** An empty key is the bucket itself. */
  readonly place: ObjectPlace;
  readonly ttlMs: number;
  /** What of the place is meant: a setting of the bucket, one version of the object. Signed too. */
  readonly query?: Readonly<Record<string, string>>;
  /** Beside `host`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export async function signedLink(keys: SigningKeys, { method, place, ttlMs, ...more }: Signing): Promise<string> {
  const { secretId, secretKey, token } = await keys.get();
  const signature = COS.getAuthorization({
    SecretId: secretId,
    SecretKey: secretKey,
    Method: method as 'GET', // its types know no HEAD, which it signs all the same
    Bucket: place.bucket,
    Region: place.region,
    Pathname: `/${place.key}`,
    Expires: Math.max(1, Math.ceil(ttlMs / 1000)) + 1, // it counts from a second ago
    ...(more.query === undefined ? {} : { Query: { ...more.query } }),
    ...(more.headers === undefined ? {} : { Headers: { ...more.headers } }),
  });
  const asked = Object.entries(more.query ?? {}).map(([name, value]) =>
    value === '' ? name : `${name}=${encodeURIComponent(value)}`,
  );
  const session = token === undefined ? '' : `&x-cos-security-token=${encodeURIComponent(token)}`;
  return `${plainLink(place)}?${[...asked, signature].join('&')}${session}`;
}

/** Without a signature: what anybody can ask for. */
export function plainLink({ bucket, region, key }: ObjectPlace): string {
  return `https://${bucket}.cos.${region}.myqcloud.com/${escaped(key)}`;
}

/** As the SDK writes a key into a URL. */
function escaped(key: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(key)
    .replace(/%2F/g, '/')
    .replace(/[!'()*]/g, percent);
}
