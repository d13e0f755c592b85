/**
 * Reads and changes the settings of a bucket: existence, access, versioning, lifecycle. The doctor and the bucket setup use
 * it; workers do not.
 *
 * What must hold:
 * 1. Lifecycle rules that others wrote are preserved exactly: the rules are written back as they were read. If any rule cannot be
 *    parsed, nothing is written.
 * 2. Every method can be repeated.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { REGIONS, type Region } from '../../domain/verification/regions.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import type { TransportResponse } from '../http/transport.ts';
import { type BucketAccess, type BucketRequest, readCosFailure, sendToBucket } from './cos-requests.ts';
import { parseXml } from './cos-xml.ts';
import { type LifecycleRule, parseLifecycleRules } from './lifecycle-rules.ts';
import { unsignedLink } from './sign-link.ts';

export type Versioning = 'never' | 'on' | 'suspended';

export interface BucketSettings {
  readonly name: string;
  readonly region: Region;
  /**
   * Finds the region of the bucket. Null if the bucket is in none of the API's regions.
   * @throws Failure if the keys have no permission to access the bucket.
   */
  locate(signal: AbortSignal): Promise<Region | null>;
  /** Creates the bucket in its region. The new bucket is private. */
  create(signal: AbortSignal): Promise<void>;
  /** Whether the ACL lets everyone read or write. */
  isPublic(signal: AbortSignal): Promise<boolean>;
  makePrivate(signal: AbortSignal): Promise<void>;
  versioning(signal: AbortSignal): Promise<Versioning>;
  suspendVersioning(signal: AbortSignal): Promise<void>;
  rules(signal: AbortSignal): Promise<readonly LifecycleRule[]>;
  /** Replaces all rules. @param rules `<Rule>` elements. */
  writeRules(rules: readonly string[], signal: AbortSignal): Promise<void>;
  /** The status of a GET without a signature. */
  anonymousStatus(key: string, signal: AbortSignal): Promise<number>;
}

const MAX_XML_BYTES = 1024 * 1024;
/** A grant to everyone. The pattern is matched against the ACL's raw text, so that no unexpected element can hide a grant. */
const PUBLIC_GRANTEE = /qcs::cam::anyone:anyone|\/groups\/global\/(?:AllUsers|AuthenticatedUsers)/;

const versioningAnswer = z.strictObject({
  VersioningConfiguration: z.union([
    z.string().transform(() => undefined),
    z.object({ Status: z.string().trim().optional() }).transform(({ Status }) => Status),
  ]),
});

export function createBucketSettings(bucket: BucketAccess): BucketSettings {
  return new CosBucketSettings(bucket);
}

class CosBucketSettings implements BucketSettings {
  readonly #bucket: BucketAccess;

  constructor(bucket: BucketAccess) {
    this.#bucket = bucket;
  }

  get name(): string {
    return this.#bucket.name;
  }

  get region(): Region {
    return this.#bucket.region;
  }

  async locate(signal: AbortSignal): Promise<Region | null> {
    for (const candidate of [this.region, ...REGIONS.filter((other) => other !== this.region)]) {
      const status = await this.#run({ method: 'HEAD', region: candidate, expectedStatuses: [301, 404] }, signal);
      if (status < 300) return candidate;
    }
    return null;
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.#run({ method: 'PUT', headers: { 'x-cos-acl': 'private' } }, signal);
  }

  async isPublic(signal: AbortSignal): Promise<boolean> {
    return PUBLIC_GRANTEE.test(await this.#read('acl', signal));
  }

  async makePrivate(signal: AbortSignal): Promise<void> {
    await this.#run({ method: 'PUT', query: { acl: '' }, headers: { 'x-cos-acl': 'private' } }, signal);
  }

  async versioning(signal: AbortSignal): Promise<Versioning> {
    return parseVersioning(await this.#read('versioning', signal));
  }

  async suspendVersioning(signal: AbortSignal): Promise<void> {
    const xml = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>';
    await this.#run({ method: 'PUT', query: { versioning: '' }, xml }, signal);
  }

  async rules(signal: AbortSignal): Promise<readonly LifecycleRule[]> {
    try {
      return parseLifecycleRules(await this.#read('lifecycle', signal));
    } catch (error) {
      if (error instanceof Failure && error.code === 'NoSuchLifecycleConfiguration') return [];
      throw error;
    }
  }

  async writeRules(rules: readonly string[], signal: AbortSignal): Promise<void> {
    const xml = `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`;
    await this.#run({ method: 'PUT', query: { lifecycle: '' }, xml }, signal);
  }

  anonymousStatus(key: string, signal: AbortSignal): Promise<number> {
    return withQuickRetries(async () => {
      const url = unsignedLink({ bucket: this.name, region: this.region, key });
      const response = await this.#bucket.transport.request({ method: 'GET', url, purpose: 'link', signal });
      await response.dump();
      return response.status;
    }, signal);
  }

  #read(setting: 'acl' | 'lifecycle' | 'versioning', signal: AbortSignal): Promise<string> {
    return withQuickRetries(async () => {
      const response = await this.#send({ method: 'GET', query: { [setting]: '' } }, signal);
      return response.text(MAX_XML_BYTES);
    }, signal);
  }

  /** @returns the HTTP status of the answer. */
  #run(request: SettingsRequest, signal: AbortSignal): Promise<number> {
    return withQuickRetries(async () => {
      const response = await this.#send(request, signal);
      await response.dump();
      return response.status;
    }, signal);
  }

  async #send(
    { xml, expectedStatuses = [], ...request }: SettingsRequest,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const response = await sendToBucket(this.#bucket, { ...request, ...bodyFor(request, xml) }, signal);
    if (response.status < 300 || expectedStatuses.includes(response.status)) return response;
    throw await readCosFailure(response);
  }
}

interface SettingsRequest extends Pick<BucketRequest, 'method' | 'query' | 'headers' | 'region'> {
  readonly xml?: string;
  /** Statuses that are not a failure, in addition to 2xx. */
  readonly expectedStatuses?: readonly number[];
}

function bodyFor({ method, headers }: SettingsRequest, xml = ''): Partial<BucketRequest> {
  if (method !== 'PUT') return {};
  const bytes = Buffer.from(xml);
  const md5 = xml === '' ? {} : { 'content-md5': createHash('md5').update(bytes).digest('base64') };
  return {
    headers: { ...headers, ...md5 },
    unsignedHeaders: { 'content-type': 'application/xml', 'content-length': String(bytes.byteLength) },
    body: Readable.from([bytes]),
  };
}

function parseVersioning(xml: string): Versioning {
  const answer = parseXml(xml, versioningAnswer);
  if (answer === null) {
    const message = 'the bucket’s versioning cannot be read: check the endpoint and the proxy';
    throw localFailure(CODES.MALFORMED_REPLY, message, { service: 'cos', sent: 'answered' });
  }
  if (answer.VersioningConfiguration === 'Enabled') return 'on';
  return answer.VersioningConfiguration === 'Suspended' ? 'suspended' : 'never';
}
