import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface DeliveryResult {
  /** Id of one try. A try counts once, even if it is reported twice. */
  readonly deliveryId: string;
  /** `gone`: the endpoint answered 410. */
  readonly outcome: 'ok' | 'failed' | 'gone';
  readonly code: string;
  readonly failuresBeforeRest: number;
  readonly firstRestMs: number;
  readonly longestRestMs: number;
}

/** How the report changes the endpoint. */
export type DeliveryAnswer = 'rests' | 'recovered' | 'disabled' | 'unchanged';

export async function recordDelivery(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  endpoint: string,
  result: DeliveryResult,
): Promise<DeliveryAnswer> {
  const keys = { endpoint: names.webhook(endpoint) };
  return (await runScript(redis, 'record-delivery', keys, { ...result })) as DeliveryAnswer;
}
