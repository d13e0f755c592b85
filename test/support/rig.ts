/**
 * Runs the whole product in the test's process, against a real Redis and the emulator, through the functions of
 * `src/app`. Each rig has its own prefix, so test files can share one Redis without seeing each other's keys.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { inject } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { openClient } from '../../src/app/client.ts';
import { type Config, readConfig } from '../../src/app/config.ts';
import type { Running } from '../../src/app/running.ts';
import { openErase, openNotify, openVerify } from '../../src/app/workers.ts';
import type { NotifyTuning } from '../../src/background/notify-worker.ts';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import { newNamespace } from '../../src/domain/verification/namespace.ts';
import { EmulatorControl } from '../../src/emulator/control.ts';
import type { Emulator } from '../../src/emulator/index.ts';
import type { Bucket, Settings } from '../../src/emulator/settings.ts';
import { connectWorker, type RedisClient } from '../../src/redis/connection.ts';
import { createDeployment, type Deployment } from '../../src/redis/deployment.ts';
import type { Names } from '../../src/redis/names.ts';
import { startTestEmulator } from './emulator.ts';
import { type MakeRequest, requestsIn } from './inputs.ts';
import { REMOVE } from './remove.ts';

export interface LogLine {
  readonly id?: string;
  readonly stage?: string;
  readonly event?: string;
  readonly code?: string;
  readonly [field: string]: unknown;
}

export interface Rig {
  readonly env: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly redis: RedisClient;
  readonly names: Names;
  readonly deployment: Deployment;
  readonly client: BestframeClient;
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  readonly bucket: string;
  readonly dir: string;
  /** The parsed log lines of this rig's processes. */
  readonly lines: LogLine[];
  /** Called with each log line. */
  onLine: (line: LogLine) => void;
  openWorker(settings?: Record<string, string>): Promise<Running>;
  openErase(): Promise<Running>;
  /** Opens the HTTP API on a free port. */
  openApi(settings?: Record<string, string>): ReturnType<typeof openApi>;
  /** @returns the entries of the audit log, without their chains. */
  audited(): Promise<AuditedEntry[]>;
  openNotify(settings?: Record<string, string>, tuning?: NotifyTuning): Promise<Running>;
  /** Writes sample files and returns a request that names them. */
  readonly request: MakeRequest;
  /** Lets tenants read the sample files, and name a host that the address guard refuses. */
  permit(...tenants: string[]): Promise<void>;
  /** Writes a file below a file root and returns its path. */
  file(name: string, bytes: Buffer): Promise<string>;
  /** Stops everything that the rig opened, and removes its keys and files. */
  dispose(): Promise<void>;
}

export type AuditedEntry = Record<string, string> & { readonly count?: number };

function entryOf(line: string): AuditedEntry {
  const { chain: _chain, seq: _seq, prev: _prev, ...entry } = JSON.parse(line);
  return entry;
}

export const HOME = join(import.meta.dirname, '..', '..', '.bestframe');

/** By default, requests get much more time than an interactive verification usually has: on a busy machine, a minute is little. */
const LIFE_MS = 3 * 3_600_000;

export async function createRig(
  options: { env?: Record<string, string>; emulator?: Partial<Settings>; buckets?: readonly Bucket[] } = {},
): Promise<Rig> {
  const name = `rig-${process.pid}-${randomBytes(4).toString('hex')}`;
  const dir = join(HOME, name);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const emulator = await startTestEmulator({
    dir: join(dir, 'emulator'),
    settings: { latencyMs: {}, ...options.emulator },
    ...(options.buckets === undefined ? {} : { buckets: options.buckets }),
  });
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: newNamespace(),
    BESTFRAME_REDIS_URL: inject('redisUrl'),
    BESTFRAME_PREFIX: `{${name}}`,
    BESTFRAME_REGIONS: 'ap-singapore',
    BESTFRAME_BUCKETS: emulator.buckets.map((each) => `${each.region}=${each.name}`).join(','),
    TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
    BESTFRAME_PROXY: emulator.proxyUrl,
    BESTFRAME_CA_FILE: emulator.caFile,
    BESTFRAME_FRAMES_DIR: join(dir, 'frames'),
    BESTFRAME_FILE_ROOTS: inputs,
    BESTFRAME_API_PORT: '0',
    BESTFRAME_AUDIT: join(dir, 'audit.log'),
    BESTFRAME_LOG_LEVEL: 'debug',
    ...options.env,
  };
  const config = readConfig(env);
  const redis = connectWorker(config.redis);
  redis.on('error', () => undefined); // a test may stop Redis on purpose
  const deployment = createDeployment(redis, config.prefix, config.keyRing);
  const client = openClient(config);
  const lines: LogLine[] = [];
  const write = (text: string) => {
    const line = JSON.parse(text) as LogLine;
    lines.push(line);
    rig.onLine(line);
  };
  const log = pino({ level: 'debug' }, { write });
  const opened: Running[] = [];
  const bucket = config.buckets.get('ap-singapore') ?? '';

  async function keep<T extends Running>(running: Promise<T>): Promise<T> {
    opened.push(await running);
    return running;
  }

  const rig: Rig = {
    env,
    config,
    redis,
    names: deployment.names,
    deployment,
    client,
    emulator,
    control: new EmulatorControl(emulator.controlUrl),
    bucket,
    dir,
    lines,
    onLine: () => undefined,
    openWorker: (settings = {}) => keep(openVerify(readConfig({ ...env, ...settings }), log)),
    openErase: () => keep(openErase(config, log)),
    openApi: (settings = {}) =>
      keep(openApi(readConfig({ ...env, BESTFRAME_STAGING_DIR: join(inputs, 'staging'), ...settings }), log)),
    audited: async () => {
      const text = await readFile(join(dir, 'audit.log'), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => entryOf(line));
    },
    openNotify: (settings = {}, tuning = {}) =>
      keep(openNotify(readConfig({ ...env, ...settings }), log, undefined, tuning)),
    async permit(...tenants) {
      const policy = { fileRoots: [inputs], httpsHosts: ['127.0.0.1'] };
      for (const tenant of tenants) await client.tenants.set({ tenant, policy }, { by: 'test' });
    },
    request: requestsIn(inputs, { deadline: new Date(Date.now() + LIFE_MS).toISOString() }),
    async file(fileName, bytes) {
      const path = join(inputs, fileName);
      await writeFile(path, bytes);
      return path;
    },
    async dispose() {
      await client.close();
      await Promise.all(opened.map((running) => running.stop(0)));
      await emulator.close();
      // A Redis that belongs to the test is stopped anyway, and may not be reachable any more.
      if (options.env?.BESTFRAME_REDIS_URL === undefined) {
        const keys = await redis.keys(`${config.prefix}*`);
        if (keys.length > 0) await redis.del(...keys);
      }
      redis.disconnect();
      await rm(dir, REMOVE);
    },
  };
  return rig;
}
