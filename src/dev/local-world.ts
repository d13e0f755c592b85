/**
 * Runs a whole deployment on this machine: private Redis, emulator, worker processes, HTTP API, dashboard. `demo`, `dev` and the
 * end-to-end tests use it. Settings alone direct the product to the emulator; the product's code is the same as in production.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openApi } from '../app/api.ts';
import { type Config, readConfig } from '../app/config.ts';
import { openDashboard } from '../app/dashboard.ts';
import { createLogger } from '../app/logger.ts';
import { keepNamespace } from '../app/namespace.ts';
import { ApiKeys } from '../client/redis/api-keys.ts';
import { SCOPES } from '../domain/operations/api-keys.ts';
import { REGIONS } from '../domain/verification/regions.ts';
import { type Emulator, startEmulator } from '../emulator/index.ts';
import type { Settings as EmulatorSettings } from '../emulator/settings.ts';
import { connectWorker, primaryNodes, waitUntilReady } from '../redis/connection.ts';
import { type ProvidedRedis, provideRedis } from './local-redis.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface LocalWorldOptions {
  /** Folder for everything that this deployment writes. */
  readonly dir: string;
  /** Folder that keeps downloaded Redis packages between runs. */
  readonly cacheDir: string;
  readonly redisUrl?: string | undefined;
  /** For a Redis server that this deployment did not start: whether to delete the deployment's keys from it at the end. */
  readonly clearRedis?: boolean;
  /** Number of verify worker processes. One erase worker runs in addition. */
  readonly workers: number;
  readonly fileRoots?: readonly string[];
  /** @default true */
  readonly dashboard?: boolean;
  readonly dashboardPort?: number;
  /** Whether to start the HTTP API and create a key for it. */
  readonly api?: boolean;
  readonly apiPort?: number;
  readonly emulatorPorts?: { readonly proxy: number; readonly control: number };
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * File that keeps the namespace between runs.
   * @default a file in `dir`
   */
  readonly namespaceFile?: string;
  readonly onStep?: (line: string) => void;
  readonly onWorkerLog?: (line: string) => void;
  /** Folder of the built worker entry points, if this code does not run from `dist`. */
  readonly workersDir?: string;
  readonly emulatorSettings?: Partial<EmulatorSettings>;
}

interface Login {
  readonly user: string;
  readonly password: string;
}

export interface LocalWorld {
  readonly redisUrl: string;
  readonly emulator: Emulator;
  /** The settings that direct the product to this deployment. */
  readonly env: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly framesDir: string;
  readonly workers: readonly WorkerProcess[];
  readonly dashboard: ({ readonly url: string } & Login) | null;
  readonly api: { readonly url: string; readonly key: string } | null;
  /** Stops all parts in reverse order of their start. Idempotent. */
  stop(): Promise<void>;
}

/** Registers the function that stops a part that was just started. */
type OnStop = (cleanup: () => Promise<unknown>) => void;

const STOP_MS = 10_000;
const REDIS_READY_MS = 5_000;

export async function startLocalWorld(options: LocalWorldOptions): Promise<LocalWorld> {
  const cleanups: (() => Promise<unknown>)[] = [];
  const onStop: OnStop = (cleanup) => cleanups.push(cleanup);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
    })();
    return stopped;
  };
  try {
    await mkdir(join(options.dir, 'inputs'), { recursive: true });
    const redis = await startRedis(options, onStop);
    const emulator = await startEmulatorIn(options, onStop);
    const framesDir = join(options.dir, 'frames');
    await mkdir(framesDir, { recursive: true });
    const login = { user: 'operator', password: randomBytes(9).toString('base64url') };
    const { namespace } = await keepNamespace(options.namespaceFile ?? join(options.dir, 'namespace'));
    const env = { ...settingsFor({ emulator, redis, framesDir, login, namespace }, options), ...options.settings };
    const config = readConfig(env);
    if (options.clearRedis === true && redis.pid === null) onStop(() => deleteKeys(config));
    const workers = await startWorkers({ ...env, NODE_EXTRA_CA_CERTS: emulator.caFile }, options, onStop);
    const dashboardUrl = options.dashboard === false ? null : await startDashboard(config, options, onStop);
    return {
      redisUrl: redis.url,
      emulator,
      env,
      config,
      framesDir,
      workers,
      dashboard: dashboardUrl === null ? null : { url: dashboardUrl, ...login },
      api: options.api === true ? await startHttpApi(config, options, onStop) : null,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startRedis(options: LocalWorldOptions, onStop: OnStop): Promise<ProvidedRedis> {
  const { redisUrl, dir, cacheDir, onStep = () => undefined } = options;
  const redis = await provideRedis({ redisUrl, dir: join(dir, 'redis'), cacheDir, appendonly: true, log: onStep });
  onStop(() => redis.stop());
  onStep(`Redis ${redis.version} (${redis.origin})${redis.pid === null ? '' : ', AOF'}`);
  return redis;
}

async function startEmulatorIn(options: LocalWorldOptions, onStop: OnStop): Promise<Emulator> {
  const { dir, emulatorPorts, emulatorSettings, onStep } = options;
  const emulator = await startEmulator({
    dir: join(dir, 'emulator'),
    proxyPort: emulatorPorts?.proxy ?? 0,
    controlPort: emulatorPorts?.control ?? 0,
    ...(emulatorSettings === undefined ? {} : { settings: emulatorSettings }),
  });
  onStop(() => emulator.close());
  onStep?.(`emulator of FaceID and COS at ${emulator.proxyUrl}`);
  return emulator;
}

/** @returns the verify workers. */
async function startWorkers(
  env: Readonly<Record<string, string>>,
  { workers: count, workersDir, onWorkerLog, onStep }: LocalWorldOptions,
  onStop: OnStop,
): Promise<WorkerProcess[]> {
  const options = {
    env: { ...env, BESTFRAME_LOG: 'json' },
    ...(onWorkerLog === undefined ? {} : { onLog: onWorkerLog }),
    ...(workersDir === undefined ? {} : { dir: workersDir }),
  };
  const roles = [...Array.from({ length: count }, () => 'verify' as const), 'erase' as const];
  const starting = roles.map(async (role) => {
    const worker = await startWorker(role, options);
    onStop(() => worker.stop(STOP_MS));
    return worker;
  });
  // Wait until every start has succeeded or failed before an error is thrown: a worker that is still starting could not be
  // stopped.
  const workers = (await Promise.allSettled(starting)).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  onStep?.(`${count} verify workers and an erase worker (pids ${workers.map(({ pid }) => pid).join(', ')})`);
  return workers.slice(0, count);
}

async function startDashboard(config: Config, { onStep }: LocalWorldOptions, onStop: OnStop): Promise<string> {
  const dashboard = await openDashboard(config, createLogger({ ...config, log: 'silent' }, process.stderr));
  onStop(() => dashboard.stop(0));
  onStep?.(`dashboard at ${dashboard.url}`);
  return dashboard.url;
}

async function startHttpApi(
  config: Config,
  { onStep }: LocalWorldOptions,
  onStop: OnStop,
): Promise<{ url: string; key: string }> {
  const api = await openApi(config, createLogger({ ...config, log: 'silent' }, process.stderr));
  onStop(() => api.stop(0));
  const key = await createApiKey(config);
  onStep?.(`HTTP API at ${api.url}`);
  return { url: api.url, key };
}

/** The key has every scope, because whoever starts a local deployment may do everything in it. */
async function createApiKey({ redis, prefix, mode }: Config): Promise<string> {
  const keys = new ApiKeys(redis, prefix);
  try {
    const options = { tenant: 'default', mode, scopes: SCOPES, name: 'local world', perSecond: 1_000, lifeMs: null };
    return (await keys.create(options)).secret;
  } finally {
    await keys.close();
  }
}

/** Deletes by prefix, so that other deployments in the same Redis keep their keys. */
async function deleteKeys({ redis: settings, prefix }: Config): Promise<void> {
  const redis = connectWorker(settings);
  try {
    await waitUntilReady(redis, REDIS_READY_MS);
    for (const server of primaryNodes(redis)) {
      for await (const keys of server.scanStream({ match: `${prefix}:*`, count: 500 }) as AsyncIterable<string[]>) {
        if (keys.length > 0) await server.unlink(...keys);
      }
    }
  } finally {
    redis.disconnect();
  }
}

interface Parts {
  readonly emulator: Emulator;
  readonly redis: ProvidedRedis;
  readonly framesDir: string;
  readonly login: Login;
  readonly namespace: string;
}

function settingsFor(
  { emulator, redis, framesDir, login, namespace }: Parts,
  options: LocalWorldOptions,
): Record<string, string> {
  return {
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: redis.url,
    BESTFRAME_NAMESPACE: namespace,
    BESTFRAME_REGIONS: REGIONS.join(','),
    BESTFRAME_BUCKETS: emulator.buckets.map(({ name, region }) => `${region}=${name}`).join(','),
    TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
    BESTFRAME_PROXY: emulator.proxyUrl,
    BESTFRAME_CA_FILE: emulator.caFile,
    BESTFRAME_FRAMES_DIR: framesDir,
    BESTFRAME_FILE_ROOTS: [...(options.fileRoots ?? []), join(options.dir, 'inputs')].join(','),
    // Reused live data only causes a warning, because during trials the same samples are enqueued again and again.
    BESTFRAME_REUSED_LIVE_DATA: 'warn',
    BESTFRAME_DASHBOARD_USER: login.user,
    BESTFRAME_DASHBOARD_PASSWORD: login.password,
    BESTFRAME_API_PORT: String(options.apiPort ?? 0),
    BESTFRAME_STAGING_DIR: join(options.dir, 'inputs', 'staging'),
    BESTFRAME_AUDIT: join(options.dir, 'audit.log'),
    BESTFRAME_DASHBOARD_PORT: String(options.dashboardPort ?? 0),
  };
}
