import { LOGIN_WINDOW_MS, type LoginLimits, type LoginTry } from '../../domain/operations/login-limits.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Counts a try as failed. @returns ms until the next try may be checked; 0 if this one may. */
export async function takeLoginTry(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  who: LoginTry,
  { pair, address, user }: LoginLimits,
): Promise<number> {
  const args = { pairLimit: pair, addressLimit: address, userLimit: user, windowMs: LOGIN_WINDOW_MS };
  return Number(await runScript(redis, 'take-login-try', names.loginTries(who), args));
}
