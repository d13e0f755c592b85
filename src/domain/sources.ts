/**
 * Where the bytes of a resource come from. Three kinds, each named by `from`.
 */
import { z } from 'zod';
import { REGIONS } from './actions.ts';

const md5 = z
  .string()
  .regex(/^[0-9a-fA-F]{32}$/, 'is not an MD5: give 32 hexadecimal digits (the digest of the raw bytes, not Base64)')
  .transform((text) => text.toLowerCase())
  .describe('MD5 of the bytes, 32 hex digits. When given, anything else is refused before it is sent or paid for.');

export const fileSource = z.strictObject({
  from: z.literal('file'),
  path: z
    .string()
    .min(1, 'is empty: give the path of a file')
    .max(4096, 'is longer than 4096 characters: give a shorter path')
    .describe('Path of a file inside the roots.'),
  md5: md5.optional(),
});

export const httpsSource = z.strictObject({
  from: z.literal('https'),
  url: z
    .string()
    .max(8192, 'is longer than 8192 characters: give a shorter URL')
    .superRefine((text, context) => {
      const problem = urlProblem(text);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    })
    .describe('An https URL of a public host.'),
  md5: md5.optional(),
});

export const cosSource = z.strictObject({
  from: z.literal('cos'),
  bucket: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-\d{6,12}$/, 'is not a bucket name: write it as name-appid'),
  region: z.enum(REGIONS),
  key: z.string().min(1, 'is empty: give the object key').max(850, 'is longer than 850 characters: give a shorter key'),
  md5: md5.optional(),
});

export const source = z.discriminatedUnion('from', [fileSource, httpsSource, cosSource]);

export type HttpsSource = z.infer<typeof httpsSource>;
export type CosSource = z.infer<typeof cosSource>;
export type Source = z.infer<typeof source>;

/** What is wrong with a source URL as text, or null. Addresses behind names are the transport's to judge. */
export function urlProblem(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'is not a URL: write it whole, from https:// to its path';
  }
  if (url.protocol !== 'https:') return `is ${url.protocol.replace(':', '')}, not https: use an https URL`;
  if (url.username !== '' || url.password !== '') return 'carries a user name or password: use a signed link instead';
  return null;
}

/**
 * Two sources that name the same bytes. Tencent compares the two inputs: the same object twice always scores high, and
 * proves nothing. Query strings are ignored, since two signatures of one object differ only there.
 */
export function sameSource(a: Source, b: Source): boolean {
  return sourceIdentity(a) === sourceIdentity(b);
}

/** What a source points at, without what varies from one signature to the next. */
export function sourceIdentity(from: Source): string {
  switch (from.from) {
    case 'file':
      return `file:${from.path}`;
    case 'https': {
      if (!URL.canParse(from.url)) return `https:${from.url}`; // refused elsewhere, by the schema
      const url = new URL(from.url);
      return `https:${url.host}${url.pathname}`;
    }
    case 'cos':
      return `cos:${from.region}/${from.bucket}/${from.key}`;
  }
}
