/**
 * Stages files in the company's own bucket of the verification's region, so that API and workers need no common disk. While a file
 * arrives, its bytes are checked, hashed and written to a private unnamed file. Only when all of it has arrived, it is sent to the
 * bucket by one PUT with Content-MD5: bytes that are refused never reach the bucket, and a broken upload leaves no object.
 *
 * Objects are named `<folder>/[t/<tenant>/]<id>/<resource>.<fingerprint>.<random>`. The folder lies outside the folder for
 * uploads, whose lifecycle rule deletes objects after one day: a staged file is needed until its verification has ended.
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { tenantFolder } from '../../domain/operations/tenants.ts';
import type { LinkIo, PutHead } from '../../domain/ports.ts';
import { RESOURCE_NAMES, type ResourceName, type ResourceRule } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { type CosSource, sourceIdentity } from '../../domain/verification/sources.ts';
import type { CheckedBucket } from './bucket.ts';
import { ContentCheck, checkMaxSize } from './content-checks.ts';
import { readAll } from './read-file.ts';
import { spool } from './spool.ts';
import type { KeptFile, StagedFile, Staging, StagingOwner } from './staging.ts';

export interface StagingBucketOptions {
  /** Folder in the buckets, without a slash at its end. */
  readonly folder: string;
  /** The company's own buckets, by region. */
  readonly buckets: ReadonlyMap<Region, CheckedBucket>;
  readonly links: LinkIo;
  /** @default the system's temporary folder */
  readonly spoolDir?: string | undefined;
}

const LINK_TTL_MS = 10 * 60_000;
const PUT_MS = 60_000;
const LIST_MS = 10 * 60_000;
const REMOVE_MS = 30_000;
/** Objects that one process deletes at the same time. */
const DELETIONS = 16;
const NAME = new RegExp(
  `^(?:t/[^/]+/)?(v[0-9a-z]{25})/(?:${RESOURCE_NAMES.join('|')})\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{22}$`,
);

export function openStagingBucket(options: StagingBucketOptions): Staging {
  return new StagingBucket(options);
}

class StagingBucket implements Staging {
  readonly #options: StagingBucketOptions;
  readonly #start: string;
  /** Buckets that listed a version. In these, an object is deleted with all its versions. */
  readonly #versioned = new Set<CheckedBucket>();

  constructor(options: StagingBucketOptions) {
    this.#options = options;
    this.#start = `${options.folder}/`;
  }

  async receive(name: ResourceName, rule: ResourceRule, field: string, pieces: AsyncIterable<Uint8Array>) {
    const { spoolDir = tmpdir() } = this.#options;
    const check = new ContentCheck({ rule, field });
    const { file, digest } = await spool(check.watch(pieces), { path: spoolDir, kind: 'spool' });
    let isOpen = true;
    const discard = async () => {
      if (isOpen) await file.close();
      isOpen = false;
    };
    try {
      check.conclude(digest);
    } catch (error) {
      await discard();
      throw error;
    }
    return {
      ...digest,
      refuseLarger: (other: ResourceRule, otherField: string) =>
        checkMaxSize(digest.sizeBytes, { rule: other, field: otherField }),
      keep: (owner: StagingOwner, payload: string) =>
        this.#put(`${name}.${payload}`, owner, () => readAll(file), { ...digest, contentType: rule.contentType }),
      discard,
    };
  }

  holds({ bucket, key }: Readonly<Record<string, unknown>>): boolean {
    if (typeof key !== 'string' || !key.startsWith(this.#start)) return false;
    return [...this.#options.buckets.values()].some(({ name }) => name === bucket);
  }

  async list(): Promise<StagedFile[]> {
    const files: StagedFile[] = [];
    for (const bucket of this.#options.buckets.values())
      for await (const file of this.#listOne(bucket)) files.push(file);
    return files;
  }

  async remove(files: readonly Pick<StagedFile, 'path'>[]): Promise<void> {
    for (let at = 0; at < files.length; at += DELETIONS)
      await Promise.all(files.slice(at, at + DELETIONS).map(({ path }) => this.#removeOne(path)));
  }

  async #put(
    name: string,
    { id, region, tenant }: StagingOwner,
    body: () => AsyncIterable<Uint8Array>,
    head: PutHead,
  ): Promise<KeptFile> {
    const bucket = this.#requireBucket(region);
    const replayKey = `${tenantFolder(this.#options.folder, tenant)}/${id}/${name}`;
    const key = `${replayKey}.${randomBytes(16).toString('base64url')}`;
    if (!NAME.test(key.slice(this.#start.length))) throw new Error('`list` would not find an object with this name');
    const link = await bucket.signPut(key, LINK_TTL_MS);
    await this.#options.links.put(link, body, { ...head, owner: id }, AbortSignal.timeout(PUT_MS));
    const source = sourceOf(bucket, key);
    return { path: sourceIdentity(source), source, replaySource: sourceOf(bucket, replayKey) };
  }

  #requireBucket(region: Region): CheckedBucket {
    const bucket = this.#options.buckets.get(region);
    if (bucket !== undefined) return bucket;
    const message = `there is no own bucket for ${region}, so no files can be sent: set BESTFRAME_BUCKETS, or name sources`;
    throw localFailure(CODES.NO_BUCKET, message, { field: 'region' });
  }

  async *#listOne(bucket: CheckedBucket): AsyncGenerator<StagedFile> {
    const now = Date.now();
    let last = '';
    for await (const { key, versionId, modifiedAt } of bucket.list(this.#start, AbortSignal.timeout(LIST_MS))) {
      if (versionId !== '') this.#versioned.add(bucket);
      const [, id] = NAME.exec(key.slice(this.#start.length)) ?? [];
      if (id === undefined || key === last) continue; // the newest version of each object is listed first
      last = key;
      yield { id, path: pathOf(bucket, key), ageMs: now - modifiedAt };
    }
  }

  async #removeOne(path: string): Promise<void> {
    for (const bucket of this.#options.buckets.values()) {
      if (!path.startsWith(pathOf(bucket, this.#start))) continue;
      const key = path.slice(pathOf(bucket, '').length);
      const signal = AbortSignal.timeout(REMOVE_MS);
      await bucket.remove(key, signal);
      if (this.#versioned.has(bucket)) await bucket.removeVersions(key, signal);
    }
  }
}

function sourceOf({ name, region }: CheckedBucket, key: string): CosSource {
  return { from: 'cos', bucket: name, region, key };
}

function pathOf(bucket: CheckedBucket, key: string): string {
  return sourceIdentity(sourceOf(bucket, key));
}
