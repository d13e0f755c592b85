/**
 * The whole product in the test's own process, against a real Redis and the emulator: what `compose.ts` opens, under a
 * prefix of its own, so that test files share one Redis and nothing else.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { inject } from 'vitest';
import type { BestframeClient } from '../../src/client/client.ts';
import { openErase, openNotify, openVerify, type Running } from '../../src/compose.ts';
import { openApi } from '../../src/compose-api.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { EmulatorControl } from '../../src/emulator/control.ts';
import { type Emulator, startEmulator } from '../../src/emulator/index.ts';
import type { Bucket, Settings } from '../../src/emulator/settings.ts';
import { openClient } from '../../src/open-client.ts';
import { connectWorker, type RedisClient } from '../../src/queue/connection.ts';
import { createNames, type Names } from '../../src/queue/names.ts';
import type { NotifyTuning } from '../../src/runtime/notify-worker.ts';
import { type MakeRequest, requestsIn } from './inputs.ts';

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
  readonly client: BestframeClient;
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  readonly bucket: string;
  readonly dir: string;
  /** What the workers of this rig logged. */
  readonly lines: LogLine[];
  openWorker(settings?: Record<string, string>): Promise<Running>;
  openErase(): Promise<Running>;
  /** The HTTP API on a free port. */
  openApi(settings?: Record<string, string>): ReturnType<typeof openApi>;
  /** What was written to the audit log. */
  audited(): Promise<Record<string, string>[]>;
  openNotify(settings?: Record<string, string>, tuning?: NotifyTuning): Promise<Running>;
  /** A request for files that are written now. */
  readonly request: MakeRequest;
  /** Writes a file among the roots. */
  file(name: string, bytes: Buffer): Promise<string>;
  /** Ends what was opened, in order, and removes what was written. */
  dispose(): Promise<void>;
}

export const HOME = join(import.meta.dirname, '..', '..', '.bestframe');

export async function createRig(
  options: { env?: Record<string, string>; emulator?: Partial<Settings>; buckets?: readonly Bucket[] } = {},
): Promise<Rig> {
  const name = `rig-${process.pid}-${randomBytes(4).toString('hex')}`;
  const dir = join(HOME, name);
  const inputs = join(dir, 'inputs');
  await mkdir(inputs, { recursive: true });
  const emulator = await startEmulator({
    dir: join(dir, 'emulator'),
    settings: { latencyMs: {}, ...options.emulator },
    ...(options.buckets === undefined ? {} : { buckets: options.buckets }),
  });
  const env = {
    BESTFRAME_MODE: 'test',
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
  redis.on('error', () => undefined); // a test may take it away
  const client = openClient(config);
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) });
  const opened: Running[] = [];
  const bucket = config.buckets.get('ap-singapore') ?? '';

  async function keep<T extends Running>(running: Promise<T>): Promise<T> {
    opened.push(await running);
    return running;
  }

  return {
    env,
    config,
    redis,
    names: createNames(config.prefix),
    client,
    emulator,
    control: new EmulatorControl(emulator.controlUrl),
    bucket,
    dir,
    lines,
    openWorker: (settings = {}) => keep(openVerify(readConfig({ ...env, ...settings }), log)),
    openErase: () => keep(openErase(config, log)),
    openApi: (settings = {}) =>
      keep(openApi(readConfig({ ...env, BESTFRAME_STAGING_DIR: join(inputs, 'staging'), ...settings }), log)),
    audited: async () => {
      const text = await readFile(join(dir, 'audit.log'), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, string>);
    },
    openNotify: (settings = {}, tuning = {}) => keep(openNotify(readConfig({ ...env, ...settings }), log, tuning)),
    request: requestsIn(inputs),
    async file(fileName, bytes) {
      const path = join(inputs, fileName);
      await writeFile(path, bytes);
      return path;
    },
    async dispose() {
      await client.close();
      await Promise.all(opened.map((running) => running.stop(0)));
      await emulator.close();
      // A Redis of the test's own ends with it, and may not let us look.
      if (options.env?.BESTFRAME_REDIS_URL === undefined) {
        const keys = await redis.keys(`${config.prefix}*`);
        if (keys.length > 0) await redis.del(...keys);
      }
      redis.disconnect();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
