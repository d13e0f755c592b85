/**
 * What a bucket is set to, looked at and changed: there or not, who may read it, versioning, lifecycle. For checks and for
 * setting one up; workers need none of it.
 *
 * 1. Rules of others are kept to the letter: what was read is written back as it was, with ours added. Where not all could
 *    be read, nothing is written.
 * 2. Everything here may be repeated.
 */
import { createHash } from 'node:crypto';
import COS from 'cos-nodejs-sdk-v5';
import { z } from 'zod';
import { REGIONS, type Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { refusalOf } from '../transport/cos-answers.ts';
import { withQuickRetries } from '../transport/retry.ts';
import type { Transport, TransportResponse } from '../transport/transport.ts';
import { type Method, plainLink, type Signing, type SigningKeys, signedLink } from './signing.ts';

export type Versioning = 'never' | 'on' | 'suspended';

export interface LifecycleRule {
  readonly id: string | null;
  readonly enabled: boolean;
  /** Whose objects it deletes; null where more than a prefix chooses them. */
  readonly prefix: string | null;
  /** After how many days; null where it deletes none. */
  readonly days: number | null;
  /** As it was read. */
  readonly xml: string;
}

export interface BucketSettings {
  readonly name: string;
  readonly region: Region;
  /** Among the regions of the API; null where it is in none of them. @throws Failure where the keys may not know. */
  locate(signal: AbortSignal): Promise<Region | null>;
  /** A private one, in this region. */
  create(signal: AbortSignal): Promise<void>;
  /** Whether everybody may read or write, by its ACL. */
  isPublic(signal: AbortSignal): Promise<boolean>;
  makePrivate(signal: AbortSignal): Promise<void>;
  versioning(signal: AbortSignal): Promise<Versioning>;
  suspendVersioning(signal: AbortSignal): Promise<void>;
  rules(signal: AbortSignal): Promise<readonly LifecycleRule[]>;
  /** Writes exactly these. @param rules each a `<Rule>` element. */
  writeRules(rules: readonly string[], signal: AbortSignal): Promise<void>;
  /** Status of a GET without a signature. */
  statusForStrangers(key: string, signal: AbortSignal): Promise<number>;
}

const LINK_MS = 60_000;
const MAX_XML_BYTES = 1024 * 1024;
const EVERYBODY = /qcs::cam::anyone:anyone|\/groups\/global\/(?:AllUsers|AuthenticatedUsers)/;

export interface BucketSettingsOptions {
  readonly name: string;
  readonly region: Region;
  readonly credentials: SigningKeys;
  readonly transport: Transport;
}

export function bucketSettings({ name, region, credentials, transport }: BucketSettingsOptions): BucketSettings {
  interface Asking extends Partial<Signing> {
    readonly method: Method;
    readonly in?: Region;
    readonly body?: string;
    /** Statuses that are no refusal, beside 2xx. */
    readonly fine?: readonly number[];
  }

  async function ask(asking: Asking, signal: AbortSignal): Promise<TransportResponse> {
    const { method, query, body, headers = {}, fine = [] } = asking;
    const content = body === undefined ? {} : { 'content-md5': createHash('md5').update(body).digest('base64') };
    const signed = { ...headers, ...content };
    const place = { bucket: name, region: asking.in ?? region, key: '' };
    const signing = { method, place, ttlMs: LINK_MS, headers: signed, ...(query === undefined ? {} : { query }) };
    const url = await signedLink(credentials, signing);
    const bytes = Buffer.from(body ?? '');
    const sent =
      method === 'PUT'
        ? {
            headers: { ...signed, 'content-type': 'application/xml', 'content-length': String(bytes.byteLength) },
            body: once(bytes),
          }
        : { headers: signed };
    const response = await transport.request({ method, url, purpose: 'link', signal, ...sent });
    if (response.status < 300 || fine.includes(response.status)) return response;
    throw await refusalOf(response);
  }

  const done = (asking: Asking, signal: AbortSignal) =>
    withQuickRetries(async () => {
      const response = await ask(asking, signal);
      await response.dump();
      return response.status;
    }, signal);

  const read = (setting: 'acl' | 'lifecycle' | 'versioning', signal: AbortSignal) =>
    withQuickRetries(
      async () => (await ask({ method: 'GET', query: { [setting]: '' } }, signal)).text(MAX_XML_BYTES),
      signal,
    );

  return {
    name,
    region,

    async locate(signal) {
      for (const where of [region, ...REGIONS.filter((other) => other !== region)]) {
        const status = await done({ method: 'HEAD', in: where, fine: [301, 404] }, signal);
        if (status < 300) return where;
      }
      return null;
    },

    async create(signal) {
      await done({ method: 'PUT', headers: { 'x-cos-acl': 'private' } }, signal);
    },

    async isPublic(signal) {
      return EVERYBODY.test(await read('acl', signal));
    },

    async makePrivate(signal) {
      await done({ method: 'PUT', query: { acl: '' }, headers: { 'x-cos-acl': 'private' } }, signal);
    },

    async versioning(signal) {
      const xml = await read('versioning', signal);
      const status = /<Status>\s*(\w+)\s*<\/Status>/.exec(xml)?.[1];
      if (status === 'Enabled') return 'on';
      return status === 'Suspended' ? 'suspended' : 'never';
    },

    async suspendVersioning(signal) {
      const body = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>';
      await done({ method: 'PUT', query: { versioning: '' }, body }, signal);
    },

    async rules(signal) {
      try {
        return parseRules(await read('lifecycle', signal));
      } catch (error) {
        if (error instanceof Failure && error.code === 'NoSuchLifecycleConfiguration') return [];
        throw error;
      }
    },

    async writeRules(rules, signal) {
      const body = `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`;
      await done({ method: 'PUT', query: { lifecycle: '' }, body }, signal);
    },

    statusForStrangers(key, signal) {
      return withQuickRetries(async () => {
        const url = plainLink({ bucket: name, region, key });
        const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
        await response.dump();
        return response.status;
      }, signal);
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

// ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const text = z.string().optional();

/** As the SDK's reader makes it: an element without content is an empty text. */
const ruleShape = z.object({
  Rule: z.object({
    ID: text,
    Status: z
      .string()
      .trim()
      .pipe(z.enum(['Enabled', 'Disabled'])),
    Prefix: text,
    Filter: z.union([z.literal(''), z.object({ Prefix: text }).loose()]).optional(),
    Expiration: z.object({ Days: z.coerce.number().optional() }).loose().optional(),
  }),
});

/** @throws Failure MALFORMED_REPLY where not all of it is understood: whoever writes back must not lose a rule. */
function parseRules(xml: string): LifecycleRule[] {
  const inner = /<LifecycleConfiguration[^>]*>([\s\S]*)<\/LifecycleConfiguration>\s*$/.exec(xml)?.[1];
  if (inner === undefined) {
    if (/<LifecycleConfiguration[^>]*\/>\s*$/.test(xml)) return [];
    throw unreadable();
  }
  const elements = inner.match(/<Rule>[\s\S]*?<\/Rule>/g) ?? [];
  if (inner.replace(/<Rule>[\s\S]*?<\/Rule>/g, '').trim() !== '') throw unreadable();
  return elements.map(parseRule);
}

function parseRule(xml: string): LifecycleRule {
  const parsed = ruleShape.safeParse(elementsOf(xml));
  if (!parsed.success) throw unreadable();
  const { ID, Status, Prefix, Filter = '', Expiration } = parsed.data.Rule;
  const { Prefix: inFilter, ...narrower } = Filter === '' ? {} : Filter;
  return {
    id: ID ?? null,
    enabled: Status === 'Enabled',
    prefix: Object.keys(narrower).length > 0 ? null : (inFilter ?? Prefix ?? ''),
    days: Expiration?.Days ?? null,
    xml,
  };
}

function elementsOf(xml: string): unknown {
  try {
    return COS.util.xml2json(xml);
  } catch {
    throw unreadable(); // its own words quote the content
  }
}

function unreadable(): Failure {
  const facts = { service: 'cos', channel: 'local', code: CODES.MALFORMED_REPLY, sent: 'answered' } as const;
  return new Failure(facts, 'the bucket’s lifecycle rules cannot be read as a whole: nothing was written');
}
