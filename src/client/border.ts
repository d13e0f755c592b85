/**
 * What can be judged before anything is stored: the files, where this process sees them, and the hosts behind https sources.
 * The worker judges again; this only spares the caller a round through the queue.
 */
import { lookup } from 'node:dns/promises';
import { resourcesOf } from '../domain/actions.ts';
import { isPublicAddress, publicHostProblem } from '../domain/addresses.ts';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';
import type { Verification } from '../domain/verification.ts';
import { inspectFile } from '../storage/file-source.ts';

export interface BorderOptions {
  readonly fileRoots?: readonly string[];
  readonly checkHosts?: boolean;
}

export async function checkAtBorder(request: Verification, options: BorderOptions): Promise<void> {
  for (const [name, rule] of resourcesOf(request.action)) {
    const source = request.resources[name];
    if (source === undefined) continue;
    const field = `resources.${name}`;
    if (source.from === 'file' && options.fileRoots !== undefined) {
      await inspectFile(source.path, options.fileRoots, rule, field, source.md5);
    }
    if (source.from === 'https')
      await checkHost(new URL(source.url).hostname, `${field}.url`, options.checkHosts ?? true);
  }
}

async function checkHost(host: string, field: string, resolve: boolean): Promise<void> {
  const problem = publicHostProblem(host);
  if (problem !== null) throw inputFailure(CODES.ADDRESS_FORBIDDEN, field, `${field} ${problem}`);
  if (!resolve) return;
  let addresses: { address: string }[];
  try {
    addresses = await lookup(host, { all: true });
  } catch {
    return; // behind an egress proxy a producer may know no names; the worker's transport judges
  }
  if (addresses.every(({ address }) => isPublicAddress(address))) return;
  throw inputFailure(
    CODES.ADDRESS_FORBIDDEN,
    field,
    `${field} leads to a private address: use a host on the public network`,
  );
}
