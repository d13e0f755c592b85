/** Checks a record before anything is uploaded or paid. The checks cost nothing. */
import { type Failure, inputFailure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { checkPlaces, stagedResources } from '../domain/operations/tenants.ts';
import { modeMismatch } from '../domain/verification/mode.ts';
import { type JournalRecord, PIPELINE_VERSION } from '../redis/record.ts';
import type { AttemptTools } from './attempt-tools.ts';

/**
 * Checks that this worker may process the record. The producer of the record may differ from this worker in version, mode or
 * settings.
 *
 * @throws Failure NEWER_RECORD if the record's version is newer than this worker; MODE_MISMATCH; INVALID_VERIFICATION if a field
 * that this deployment requires is missing; PLACE_FORBIDDEN if the tenant's policy does not allow a place, or not any more;
 * FRAME_BUCKET if the frame's bucket is not the configured bucket.
 */
export function checkRecord(
  record: JournalRecord,
  { mode, demands, edges, wall }: Pick<AttemptTools, 'mode' | 'demands' | 'edges' | 'wall'>,
): void {
  if (record.version > PIPELINE_VERSION) throw newerRecord(record.version);
  if (record.mode !== mode) throw modeMismatch(record.mode, mode);
  const missing = demands.find((field) => record[field] === null);
  if (missing !== undefined) {
    const message = `${missing} is missing: this deployment requires it`;
    throw inputFailure(CODES.INVALID_VERIFICATION, missing, message);
  }
  if (record.order !== null) checkPlaces(wall, record.order, stagedResources(record.id, record.order));
  const target = record.order?.frame;
  if (target?.to === 'cos' && edges.sink.pathFor({ ...record, target }) === null) throw wrongFrameBucket(target.region);
}

function newerRecord(version: number): Failure {
  const message = `a record of version ${version} needs a newer worker: this one writes version ${PIPELINE_VERSION}`;
  return localFailure(CODES.NEWER_RECORD, message);
}

function wrongFrameBucket(region: string): Failure {
  const message = `frame.bucket is not the bucket that is configured for ${region}: use that one, or a file`;
  return inputFailure(CODES.FRAME_BUCKET, 'frame.bucket', message);
}
