/** The namespace of a deployment: from the configuration, or from a file that keeps it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { namespaceMissing, newNamespace } from '../domain/verification/namespace.ts';
import type { Config } from './config.ts';

/** @throws Failure INVALID_SETTINGS if none is set, which is possible only in live mode. */
export function namespaceOf({ namespace }: Pick<Config, 'namespace'>): string {
  if (namespace === undefined) throw namespaceMissing('BESTFRAME_NAMESPACE');
  return namespace;
}

export interface KeptNamespace {
  readonly namespace: string;
  readonly status: 'created' | 'kept';
}

/**
 * Creates the file with a new namespace, readable by its owner alone. An existing file is kept, so that a deployment never
 * changes its namespace.
 * @throws Failure INVALID_SETTINGS naming `--file` if the file can be neither written nor read
 */
export async function keepNamespace(file: string): Promise<KeptNamespace> {
  const namespace = newNamespace();
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${namespace}\n`, { flag: 'wx', mode: 0o400 });
    return { namespace, status: 'created' };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'EEXIST') return { namespace: await readKept(file), status: 'kept' };
    throw unusable(error);
  }
}

async function readKept(file: string): Promise<string> {
  try {
    const [line = ''] = (await readFile(file, 'utf8')).split('\n');
    if (line.trim() !== '') return line.trim();
  } catch (error) {
    throw unusable(error);
  }
  throw unusable(undefined);
}

function unusable(cause: unknown) {
  const message = '--file can be neither written nor read: give a file in a folder that this user can write';
  return localFailure(CODES.INVALID_SETTINGS, message, { field: '--file', cause });
}
