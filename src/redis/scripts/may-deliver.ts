import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export type DeliveryPermit =
  | { readonly kind: 'go' | 'disabled' }
  /** The endpoint rests. The delivery may be tried again after `waitMs`. */
  | { readonly kind: 'rests'; readonly waitMs: number };

export async function mayDeliver(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  endpoint: string,
  { deliveryId, probeMs }: { deliveryId: string; probeMs: number },
): Promise<DeliveryPermit> {
  const reply = await runScript(redis, 'may-deliver', { endpoint: names.webhook(endpoint) }, { deliveryId, probeMs });
  const [kind, waitMs] = reply as [DeliveryPermit['kind'], number];
  return kind === 'rests' ? { kind, waitMs } : { kind };
}
