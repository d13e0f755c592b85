/** Light sequences that are kept for some minutes under a key that the caller chose, sealed if there is a key ring. */
import type { Deployment } from './deployment.ts';

/** A kept sequence. `sequence` is absent while a request with this key is still generating it. */
export interface KeptSequence {
  /** Fingerprint of the request. A request with the same key and another fingerprint is a conflict. */
  readonly fingerprint: string;
  /** `bytes` in Base64. */
  readonly sequence?: { readonly bytes: string; readonly md5: string; readonly requestId: string };
}

const FIELD = 'sequence';

/** @returns false if a sequence or a claim exists under this id already. */
export async function claimSequence(
  { redis, names, sealer }: Deployment,
  id: string,
  kept: KeptSequence,
  ttlMs: number,
): Promise<boolean> {
  const text = sealer.seal(id, FIELD, JSON.stringify(kept));
  return (await redis.set(names.sequence(id), text, 'PX', ttlMs, 'NX')) === 'OK';
}

export async function keepSequence(
  { redis, names, sealer }: Deployment,
  id: string,
  kept: KeptSequence,
  ttlMs: number,
): Promise<void> {
  await redis.set(names.sequence(id), sealer.seal(id, FIELD, JSON.stringify(kept)), 'PX', ttlMs);
}

/** @throws Failure SEAL_KEY_MISSING */
export async function readSequence({ redis, names, sealer }: Deployment, id: string): Promise<KeptSequence | null> {
  const text = await redis.get(names.sequence(id));
  return text === null ? null : (JSON.parse(sealer.open(id, FIELD, text)) as KeptSequence);
}

export async function dropSequence({ redis, names }: Deployment, id: string): Promise<void> {
  await redis.del(names.sequence(id));
}
