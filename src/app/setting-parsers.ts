/**
 * Schemas for the formats that settings use. Each reports what is wrong, then what to do; none repeats a value that may be
 * secret.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { SourceHeader } from '../adapters/http/source-headers.ts';
import { type Budget, type Prices, parseBudgets, parsePrices } from '../domain/operations/costs.ts';
import { type Operator, parseOperators } from '../domain/operations/operators.ts';
import { webhookNameProblem } from '../domain/operations/webhooks.ts';
import { objectKeyProblem } from '../domain/verification/object-key.ts';
import { REGIONS, type Region } from '../domain/verification/regions.ts';
import { REQUIRABLE_FIELDS, type RequirableField } from '../domain/verification/request.ts';
import { type RedisSettings, readRedisUrl } from '../redis/redis-url.ts';
import { type KeyRing, parseKeyRing } from '../redis/sealer.ts';

export const text = z.string();

/** A whole number in a range. The messages are our own, because zod's messages do not say what to write instead. */
export const wholeNumber = (least: number, most: number) =>
  text
    .refine(
      (written) => /^\d{1,9}$/.test(written) && Number(written) >= least && Number(written) <= most,
      `is not a whole number from ${least} to ${most}: write digits only`,
    )
    .transform(Number);

export const oneOf = <const Word extends string>(words: readonly Word[]) =>
  z.enum(words, `is not known: use one of ${words.join(', ')}`);

/** A folder in the company's own buckets. */
export const objectFolder = text
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,100}[A-Za-z0-9]$/, {
    error: 'is not a folder: write letters, digits, ".", "_", "-", "/", with a letter or digit at both ends',
    abort: true,
  })
  .refine((folder) => objectKeyProblem(folder) === null, 'has a segment that is empty, "." or "..": remove it');

export const hostName = text.regex(
  /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  'is not a host name: write it in lower case, without https:// and without a path',
);

/** Tencent's metadata service, which every CVM instance reaches on a link-local address. */
export const METADATA_URL = 'http://metadata.tencentyun.com';

/** Either Tencent's own address or one on loopback, so that keys cannot come from anybody else. */
export const metadataUrl = text.regex(
  /^http:\/\/(metadata\.tencentyun\.com|(127\.0\.0\.1|localhost):\d{1,5})$/,
  'is neither metadata.tencentyun.com nor on loopback: write the address that `bestframe emulator` prints',
);

export const flag = oneOf(['0', '1', 'true', 'false']).transform((word) => word === '1' || word === 'true');

/** Items separated by commas. Spaces around an item and empty items are dropped. */
export const commaList = text.transform((written) =>
  written
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Either one rate for every region of a call, or `region=rate,…` for some of them. */
export const ratePerRegion = (served: readonly Region[]) =>
  text.transform((written, context): Readonly<Partial<Record<Region, number>>> => {
    const entries = written.includes('=')
      ? written.split(',').map((entry) => entry.trim().split('='))
      : served.map((region) => [region, written]);
    const rates: Partial<Record<Region, number>> = {};
    for (const [region = '', rate = ''] of entries) {
      if (isRegion(region) && !served.includes(region)) {
        context.addIssue(`names ${region}, where Tencent does not offer the call: use one of ${served.join(', ')}`);
        break;
      }
      if (isRegion(region) && /^\d{1,6}(\.\d{1,6})?$/.test(rate) && Number(rate) > 0) rates[region] = Number(rate);
      else {
        context.addIssue(
          'is not a number above 0: write calls per second, e.g. 5 or 0.5, or by region: ap-singapore=10',
        );
        break;
      }
    }
    return rates;
  });

/** `name=number,…` for some of the names. */
export const numberByName = <const Name extends string>(names: readonly Name[], least: number, most: number) =>
  text.transform((written, context): Readonly<Partial<Record<Name, number>>> => {
    const numbers: Partial<Record<Name, number>> = {};
    for (const entry of written.split(',')) {
      const [given = '', count = ''] = entry.trim().split('=');
      const name = names.find((each) => each === given);
      const value = Number(count);
      if (name !== undefined && /^\d+$/.test(count) && value >= least && value <= most) numbers[name] = value;
      else {
        context.addIssue(
          `is not name=number: write ${names.map((each) => `${each}=…`).join(',')}, each from ${least} to ${most}`,
        );
        break;
      }
    }
    return numbers;
  });

export const redisUrl = text.transform((url, context): RedisSettings => {
  const read = readRedisUrl(url);
  if ('settings' in read) return read.settings;
  context.addIssue(read.fault);
  return z.NEVER;
});

export const proxyUrl = text.refine(isHttpUrl, 'is not a proxy URL: write host:port with http:// before it');

export const regionList = commaList.transform((names, context): Region[] => {
  const unknown = names.find((name) => !isRegion(name));
  if (unknown !== undefined) context.addIssue(`names the region "${unknown}": use one of ${REGIONS.join(', ')}`);
  if (names.length === 0) context.addIssue(`names no region: use one or more of ${REGIONS.join(', ')}`);
  return [...new Set(names.filter(isRegion))];
});

/** `region=name-appid,…`. Whether a bucket lies in its region is checked when the workers start. */
export const bucketByRegion = commaList.transform((entries, context): ReadonlyMap<Region, string> => {
  const buckets = new Map<Region, string>();
  for (const entry of entries) {
    const cut = entry.indexOf('=');
    const region = cut === -1 ? entry : entry.slice(0, cut);
    const name = cut === -1 ? '' : entry.slice(cut + 1);
    if (!isRegion(region)) {
      context.addIssue(`names the region "${region}": use one of ${REGIONS.join(', ')}`);
    } else if (!/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-\d{6,12}$/.test(name)) {
      context.addIssue(`has no bucket name for ${region}: write ${region}=name-appid`);
    } else if (buckets.has(region)) {
      context.addIssue(`names two buckets for ${region}: keep one`);
    } else {
      buckets.set(region, name);
    }
  }
  return buckets;
});

export const requiredFields = commaList.transform((names, context): RequirableField[] => {
  const unknown = names.find((name) => !REQUIRABLE_FIELDS.some((field) => field === name));
  if (unknown !== undefined)
    context.addIssue(`asks for "${unknown}": use one or more of ${REQUIRABLE_FIELDS.join(', ')}`);
  return REQUIRABLE_FIELDS.filter((field) => names.includes(field));
});

export const keyRing = text.transform((written, context): KeyRing => {
  try {
    return parseKeyRing(written);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'is not a key ring');
    return new Map();
  }
});

export const operatorList = commaList.transform((entries, context): readonly Operator[] => {
  const read = parseOperators(entries);
  if ('operators' in read) return read.operators;
  context.addIssue(read.fault);
  return z.NEVER;
});

export const networkList = commaList.refine(
  (networks) => networks.every(isNetwork),
  'has an entry that is not an address: write 10.0.0.7 or 10.1.0.0/16',
);

function isNetwork(written: string): boolean {
  const [, address = '', bits = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(written) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

/** `endpoint=value,…`; an endpoint may occur more than once. @param valueProblem returns what is wrong with a value, or null. */
export const valuesByEndpoint = (valueProblem: (value: string) => string | null) =>
  commaList.transform((entries, context): readonly (readonly [endpoint: string, value: string])[] =>
    entries.flatMap((entry) => {
      const cut = entry.indexOf('=');
      const [endpoint, value] = [entry.slice(0, Math.max(cut, 0)), entry.slice(cut + 1)];
      const problem = webhookNameProblem(endpoint) ?? valueProblem(value);
      if (problem === null) return [[endpoint, value] as const];
      context.addIssue(`has an entry that ${problem}`); // The entry itself may hold a secret.
      return [];
    }),
  );

const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/;
/** Headers that the transport sets, or that would change what a request means. */
const FIXED_HEADERS =
  /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|range|accept-encoding)$/;

/** `host=header:secret,…`; a host may occur more than once. */
export const headersByHost = commaList.transform((entries, context): readonly SourceHeader[] =>
  entries.flatMap((entry) => {
    const [, host = '', header = '', secret = ''] = /^([^=]*)=([\w-]+):([A-Za-z0-9][\w.-]{0,99})$/.exec(entry) ?? [];
    const name = header.toLowerCase();
    if (!HOST.test(host) || name === '')
      context.addIssue(
        'has an entry that is not host=header:secret: write files.example.com=authorization:files-token',
      );
    else if (FIXED_HEADERS.test(name))
      context.addIssue(`sets the header ${name}, which Bestframe sets itself: remove it`);
    else return [{ host: host.replace(/:443$/, ''), name, secret }];
    return [];
  }),
);

export const hostList = commaList.transform((hosts, context): string[] => {
  const wrong = hosts.find((host) => !/^(?!\*)[A-Za-z0-9._:[\]/-]+$/.test(host));
  if (wrong !== undefined)
    context.addIssue(`has "${wrong}", which is not a host: write names, addresses or CIDR blocks, e.g. 10.0.7.0/24`);
  return hosts;
});

function isHttpUrl(written: string): boolean {
  try {
    const url = new URL(written);
    return /^https?:$/.test(url.protocol) && url.host !== '';
  } catch {
    return false;
  }
}

function isRegion(name: string): name is Region {
  return (REGIONS as readonly string[]).includes(name);
}

export const pricePerAction = z.string().transform((written, context): Prices['perCall'] => {
  const read = parsePrices(written);
  if (typeof read !== 'string') return read;
  context.addIssue(read);
  return z.NEVER;
});

export const budgetList = z.string().transform((written, context): readonly Budget[] => {
  const read = parseBudgets(written);
  if (typeof read !== 'string') return read;
  context.addIssue(read);
  return z.NEVER;
});

export const utcOffset = z
  .string()
  .refine(
    (hours) => /^-?\d{1,2}$/.test(hours) && Number(hours) >= -12 && Number(hours) <= 14,
    'is not a whole number of hours from -12 to 14: write 8 for UTC+8',
  )
  .transform(Number);
