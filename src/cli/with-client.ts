import { openClient } from '../app/client.ts';
import { type Config, readConfig } from '../app/config.ts';
import type { BestframeClient } from '../client/redis/client.ts';
import type { Env } from './env.ts';

/** Opens a client for one command and closes it afterwards. @throws Failure INVALID_SETTINGS */
export async function withClient(
  env: Env,
  run: (client: BestframeClient, config: Config) => Promise<void>,
): Promise<void> {
  const config = readConfig(env);
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`);
  const client = openClient(config);
  try {
    await run(client, config);
  } finally {
    await client.close();
  }
}
