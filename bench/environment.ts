/** What a figure is measured with. */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import type { openClient } from '../src/app/client.ts';
import type { readConfig } from '../src/app/config.ts';
import { recordMode } from '../src/redis/deployment-mode.ts';
import { createNames } from '../src/redis/names.ts';

/** A build of Bestframe: this one, or an older one that it is compared with. */
export interface Build {
  readonly name: string;
  /** The folder of its worker entry points. */
  readonly workersDir: string;
  readonly cli: string;
  /** The entry of the client over Redis, as a backend imports it, and of the client over HTTP. */
  readonly entries: { readonly redis: string; readonly http: string };
  readonly openClient: typeof openClient;
  readonly readConfig: typeof readConfig;
}

export interface BenchEnvironment {
  /** The folder for everything that the figure writes. */
  readonly dir: string;
  readonly cacheDir: string;
  readonly redisUrl: string;
  readonly build: Build;
  /** Whether one short sample is enough. */
  readonly isQuick: boolean;
  /** How many verifications the figure `depth` queues. */
  readonly queued: number;
}

/** For what takes longer to prepare than to measure, such as a long queue: all samples of a build share what the first one prepared. */
export function oncePerBuild<T>(prepare: (environment: BenchEnvironment) => Promise<T>) {
  const prepared = new Map<string, Promise<T>>();
  return (environment: BenchEnvironment): Promise<T> => {
    const { name } = environment.build;
    const once = prepared.get(name) ?? prepare(environment);
    prepared.set(name, once);
    return once;
  };
}

/** Records the mode, as the first worker of a deployment does. Until then, each enqueue asks Redis for the mode. */
export async function recordTestMode(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    await recordMode({ redis, names: createNames(prefix) }, 'test');
  } finally {
    redis.disconnect();
  }
}

/** @param dist the folder `dist` of a checkout. */
export async function loadBuild(name: string, dist: string): Promise<Build> {
  const at = (path: string) => join(resolve(dist), path);
  const load = async <T>(path: string) => (await import(pathToFileURL(at(path)).href)) as T;
  const client = await load<{ openClient: typeof openClient }>('src/app/client.js');
  const config = await load<{ readConfig: typeof readConfig }>('src/app/config.js');
  return {
    name,
    workersDir: `${at('workers')}/`,
    cli: at('src/cli/main.js'),
    entries: { redis: at('src/index.js'), http: at('src/client/http/index.js') },
    openClient: client.openClient,
    readConfig: config.readConfig,
  };
}
