/**
 * Provides one Redis for all test files of a project as `inject('redisUrl')`: the one at REDIS_URL, or else a private
 * one.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type {} from 'vitest'; // for the augmentation below
import type { TestProject } from 'vitest/node';
import { provideRedis } from '../../src/dev/local-redis.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = join(import.meta.dirname, '..', '..', '.bestframe');
  // All projects of a run share one process, so the folder needs the project's name too.
  const dir = join(home, `test-${process.pid}-${project.name}`);
  const redis = await provideRedis({
    redisUrl: process.env.REDIS_URL,
    dir: join(dir, 'redis'),
    cacheDir: join(home, 'cache'),
    appendonly: false,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  project.provide('redisUrl', redis.url);
  return async () => {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  };
}
