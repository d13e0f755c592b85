import type { LoginTry } from '../../domain/operations/login-limits.ts';
import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

/** Gives back a try that succeeded. */
export async function returnLoginTry(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  who: LoginTry,
): Promise<void> {
  await runScript(redis, 'return-login-try', names.loginTries(who), { least: 0 });
}
