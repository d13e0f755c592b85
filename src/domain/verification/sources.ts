/** Sources of a resource's bytes. The field `from` distinguishes three kinds. */
import { z } from 'zod';
import { objectKeySchema } from './object-key.ts';
import { REGIONS } from './regions.ts';

const md5 = z
  .string()
  .regex(/^[0-9a-fA-F]{32}$/, 'is not an MD5: give 32 hexadecimal digits (the digest of the raw bytes, not Base64)')
  .transform((text) => text.toLowerCase())
  .describe('MD5 of the bytes, 32 hex digits. If given, other bytes are refused before anything is sent or paid for.');

export const fileSource = z.strictObject({
  from: z.literal('file'),
  path: z
    .string()
    .min(1, 'is empty: give the path of a file')
    .max(4096, 'is longer than 4096 characters: give a shorter path')
    .describe('Path of a file inside one of the file roots.'),
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
    .describe('An https URL on a public host.'),
  md5: md5.optional(),
});

export const bucketName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-\d{6,12}$/, 'is not a bucket name: write it as name-appid');

export const cosSource = z.strictObject({
  from: z.literal('cos'),
  bucket: bucketName,
  region: z.enum(REGIONS),
  key: objectKeySchema(),
  md5: md5.optional(),
});

export const source = z.discriminatedUnion('from', [fileSource, httpsSource, cosSource]);

export type HttpsSource = z.infer<typeof httpsSource>;
export type CosSource = z.infer<typeof cosSource>;
/** @example { from: 'file', path: '/captures/1042.gz' } */
export type Source = z.infer<typeof source>;

/** @returns what is wrong with the text of a source URL, or null. The transport checks the address to which the name resolves. */
export function urlProblem(text: string): string | null {
  if (!URL.canParse(text)) return 'is not a URL: write it in full, starting with https://';
  const url = new URL(text);
  if (url.protocol !== 'https:') return `is ${url.protocol.replace(':', '')}, not https: use an https URL`;
  if (url.username !== '' || url.password !== '') return 'has a user name or password: use a signed link instead';
  return null;
}

/**
 * Whether two sources name the same bytes. Tencent compares two inputs: if they are the same object, the similarity is always
 * high and proves nothing. Query strings are ignored: two signed URLs of one object differ only there.
 */
export function sameSource(a: Source, b: Source): boolean {
  return sourceIdentity(a) === sourceIdentity(b);
}

/** @returns the location of a source, without the query string in which two signed URLs of one object differ. */
export function sourceIdentity(source: Source): string {
  switch (source.from) {
    case 'file':
      return `file:${source.path}`;
    case 'https': {
      if (!URL.canParse(source.url)) return `https:${source.url}`; // The schema refuses it.
      const url = new URL(source.url);
      return `https:${url.host}${url.pathname}`;
    }
    case 'cos':
      return `cos:${source.region}/${source.bucket}/${source.key}`;
  }
}
