/**
 * read: the first stage of a call that carries its files. Opens, hashes and checks all sources, and uploads nothing. A later attempt
 * reads the sources again, and they must be the same.
 */
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { livenessParameters } from '../../domain/verification/actions.ts';
import type { CallBody } from '../../domain/verification/call-body.ts';
import type { UploadOutcome } from '../../domain/verification/outcomes.ts';
import type { StageInput } from './context.ts';
import { encodeResources, type OpenedResource, refuseSameBytes } from './resources.ts';

export function read(opened: readonly OpenedResource[]): UploadOutcome {
  refuseSameBytes(opened);
  return {
    resources: Object.fromEntries(
      opened.map(({ name, source: { sizeBytes, md5 } }) => [name, { bytes: sizeBytes, md5 }]),
    ),
  };
}

/**
 * md5 of such a call: the files are those that `read` found, and fit into one request as Base64.
 * @returns the body of the call
 */
export async function md5OfFiles(
  { order, outcomes }: StageInput,
  opened: readonly OpenedResource[],
): Promise<CallBody> {
  for (const { name, source } of opened) {
    if (outcomes.upload?.resources[name]?.md5 === source.md5) continue;
    throw localFailure(CODES.SOURCE_CHANGED, `resources.${name} is not the file that was read before`, {
      service: 'source',
      field: `resources.${name}`,
    });
  }
  return encodeResources(opened, order.liveness === undefined ? {} : livenessParameters(order.liveness));
}
