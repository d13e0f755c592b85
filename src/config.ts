/**
 * From the environment to one frozen, validated object. The only reader of settings: entry points hand their environment in.
 * Every fault is reported at once, each with its variable, what was wrong and what to do. Secrets have no default.
 */
import { z } from 'zod';
import { REGIONS, type Region } from './domain/actions.ts';
import { CODES } from './domain/errors/index.ts';
import { inputFailure } from './domain/failure.ts';
import { MODES } from './domain/verification.ts';
import { DEFAULT_PREFIX } from './queue/names.ts';
import type { Limits } from './runtime/gate.ts';

const int = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `is not between ${least} and ${most}`);

const perSecond = z
  .string()
  .regex(/^\d+(\.\d+)?$/, 'is not a number of calls a second')
  .transform(Number)
  .refine((value) => value > 0, 'must be above 0');

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const flag = z.enum(['0', '1', 'true', 'false']).transform((text) => text === '1' || text === 'true');

/** Every setting, with what it means. `docs/settings.md` is made from this. */
export const SETTINGS = {
  BESTFRAME_REDIS_URL: z
    .string()
    .url('is not a URL: write redis://host:port or rediss://host:port')
    .optional()
    .describe('Redis; `REDIS_URL` is read too. Default redis://127.0.0.1:6379'),
  REDIS_URL: z
    .string()
    .url('is not a URL: write redis://host:port or rediss://host:port')
    .optional()
    .describe('Read where BESTFRAME_REDIS_URL is not set'),
  BESTFRAME_PREFIX: z
    .string()
    .regex(/^\{[A-Za-z0-9_.-]{1,40}\}$/, 'must be a hash tag in braces, e.g. {bestframe}')
    .default(DEFAULT_PREFIX)
    .describe('Prefix of all keys, a Cluster hash tag'),
  BESTFRAME_NAMESPACE: z
    .string()
    .min(1)
    .max(64)
    .default('bestframe')
    .describe('Keeps equal keys of different applications apart'),
  BESTFRAME_MODE: z
    .enum(MODES)
    .default('live')
    .describe('`test` against the emulator, `live` against Tencent; in every record'),
  BESTFRAME_REGIONS: list
    .pipe(z.array(z.enum(REGIONS)).min(1))
    .default(['ap-singapore'])
    .describe(`Regions that the workers serve, comma-separated: ${REGIONS.join(', ')}`),
  BESTFRAME_BUCKETS: list
    .default([])
    .describe(
      'Own bucket of each region: `ap-singapore=name-appid,…`. Without one, only upload way create-upload-url works there',
    ),
  BESTFRAME_OBJECT_FOLDER: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,100}[A-Za-z0-9]$/, 'must be letters, digits, ".", "_", "-", "/"')
    .default('bestframe')
    .describe('Folder in the own bucket'),
  BESTFRAME_FILE_ROOTS: list.default([]).describe('Folders in which `file` sources may lie. Empty: no file sources'),
  BESTFRAME_FRAMES_DIR: z.string().min(1).default('./frames').describe('Where BestFrames go'),
  BESTFRAME_SPOOL_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Where https sources are spooled (unlinked, private). Default: the system folder for temporary files'),
  TENCENTCLOUD_SECRET_ID: z.string().min(1).optional().describe('Credentials: id'),
  TENCENTCLOUD_SECRET_KEY: z.string().min(1).optional().describe('Credentials: key'),
  TENCENTCLOUD_TOKEN: z.string().min(1).optional().describe('Credentials: token of temporary ones'),
  BESTFRAME_CREDENTIALS_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('JSON file {secretId, secretKey, token?}, read again when it changes. Instead of the three above'),
  BESTFRAME_FACEID_ENDPOINT: z
    .string()
    .regex(/^[a-z0-9.-]+$/)
    .default('faceid.intl.tencentcloudapi.com')
    .describe('Host of the FaceID API'),
  BESTFRAME_PROXY: z.string().url().optional().describe('Egress proxy, http://host:port. `HTTPS_PROXY` is read too'),
  HTTPS_PROXY: z.string().url().optional().describe('Read where BESTFRAME_PROXY is not set'),
  https_proxy: z.string().url().optional().describe('As HTTPS_PROXY'),
  NO_PROXY: z.string().optional().describe('Hosts that are reached without the proxy'),
  no_proxy: z.string().optional().describe('As NO_PROXY'),
  BESTFRAME_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of a CA to trust beside the system ones (egress proxy, emulator)'),
  BESTFRAME_SLOTS: int(1, 200).default(8).describe('Verifications at once in one worker process'),
  BESTFRAME_DRAIN_MS: int(0, 600_000).default(30_000).describe('How long SIGTERM waits for running verifications'),
  BESTFRAME_QPS_DETECT: perSecond.optional().describe('Calls a second of DetectReflectLivenessAndCompare. Default 5'),
  BESTFRAME_QPS_VIDEO: perSecond.optional().describe('Calls a second of VideoLivenessCompare. Default 20'),
  BESTFRAME_QPS_UPLOAD_URL: perSecond.optional().describe('Calls a second of CreateUploadUrl. Default 20'),
  BESTFRAME_LOG: z.enum(['json', 'pretty', 'silent']).optional().describe('Default: pretty on a terminal, else json'),
  BESTFRAME_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least level that is logged'),
  BESTFRAME_DASHBOARD_HOST: z.string().default('127.0.0.1').describe('Address that the dashboard listens on'),
  BESTFRAME_DASHBOARD_PORT: int(0, 65_535).default(3_000).describe('Port of the dashboard; 0 takes a free one'),
  BESTFRAME_DASHBOARD_USER: z.string().min(1).optional().describe('User of the dashboard'),
  BESTFRAME_DASHBOARD_PASSWORD: z
    .string()
    .min(8, 'is shorter than 8 characters')
    .optional()
    .describe('Password of the dashboard'),
  BESTFRAME_ALLOW_PRIVATE_SOURCES: flag.default(false).describe('https sources on private addresses; for tests'),
  BESTFRAME_LEASE_MS: int(500, 60_000)
    .default(8_000)
    .describe('How long a worker that fell silent keeps its verification'),
} as const;

export interface Credentials {
  readonly secretId: string;
  readonly secretKey: string;
  readonly token?: string;
}

export interface Config {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly namespace: string;
  readonly mode: 'test' | 'live';
  readonly regions: readonly Region[];
  readonly buckets: ReadonlyMap<Region, string>;
  readonly objectFolder: string;
  readonly fileRoots: readonly string[];
  readonly framesDir: string;
  readonly spoolDir: string | undefined;
  readonly credentials: Credentials | { readonly file: string } | null;
  readonly endpoint: string;
  readonly proxy: string | undefined;
  readonly noProxy: string | undefined;
  readonly caFile: string | undefined;
  readonly slots: number;
  readonly drainMs: number;
  readonly limits: Limits;
  readonly log: 'json' | 'pretty' | 'silent' | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly dashboard: {
    readonly host: string;
    readonly port: number;
    readonly user: string | undefined;
    readonly password: string | undefined;
  };
  readonly allowPrivateSources: boolean;
  readonly leaseMs: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws Failure INVALID_SETTINGS that names every setting at fault. */
export function readConfig(env: Env): Config {
  const given = Object.fromEntries(
    Object.keys(SETTINGS).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  );
  const parsed = z.object(SETTINGS).safeParse(given);
  const faults = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  for (const name of Object.keys(env)) {
    if (name.startsWith('BESTFRAME_') && !(name in SETTINGS))
      faults.push(`${name} is not a setting: remove it or correct its name`);
  }
  if (!parsed.success) throw invalid(faults);
  const s = parsed.data;
  const buckets = readBuckets(s.BESTFRAME_BUCKETS, faults);
  const credentials = readCredentials(s, faults);
  if (faults.length > 0) throw invalid(faults);
  const limits: Limits = {
    ...(s.BESTFRAME_QPS_DETECT === undefined ? {} : { DetectReflectLivenessAndCompare: s.BESTFRAME_QPS_DETECT }),
    ...(s.BESTFRAME_QPS_VIDEO === undefined ? {} : { VideoLivenessCompare: s.BESTFRAME_QPS_VIDEO }),
    ...(s.BESTFRAME_QPS_UPLOAD_URL === undefined ? {} : { CreateUploadUrl: s.BESTFRAME_QPS_UPLOAD_URL }),
  };
  return Object.freeze({
    redisUrl: s.BESTFRAME_REDIS_URL ?? s.REDIS_URL ?? 'redis://127.0.0.1:6379',
    prefix: s.BESTFRAME_PREFIX,
    namespace: s.BESTFRAME_NAMESPACE,
    mode: s.BESTFRAME_MODE,
    regions: s.BESTFRAME_REGIONS,
    buckets,
    objectFolder: s.BESTFRAME_OBJECT_FOLDER,
    fileRoots: s.BESTFRAME_FILE_ROOTS,
    framesDir: s.BESTFRAME_FRAMES_DIR,
    spoolDir: s.BESTFRAME_SPOOL_DIR,
    credentials,
    endpoint: s.BESTFRAME_FACEID_ENDPOINT,
    proxy: s.BESTFRAME_PROXY ?? s.HTTPS_PROXY ?? s.https_proxy,
    noProxy: s.NO_PROXY ?? s.no_proxy,
    caFile: s.BESTFRAME_CA_FILE,
    slots: s.BESTFRAME_SLOTS,
    drainMs: s.BESTFRAME_DRAIN_MS,
    limits,
    log: s.BESTFRAME_LOG,
    logLevel: s.BESTFRAME_LOG_LEVEL,
    dashboard: {
      host: s.BESTFRAME_DASHBOARD_HOST,
      port: s.BESTFRAME_DASHBOARD_PORT,
      user: s.BESTFRAME_DASHBOARD_USER,
      password: s.BESTFRAME_DASHBOARD_PASSWORD,
    },
    allowPrivateSources: s.BESTFRAME_ALLOW_PRIVATE_SOURCES,
    leaseMs: s.BESTFRAME_LEASE_MS,
  });
}

/** A bucket for another region than it stands for would make every link an `invalid resourceUrl`; that is asked at start. */
function readBuckets(entries: readonly string[], faults: string[]): Map<Region, string> {
  const buckets = new Map<Region, string>();
  for (const entry of entries) {
    const [region = '', name = ''] = entry.split('=');
    if (!(REGIONS as readonly string[]).includes(region)) {
      faults.push(`BESTFRAME_BUCKETS names the region "${region}": use one of ${REGIONS.join(', ')}`);
    } else if (!/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-\d{6,12}$/.test(name)) {
      faults.push(`BESTFRAME_BUCKETS has no bucket name for ${region}: write ${region}=name-appid`);
    } else {
      buckets.set(region as Region, name);
    }
  }
  return buckets;
}

function readCredentials(
  s: {
    TENCENTCLOUD_SECRET_ID?: string | undefined;
    TENCENTCLOUD_SECRET_KEY?: string | undefined;
    TENCENTCLOUD_TOKEN?: string | undefined;
    BESTFRAME_CREDENTIALS_FILE?: string | undefined;
  },
  faults: string[],
): Config['credentials'] {
  const { TENCENTCLOUD_SECRET_ID: secretId, TENCENTCLOUD_SECRET_KEY: secretKey, TENCENTCLOUD_TOKEN: token } = s;
  if (s.BESTFRAME_CREDENTIALS_FILE !== undefined) {
    if (secretId !== undefined)
      faults.push('BESTFRAME_CREDENTIALS_FILE and TENCENTCLOUD_SECRET_ID are both set: use one of them');
    return { file: s.BESTFRAME_CREDENTIALS_FILE };
  }
  if (secretId === undefined && secretKey === undefined) return null;
  if (secretId === undefined) faults.push('TENCENTCLOUD_SECRET_ID is missing beside TENCENTCLOUD_SECRET_KEY: set both');
  if (secretKey === undefined)
    faults.push('TENCENTCLOUD_SECRET_KEY is missing beside TENCENTCLOUD_SECRET_ID: set both');
  if (secretId === undefined || secretKey === undefined) return null;
  return { secretId, secretKey, ...(token === undefined ? {} : { token }) };
}

function invalid(faults: readonly string[]) {
  return inputFailure(
    CODES.INVALID_SETTINGS,
    'settings',
    `the settings are not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
  );
}
