import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** @param tokens how many tokens the request costs. One of them must be there. @returns ms until the next token; 0 if the request may proceed. Null if there is no such key. */
export async function takeRequestToken(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  apiKeyId: string,
  { perSecond, burst, tokens }: { perSecond: number; burst: number; tokens: number },
): Promise<number | null> {
  const reply = await runScript(
    redis,
    'take-request-token',
    { apiKey: names.apiKey(apiKeyId) },
    { perSecond, burst, tokens },
  );
  const waitMs = Number(reply);
  return waitMs < 0 ? null : waitMs;
}
