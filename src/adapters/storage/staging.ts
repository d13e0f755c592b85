/**
 * Keeps files that were uploaded over HTTP until no worker needs them: in a folder (`staging-folder.ts`), or in the company's own
 * buckets (`staging-bucket.ts`). Loads no SDK.
 *
 * What must hold, wherever the files are:
 * 1. A file that was kept is complete and durable.
 * 2. Each file has its own name, even if the same request arrives twice at once: no request can replace, use or remove another
 *    request's file. One of these requests wins the claim, and its record names the files that are used.
 * 3. Files that are no longer needed can be found by name alone, even after a crash.
 */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { ResourceName, ResourceRule } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Source } from '../../domain/verification/sources.ts';
import type { Digest } from './hashing.ts';

/** The verification that a file was sent with. */
export interface StagingOwner {
  readonly id: string;
  readonly region: Region;
  readonly tenant: string | null;
}

export interface Received extends Digest {
  /**
   * Gives the file its final name.
   * @param payload fingerprint of the request.
   * @throws Failure NO_BUCKET if files are staged in buckets, and the region has none
   */
  keep(owner: StagingOwner, payload: string): Promise<KeptFile>;
  /** Checks the file against the size limit of another rule. @throws Failure SOURCE_TOO_LARGE naming `field` */
  refuseLarger(rule: ResourceRule, field: string): void;
  /** Removes a file that was not kept. Idempotent. */
  discard(): Promise<void>;
}

export interface KeptFile {
  /** Path of the file, or `cos:<region>/<bucket>/<key>`. */
  readonly path: string;
  /** By which the workers read the file. */
  readonly source: Source;
  /**
   * A source that is the same for every replay of the request. The verification's fingerprint is computed with this source instead
   * of `source`.
   */
  readonly replaySource: Source;
}

export interface StagedFile {
  readonly id: string;
  /** As in {@link KeptFile}. */
  readonly path: string;
  readonly ageMs: number;
}

export interface Staging {
  /**
   * Reads a resource completely, or up to its size limit.
   * @throws Failure SOURCE_TOO_LARGE, SOURCE_EMPTY, SOURCE_WRONG_KIND, … naming `field`; STAGING_FULL, STAGING_UNWRITABLE,
   * SPOOL_FULL, SPOOL_UNWRITABLE
   */
  receive(name: ResourceName, rule: ResourceRule, field: string, pieces: AsyncIterable<Uint8Array>): Promise<Received>;
  /** Whether a source in a request leads to where files are staged. The source is not validated yet. */
  holds(source: Readonly<Record<string, unknown>>): boolean;
  /** Lists the files that have their final name. Removes stale partial files of killed processes. */
  list(): Promise<StagedFile[]>;
  /** Removes files. A missing file is not an error. */
  remove(files: readonly Pick<StagedFile, 'path'>[]): Promise<void>;
}

/** @throws Failure SOURCE_OUTSIDE_ROOTS if the file is staged: it belongs to the verification with which it was uploaded. */
export function refuseStaged(staging: Staging | null, source: Readonly<Record<string, unknown>>, field: string): void {
  if (staging?.holds(source) !== true) return;
  const message = `${field} is in the staging folder: send the file with the verification, or name one outside it`;
  throw inputFailure(CODES.SOURCE_OUTSIDE_ROOTS, field, message);
}
