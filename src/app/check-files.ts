import { readFile } from 'node:fs/promises';
import { readSecret } from '../adapters/http/index.ts';
import { localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { Config } from './config.ts';

/**
 * Reads the CA file and the secrets for sources once, so that a wrong path is reported at start and not at the first call.
 * @throws Failure INVALID_SETTINGS
 */
export async function checkFiles(config: Pick<Config, 'caFile' | 'sourceHeaders' | 'sourceHeadersDir'>): Promise<void> {
  const { caFile, sourceHeaders, sourceHeadersDir: dir = '' } = config;
  for (const { secret } of sourceHeaders) {
    if ((await readSecret(dir, secret)) !== null) continue;
    const message = `BESTFRAME_SOURCE_HEADERS names the secret ${secret}, whose file in BESTFRAME_SOURCE_HEADERS_DIR has no usable value: write one line of visible ASCII characters`;
    throw localFailure(CODES.INVALID_SETTINGS, message);
  }
  if (caFile === undefined) return;
  try {
    await readFile(caFile);
  } catch (cause) {
    const message = 'BESTFRAME_CA_FILE cannot be read: give the path of a PEM file';
    throw localFailure(CODES.INVALID_SETTINGS, message, { cause });
  }
}
