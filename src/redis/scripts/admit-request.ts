import type { Mode } from '../../domain/verification/mode.ts';
import { parseKey, type StoredKey } from '../api-key-store.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Size of a burst of requests: as many as the rate allows in this many seconds. */
const BURST_S = 2;

export interface RequestAdmission {
  readonly stored: StoredKey;
  /** Ms until the next token; 0 if the request may proceed. */
  readonly waitMs: number;
}

/**
 * @param hash of the request's secret; null if the request was admitted before, and is charged for more tokens.
 * @returns null if the key is unknown, expired or revoked, or the secret is wrong.
 */
export async function admitRequest(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  id: string,
  { hash, mode, tokens }: { readonly hash: string | null; readonly mode: Mode; readonly tokens: number },
): Promise<RequestAdmission | null> {
  const args = { step: hash === null ? 'charge' : 'admit', hash: hash ?? '', mode, burstSeconds: BURST_S, tokens };
  const [waitMs, ...flat] = (await runScript(redis, 'admit-request', { apiKey: names.apiKey(id) }, args)) as [
    number,
    ...string[],
  ];
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] ?? ''] = flat[i + 1] ?? '';
  const stored = parseKey(id, fields);
  return waitMs < 0 || stored === null ? null : { stored, waitMs };
}
