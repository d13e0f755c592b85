/**
 * What can be judged before anything is stored: the files, where this process sees them, and the hosts behind https sources.
 * The worker judges again; this only spares the caller a round through the queue.
 */
import { resourcesOf } from '../domain/actions.ts';
import { publicHostProblem } from '../domain/addresses.ts';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';
import type { Verification } from '../domain/verification.ts';
import { inspectFile } from '../storage/file-source.ts';
import { maybePublic } from '../transport/lookup.ts';

export interface BorderOptions {
  readonly fileRoots?: readonly string[];
  /** False where names mean something else here than at the worker: only what is written is judged then. */
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
    if (source.from === 'https') await checkHost(source.url, `${field}.url`, options.checkHosts ?? true);
  }
}

async function checkHost(url: string, field: string, resolve: boolean): Promise<void> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const problem = publicHostProblem(host);
  if (problem !== null) throw inputFailure(CODES.ADDRESS_FORBIDDEN, field, `${field} ${problem}`);
  if (!resolve || (await maybePublic(host))) return;
  const message = `${field} leads to a private address: use a host on the public network`;
  throw inputFailure(CODES.ADDRESS_FORBIDDEN, field, message);
}
