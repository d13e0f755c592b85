/**
 * Checks sources before anything is stored: files that this process can read, and the hosts of https sources. The worker checks
 * again; this check only reports problems to the caller earlier.
 */

import { isPresumablyPublic } from '../../adapters/http/address-guard.ts';
import { inspectFile } from '../../adapters/storage/file-source.ts';
import { publicHostProblem } from '../../domain/addresses.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { type ResourceName, resourcesOf } from '../../domain/verification/actions.ts';
import type { Order } from '../../domain/verification/request.ts';

export interface SourceChecks {
  /** Folders in which files must lie. If absent, files are not checked. */
  readonly fileRoots?: readonly string[];
  /** Folders that the tenant's policy allows. Files must lie in one of them, too. */
  readonly within?: readonly string[];
  /** Set this to false if host names resolve differently here and on the workers: then only literal IP addresses are checked. */
  readonly checkHosts?: boolean;
  /** Resources whose sources are already checked. */
  readonly except?: readonly ResourceName[];
}

/** @throws Failure with the source's `field` */
export async function checkSources(
  verification: Pick<Order, 'action' | 'resources'>,
  options: SourceChecks,
): Promise<void> {
  for (const [name, rule] of resourcesOf(verification.action)) {
    const source = verification.resources[name];
    if (source === undefined || options.except?.includes(name)) continue;
    const field = `resources.${name}`;
    if (source.from === 'file' && options.fileRoots !== undefined) {
      await inspectFile(source, { roots: options.fileRoots, within: options.within, rule, field });
    }
    if (source.from === 'https') await checkHost(source.url, `${field}.url`, options);
  }
}

async function checkHost(url: string, field: string, { checkHosts = true }: SourceChecks): Promise<void> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const problem = publicHostProblem(host);
  if (problem !== null) throw inputFailure(CODES.ADDRESS_FORBIDDEN, field, `${field} ${problem}`);
  if (!checkHosts || (await isPresumablyPublic(host))) return;
  const message = `${field} leads to a private address: use a host on the public network`;
  throw inputFailure(CODES.ADDRESS_FORBIDDEN, field, message);
}
