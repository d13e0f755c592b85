/**
 * A whole world on this machine: private Redis, emulator, worker processes, HTTP API, dashboard. What `demo` and `dev` run in, and
 * what the tests with real processes drive. The product in it is pointed at the emulator by settings alone.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiKeys } from '../client/api-keys.ts';
import { openDashboardFor, type Running } from '../compose.ts';
import { openApi } from '../compose-api.ts';
import { type Config, readConfig } from '../config.ts';
import { SCOPES } from '../domain/api-keys.ts';
import { type Emulator, startEmulator } from '../emulator/index.ts';
import type { Settings as EmulatorSettings } from '../emulator/settings.ts';
import { createLogger } from '../logger.ts';
import { connectWorker, serversOf, untilReady } from '../queue/connection.ts';
import { startWorker, type WorkerProcess } from './processes.ts';
import { provideRedis } from './redis.ts';

export interface WorldOptions {
  /** Everything that this world writes lies in here. */
  readonly dir: string;
  /** Where downloaded Redis packages are kept between runs. */
  readonly cacheDir: string;
  readonly redisUrl?: string | undefined;
  /** Takes away what this world wrote to a Redis that is not its own, at the end. */
  readonly clearRedis?: boolean;
  /** Verify worker processes; there is one erase worker beside them. */
  readonly workers: number;
  readonly fileRoots?: readonly string[];
  readonly dashboard?: boolean;
  readonly dashboardPort?: number;
  /** The HTTP API, with a key to it. */
  readonly api?: boolean;
  readonly apiPort?: number;
  readonly emulatorPorts?: { readonly proxy: number; readonly control: number };
  readonly settings?: Readonly<Record<string, string>>;
  readonly onStep?: (line: string) => void;
  readonly onWorkerLog?: (line: string) => void;
  /** Folder of the built worker entry points, where this code does not run from `dist` itself. */
  readonly workersDir?: string;
  readonly emulatorSettings?: Partial<EmulatorSettings>;
}

export interface World {
  readonly redisUrl: string;
  readonly emulator: Emulator;
  /** The settings that point the product at this world. */
  readonly env: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly framesDir: string;
  readonly workers: readonly WorkerProcess[];
  readonly dashboard: { readonly url: string; readonly user: string; readonly password: string } | null;
  readonly api: { readonly url: string; readonly key: string } | null;
  /** Ends everything that was started here, in order. Idempotent. */
  stop(): Promise<void>;
}

const STOP_MS = 10_000;
const REDIS_READY_MS = 5_000;

export async function startWorld(options: WorldOptions): Promise<World> {
  const ends: (() => Promise<unknown>)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      for (const end of ends.reverse()) await end();
    })();
    return stopped;
  };
  const say = options.onStep ?? (() => undefined);
  try {
    await mkdir(join(options.dir, 'inputs'), { recursive: true });
    const redis = await provideRedis({
      redisUrl: options.redisUrl,
      dir: join(options.dir, 'redis'),
      cacheDir: options.cacheDir,
      appendonly: true,
      log: say,
    });
    ends.push(() => redis.stop());
    say(`Redis ${redis.version} (${redis.origin})${redis.pid === null ? '' : ', AOF'}`);

    const emulator = await startEmulator({
      dir: join(options.dir, 'emulator'),
      proxyPort: options.emulatorPorts?.proxy ?? 0,
      controlPort: options.emulatorPorts?.control ?? 0,
      ...(options.emulatorSettings === undefined ? {} : { settings: options.emulatorSettings }),
    });
    ends.push(() => emulator.close());
    say(`emulator of FaceID and COS at ${emulator.proxyUrl}`);

    const framesDir = join(options.dir, 'frames');
    await mkdir(framesDir, { recursive: true });
    const login = { user: 'operator', password: randomBytes(9).toString('base64url') };
    const env = { ...settingsFor(emulator, redis.url, framesDir, options, login), ...options.settings };
    const config = readConfig(env);
    if (options.clearRedis === true && redis.pid === null) ends.push(() => clearKeys(config));

    const onLog = options.onWorkerLog;
    const workerEnv = { ...env, NODE_EXTRA_CA_CERTS: emulator.caFile, BESTFRAME_LOG: 'json' };
    const launched = [...Array.from({ length: options.workers }, () => 'verify' as const), 'erase' as const].map(
      async (role) => {
        const worker = await startWorker(role, {
          env: workerEnv,
          ...(onLog === undefined ? {} : { onLog }),
          ...(options.workersDir === undefined ? {} : { dir: options.workersDir }),
        });
        ends.push(() => worker.stop(STOP_MS));
        return { role, worker };
      },
    );
    const settled = await Promise.allSettled(launched);
    const workers = settled.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
    say(
      `${options.workers} verify workers and an erase worker (pids ${workers.map(({ worker }) => worker.pid).join(', ')})`,
    );

    let dashboard: (Running & { url: string }) | null = null;
    if (options.dashboard !== false) {
      dashboard = await openDashboardFor(config, createLogger({ ...config, log: 'silent' }, process.stderr));
      const board = dashboard;
      ends.push(() => board.stop(0));
      say(`dashboard at ${board.url}`);
    }
    let api: World['api'] = null;
    if (options.api === true) {
      const running = await openApi(config, createLogger({ ...config, log: 'silent' }, process.stderr));
      ends.push(() => running.stop(0));
      api = { url: running.url, key: await keyTo(config) };
      say(`HTTP API at ${running.url}`);
    }
    return {
      redisUrl: redis.url,
      emulator,
      env,
      config,
      framesDir,
      workers: workers.filter(({ role }) => role === 'verify').map(({ worker }) => worker),
      dashboard: dashboard === null ? null : { url: dashboard.url, ...login },
      api,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Redis and the workers' data go; frames and the emulator's call log stay to be looked at. */
export async function clearWorld(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}

/** One that may do everything: whoever can start a world may. */
async function keyTo({ redis, prefix, mode }: Config): Promise<string> {
  const keys = new ApiKeys(redis, prefix);
  try {
    const wanted = { tenant: 'default', mode, scopes: SCOPES, name: 'of this world', perSecond: 1_000, lifeMs: null };
    return (await keys.create(wanted)).secret;
  } finally {
    await keys.close();
  }
}

/** By prefix: another deployment in the same Redis keeps what it has. */
async function clearKeys({ redis: settings, prefix }: Config): Promise<void> {
  const redis = connectWorker(settings);
  try {
    await untilReady(redis, REDIS_READY_MS);
    for (const server of serversOf(redis)) {
      for await (const keys of server.scanStream({ match: `${prefix}:*`, count: 500 }) as AsyncIterable<string[]>) {
        if (keys.length > 0) await server.unlink(...keys);
      }
    }
  } finally {
    redis.disconnect();
  }
}

function settingsFor(
  emulator: Emulator,
  redisUrl: string,
  framesDir: string,
  options: WorldOptions,
  login: { user: string; password: string },
): Record<string, string> {
  const regions = emulator.buckets.map(({ region }) => region);
  return {
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_REGIONS: [...new Set(regions)].join(','),
    BESTFRAME_BUCKETS: emulator.buckets.map(({ name, region }) => `${region}=${name}`).join(','),
    TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
    BESTFRAME_PROXY: emulator.proxyUrl,
    BESTFRAME_CA_FILE: emulator.caFile,
    BESTFRAME_FRAMES_DIR: framesDir,
    BESTFRAME_FILE_ROOTS: [...(options.fileRoots ?? []), join(options.dir, 'inputs')].join(','),
    // The samples of one who tries things out come again and again.
    BESTFRAME_REUSED_LIVE_DATA: 'warn',
    BESTFRAME_DASHBOARD_USER: login.user,
    BESTFRAME_DASHBOARD_PASSWORD: login.password,
    BESTFRAME_API_PORT: String(options.apiPort ?? 0),
    BESTFRAME_STAGING_DIR: join(options.dir, 'inputs', 'staging'),
    BESTFRAME_AUDIT: join(options.dir, 'audit.log'),
    BESTFRAME_DASHBOARD_PORT: String(options.dashboardPort ?? 0),
  };
}
