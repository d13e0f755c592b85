/**
 * From the environment to one frozen, validated object. The only reader of settings: entry points hand their environment in.
 * Every fault is reported at once, each with its variable, what was wrong and what to do. Secrets have no default.
 */

import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { relative, resolve } from 'node:path';
import { z } from 'zod';
import { type Limits, REGIONS, type Region } from './domain/actions.ts';
import { CODES } from './domain/errors/index.ts';
import { Failure, inputFailure } from './domain/failure.ts';
import { TENANT } from './domain/identity.ts';
import { type Operator, readOperators } from './domain/operators.ts';
import { DEFAULT_POLICY, type Policy } from './domain/policy.ts';
import { STAGES } from './domain/states.ts';
import { DEMANDS, type Demand, LANES, type Lane, MODES } from './domain/verification.ts';
import {
  type WebhookEndpoint,
  webhookNameProblem,
  webhookSecretProblem,
  webhookUrlProblem,
} from './domain/webhooks.ts';
import { DEFAULT_PREFIX } from './queue/names.ts';
import { type RedisSettings, readRedisUrl } from './queue/redis-url.ts';
import { type KeyRing, parseKeyRing } from './queue/seal.ts';

/** What is wrong, then what to do: zod's own words say neither in a reader's terms. */
const int = (least: number, most: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most,
      `is not a whole number from ${least} to ${most}: write digits only`,
    )
    .transform(Number);

/** A number for every region, or `region=number,…` for some. */
const perSecond = z.string().transform((written, context): Readonly<Partial<Record<Region, number>>> => {
  const entries = written.includes('=')
    ? written.split(',').map((entry) => entry.trim().split('='))
    : REGIONS.map((name) => [name, written]);
  const found: Partial<Record<Region, number>> = {};
  for (const [region = '', rate = ''] of entries) {
    if (isRegion(region) && /^\d{1,6}(\.\d{1,6})?$/.test(rate) && Number(rate) > 0) found[region] = Number(rate);
    else {
      context.addIssue('is not a number above 0: write calls a second, e.g. 5 or 0.5, or by region: ap-singapore=10');
      break;
    }
  }
  return found;
});

/** `name=number,…` for some of the names. */
const named = <const Name extends string>(names: readonly Name[], least: number, most: number) =>
  z.string().transform((written, context): Readonly<Partial<Record<Name, number>>> => {
    const found: Partial<Record<Name, number>> = {};
    for (const entry of written.split(',')) {
      const [name = '', count = ''] = entry.trim().split('=');
      const known = names.find((each) => each === name);
      const value = Number(count);
      if (known !== undefined && /^\d+$/.test(count) && value >= least && value <= most) found[known] = value;
      else {
        context.addIssue(
          `is not name=number: write ${names.map((each) => `${each}=…`).join(',')}, each from ${least} to ${most}`,
        );
        break;
      }
    }
    return found;
  });

const oneOf = <const Word extends string>(words: readonly Word[]) =>
  z.enum(words, `is not known: use one of ${words.join(', ')}`);

const redisUrl = z.string().transform((text, context): RedisSettings => {
  const read = readRedisUrl(text);
  if ('settings' in read) return read.settings;
  context.addIssue(read.fault);
  return z.NEVER;
});

const proxyUrl = z
  .string()
  .refine((text) => isUrl(text, /^https?:$/), 'is not the URL of a proxy: write host:port with http:// before it');

function isUrl(text: string, protocol: RegExp): boolean {
  try {
    const url = new URL(text);
    return protocol.test(url.protocol) && url.host !== '';
  } catch {
    return false;
  }
}

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const regions = list.transform((names, context): Region[] => {
  const unknown = names.filter((name) => !isRegion(name));
  if (unknown.length > 0) context.addIssue(`names the region "${unknown[0]}": use one of ${REGIONS.join(', ')}`);
  if (names.length === 0) context.addIssue(`names no region: use one or more of ${REGIONS.join(', ')}`);
  return [...new Set(names.filter(isRegion))];
});

/** Reads the CA once, so that a wrong path is said at start and not at the first call. */
export async function checkFiles(config: Config): Promise<void> {
  if (config.caFile === undefined) return;
  try {
    await readFile(config.caFile);
  } catch (cause) {
    const facts = { service: 'bestframe', channel: 'local', code: CODES.INVALID_SETTINGS, sent: 'no' } as const;
    throw new Failure(facts, 'BESTFRAME_CA_FILE cannot be read: give the path of a PEM file', { cause });
  }
}

/** A bucket for another region than it stands for would make every link an `invalid resourceUrl`; that is asked at start. */
const buckets = list.transform((entries, context): ReadonlyMap<Region, string> => {
  const found = new Map<Region, string>();
  for (const entry of entries) {
    const cut = entry.indexOf('=');
    const region = cut === -1 ? entry : entry.slice(0, cut);
    const name = cut === -1 ? '' : entry.slice(cut + 1);
    if (!isRegion(region)) {
      context.addIssue(`names the region "${region}": use one of ${REGIONS.join(', ')}`);
    } else if (!/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-\d{6,12}$/.test(name)) {
      context.addIssue(`has no bucket name for ${region}: write ${region}=name-appid`);
    } else if (found.has(region)) {
      context.addIssue(`names two buckets for ${region}: leave one`);
    } else {
      found.set(region, name);
    }
  }
  return found;
});

const demands = list.transform((names, context): Demand[] => {
  const unknown = names.find((name) => !DEMANDS.some((each) => each === name));
  if (unknown !== undefined) context.addIssue(`asks for "${unknown}": use one or more of ${DEMANDS.join(', ')}`);
  return DEMANDS.filter((each) => names.includes(each));
});

const keyRing = z.string().transform((written, context): KeyRing => {
  try {
    return parseKeyRing(written);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'is not a key ring');
    return new Map();
  }
});

const operators = list.transform((entries, context): readonly Operator[] => {
  const read = readOperators(entries);
  if ('operators' in read) return read.operators;
  context.addIssue(read.fault);
  return z.NEVER;
});

const networks = list.refine(
  (all) => all.every((each) => isIP(each.split('/')[0] ?? '') !== 0 && /^[^/]+(\/\d{1,3})?$/.test(each)),
  'has something that is no address: write 10.0.0.7 or 10.1.0.0/16',
);

/** `name=value,…`; a name may come twice. @param problem what is wrong with a value. */
const endpoints = (problem: (value: string) => string | null) =>
  list.transform((entries, context): readonly (readonly [name: string, value: string])[] =>
    entries.flatMap((entry) => {
      const cut = entry.indexOf('=');
      const [name, value] = [entry.slice(0, Math.max(cut, 0)), entry.slice(cut + 1)];
      const wrong = webhookNameProblem(name) ?? problem(value);
      if (wrong === null) return [[name, value] as const];
      context.addIssue(`has an entry that ${wrong}`); // not which: a secret may be in it
      return [];
    }),
  );

const allowedHosts = list.transform((hosts, context): string[] => {
  const wrong = hosts.find((host) => !/^(?!\*)[A-Za-z0-9._:[\]/-]+$/.test(host));
  if (wrong !== undefined)
    context.addIssue(`has "${wrong}", which is no host: write names, addresses or CIDR blocks, e.g. 10.0.7.0/24`);
  return hosts;
});

function isRegion(name: string): name is Region {
  return (REGIONS as readonly string[]).includes(name);
}

const text = z.string();
const flag = oneOf(['0', '1', 'true', 'false']).transform((word) => word === '1' || word === 'true');

/** Every setting, with what it means. `docs/settings.md` is made from this. An empty variable counts as one that is not set. */
export const SETTINGS = {
  BESTFRAME_REDIS_URL: redisUrl
    .optional()
    .describe(
      'Redis: `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` for TLS ([forms](redis.md)); where it is not set, `REDIS_URL`, then `redis://127.0.0.1:6379`',
    ),
  REDIS_URL: redisUrl.optional().describe('Read where `BESTFRAME_REDIS_URL` is not set'),
  BESTFRAME_REDIS_CA_FILE: text
    .optional()
    .describe('PEM file of the CA of Redis, where it is not one of the system’s; for `rediss`'),
  BESTFRAME_PREFIX: text
    .regex(
      /^\{[A-Za-z0-9_.-]{1,40}\}$/,
      'is not a hash tag: write letters, digits, ".", "_", "-" in braces: {bestframe}',
    )
    .default(DEFAULT_PREFIX)
    .describe('Prefix of all keys in Redis, a Cluster hash tag; the same for clients and workers'),
  BESTFRAME_NAMESPACE: text
    .max(64, 'is longer than 64 characters: use a shorter one')
    .default('bestframe')
    .describe('Keeps equal keys of different applications apart; the same for whoever asks by key'),
  BESTFRAME_TENANT: text
    .regex(TENANT, 'is not a word: write small letters, digits and "-", up to 40, a letter or digit at both ends')
    .optional()
    .describe(
      'Whose keys and subjects the command line means, where several tenants share a deployment; where it is not set, the deployment’s own',
    ),
  BESTFRAME_MODE: oneOf(MODES)
    .default('live')
    .describe('`test` against the emulator, `live` against Tencent; in every record'),
  BESTFRAME_REGIONS: regions
    .default(['ap-singapore'])
    .describe(`Regions that the workers serve, comma-separated: ${REGIONS.join(', ')}`),
  BESTFRAME_BUCKETS: buckets
    .default(new Map())
    .describe(
      'Own bucket of each region: `ap-singapore=name-appid,…`. Without one, only upload way create-upload-url works there',
    ),
  BESTFRAME_OBJECT_FOLDER: text
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._/-]{0,100}[A-Za-z0-9]$/,
      'is not a folder: write letters, digits, ".", "_", "-", "/", a letter or digit at both ends',
    )
    .default('bestframe')
    .describe('Folder in the own bucket'),
  BESTFRAME_FILE_ROOTS: list
    .default([])
    .describe('Folders in which `file` sources may lie, comma-separated. Empty: no file sources'),
  BESTFRAME_FRAMES_DIR: text.default('./frames').describe('Folder that BestFrames are written to'),
  BESTFRAME_SPOOL_DIR: text
    .optional()
    .describe(
      'Folder where https sources are spooled (unlinked, private); where it is not set, the system’s for temporary files',
    ),
  TENCENTCLOUD_SECRET_ID: text.optional().describe('Credentials: SecretId'),
  TENCENTCLOUD_SECRET_KEY: text.optional().describe('Credentials: SecretKey'),
  TENCENTCLOUD_TOKEN: text.optional().describe('Credentials: token, where they are temporary'),
  BESTFRAME_CREDENTIALS_FILE: text
    .optional()
    .describe('JSON file `{secretId, secretKey, token?}`, read again when it changes; instead of `TENCENTCLOUD_*`'),
  BESTFRAME_FACEID_ENDPOINT: text
    .regex(
      /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
      'is not a host name: write it in small letters, without https:// and path',
    )
    .default('faceid.intl.tencentcloudapi.com')
    .describe('Host of the FaceID API'),
  BESTFRAME_PROXY: proxyUrl
    .optional()
    .describe('Egress proxy, `http://host:port`; where it is not set, `HTTPS_PROXY` or `https_proxy`'),
  HTTPS_PROXY: proxyUrl.optional().describe('Read where `BESTFRAME_PROXY` is not set'),
  https_proxy: proxyUrl.optional().describe('Read where `HTTPS_PROXY` is not set'),
  NO_PROXY: text.optional().describe('Hosts that are reached without the proxy, comma-separated'),
  no_proxy: text.optional().describe('Read where `NO_PROXY` is not set'),
  BESTFRAME_CA_FILE: text.optional().describe('PEM file of a CA to trust beside the system’s (egress proxy, emulator)'),
  BESTFRAME_SLOTS: int(1, 200).default(8).describe('Verifications at once in one worker process'),
  BESTFRAME_DRAIN_MS: int(0, 600_000).default(30_000).describe('How long SIGTERM waits for running verifications, ms'),
  BESTFRAME_QPS_DETECT: perSecond
    .optional()
    .describe('Calls a second of DetectReflectLivenessAndCompare, over all processes; Tencent’s default is 5'),
  BESTFRAME_QPS_VIDEO: perSecond
    .optional()
    .describe('Calls a second of VideoLivenessCompare, over all processes; Tencent’s default is 20'),
  BESTFRAME_QPS_SEQUENCE: perSecond
    .optional()
    .describe('Calls a second of GenerateReflectSequence, over all processes; Tencent’s default is 5'),
  BESTFRAME_QPS_UPLOAD_URL: perSecond
    .optional()
    .describe('Calls a second of CreateUploadUrl, over all processes; Tencent’s default is 20'),
  BESTFRAME_ATTEMPTS: named(STAGES, 1, 100)
    .default({})
    .describe(
      'Attempts of each stage before a verification fails, e.g. `upload=6,md5=6,detect=5,download=8` (the defaults)',
    ),
  BESTFRAME_STAGE_SECONDS: named(['upload', 'md5', 'download'], 1, 3_600)
    .default({})
    .describe('Time limit of one attempt of a stage, e.g. `upload=120,md5=60,download=60` (the defaults)'),
  BESTFRAME_CALL_SECONDS: named(LANES, 1, 120)
    .default({})
    .describe('Time limit of the paid call by lane, e.g. `interactive=15,batch=30` (the defaults)'),
  BESTFRAME_BACKOFF_MS: named(LANES, 10, 600_000)
    .default({})
    .describe(
      'First back-off by lane, doubled each time up to 10 times (interactive) or 30 times (batch) as long, e.g. `interactive=500,batch=2000` (the defaults)',
    ),
  BESTFRAME_REWINDS: int(0, 10).default(2).describe('Returns to upload under fresh keys, before it is held'),
  BESTFRAME_MAX_PAYMENTS: int(1, 5)
    .default(2)
    .describe('Calls of one verification that were or may have been paid, at most; a person may allow more'),
  BESTFRAME_UNKNOWN_OUTCOME: oneOf(['retry', 'review'])
    .default('retry')
    .describe(
      'A batch call of which nobody knows whether it was made: `retry` it within BESTFRAME_MAX_PAYMENTS, or hold it for `review`',
    ),
  BESTFRAME_HOLD_HOURS: int(1, 720)
    .default(168)
    .describe('How long a held verification waits for a person, before it fails'),
  BESTFRAME_REUSED_LIVE_DATA: oneOf(['refuse', 'warn'])
    .default('refuse')
    .describe(
      'A liveness package that was answered in another verification: `refuse` it before it is paid for, or only remember it',
    ),
  BESTFRAME_REUSE_DAYS: int(1, 365)
    .default(30)
    .describe('How long an answered liveness package is remembered, as a keyed digest'),
  BESTFRAME_KEEP_FRAMES_HOURS: int(0, 87_600)
    .default(24)
    .describe(
      'How long a BestFrame stays in the frames folder, or until it is acknowledged; 0: until somebody deletes it',
    ),
  BESTFRAME_KEEP_RECORDS_DAYS: int(1, 3_650)
    .default(30)
    .describe('How long a record is kept after its end; then only a keyed hash of its key is left, for a year'),
  BESTFRAME_DEMANDS: demands
    .default([])
    .describe(`What every verification must say, comma-separated: ${DEMANDS.join(', ')}`),
  BESTFRAME_KEY_RING: keyRing
    .default(new Map())
    .describe(
      'Encrypts sources, links, metadata and history in Redis (AES-256-GCM): `name:key,…`, each key 32 bytes in base64; the first seals, all open',
    ),
  BESTFRAME_WEBHOOK: text
    .refine((name) => webhookNameProblem(name) === null, 'is no name of an endpoint: use one that is registered')
    .optional()
    .describe('Name of the webhook endpoint that is told of verifications that name none ([webhooks](webhooks.md))'),
  BESTFRAME_WEBHOOKS: endpoints(webhookUrlProblem)
    .default([])
    .describe('Webhook endpoints of the notify workers, `name=https://…,…`, beside those of `bestframe webhooks add`'),
  BESTFRAME_WEBHOOK_SECRETS: endpoints(webhookSecretProblem)
    .optional()
    .describe('Their secrets, `name=whsec_…,…`; while one is rotated, two with the same name, the new one first'),
  BESTFRAME_WEBHOOK_ALLOW: allowedHosts
    .default([])
    .describe('Receivers on private addresses that may be told: host names, addresses, CIDR blocks, comma-separated'),
  BESTFRAME_LOG: oneOf(['json', 'pretty', 'silent'])
    .optional()
    .describe('`json`, `pretty` or `silent`; where it is not set, pretty on a terminal, else json'),
  BESTFRAME_LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least level that is logged: `debug`, `info`, `warn` or `error`'),
  BESTFRAME_DASHBOARD_HOST: text.default('127.0.0.1').describe('Address that the dashboard listens on'),
  BESTFRAME_DASHBOARD_PORT: int(0, 65_535).default(3_000).describe('Port of the dashboard; 0 takes a free one'),
  BESTFRAME_DASHBOARD_USER: text.optional().describe('User of the dashboard, an operator'),
  BESTFRAME_DASHBOARD_PASSWORD: text
    .min(8, 'is shorter than 8 characters: use a longer one')
    .optional()
    .describe('Password of the dashboard, 8 characters or more'),
  BESTFRAME_DASHBOARD_USERS: operators
    .default([])
    .describe(
      'More of them: `name=roles=password,…`; roles are `viewer`, `operator` and `frames`, joined by `+`, a password is what `bestframe dashboard --hash` prints. Without a password one is known by a proxy only',
    ),
  BESTFRAME_DASHBOARD_PROXIES: networks
    .default([])
    .describe('Addresses or networks of proxies whose word counts for who it is, e.g. `10.0.0.7,10.1.0.0/16`'),
  BESTFRAME_DASHBOARD_PROXY_HEADER: text
    .regex(/^[\w-]{1,64}$/, 'is not the name of a header: write letters, digits and -')
    .default('x-forwarded-user')
    .describe('Header in which such a proxy names the user'),
  BESTFRAME_API_HOST: text
    .default('127.0.0.1')
    .describe('Address that the HTTP API listens on; any but a loopback one only once there is an API key'),
  BESTFRAME_API_PORT: int(0, 65_535).default(8_080).describe('Port of the HTTP API; 0 takes a free one'),
  BESTFRAME_STAGING_DIR: text
    .optional()
    .describe(
      'Folder for files that come over HTTP, inside one of `BESTFRAME_FILE_ROOTS`, where the workers see it under the same path, and used by this deployment alone; where it is not set, no files are taken',
    ),
  BESTFRAME_AUDIT: text
    .default('stdout')
    .describe(
      'Where acts on faces, holds, gates and API keys are written, as JSON lines: a file that is appended to, `stdout` or `stderr`. What cannot be written is not done',
    ),
  BESTFRAME_ALLOW_PRIVATE_SOURCES: flag.default(false).describe('https sources on private addresses; for tests'),
  BESTFRAME_LEASE_MS: int(500, 60_000)
    .default(8_000)
    .describe('How long a worker that fell silent keeps its verification, ms'),
} as const;

export interface Credentials {
  readonly secretId: string;
  readonly secretKey: string;
  readonly token?: string;
}

export interface Config {
  readonly redis: RedisSettings;
  readonly prefix: string;
  readonly namespace: string;
  readonly tenant: string | undefined;
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
    readonly operators: readonly Operator[];
    readonly proxies: { readonly trusted: readonly string[]; readonly header: string };
  };
  readonly api: { readonly host: string; readonly port: number; readonly stagingDir: string | undefined };
  readonly audit: string;
  readonly allowPrivateSources: boolean;
  readonly leaseMs: number;
  readonly policy: Policy;
  readonly reuse: { readonly refuse: boolean; readonly ttlMs: number };
  readonly keepFramesMs: number;
  readonly recordTtlMs: number;
  readonly demands: readonly Demand[];
  readonly keyRing: KeyRing;
  /** Of verifications that name none. */
  readonly webhook: string | undefined;
  readonly webhooks: readonly WebhookEndpoint[];
  /** As NO_PROXY is written. */
  readonly webhookAllow: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws Failure INVALID_SETTINGS that names every setting at fault. */
export function readConfig(env: Env): Config {
  const given = Object.fromEntries(
    Object.keys(SETTINGS).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  );
  const parsed = z.object(SETTINGS).safeParse(given);
  const faults = parsed.success ? [] : parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`);
  for (const name of Object.keys(env)) {
    if (name.startsWith('BESTFRAME_') && !(name in SETTINGS))
      faults.push(`${name} is not a setting: remove it or correct its name`);
  }
  const credentials = readCredentials(given, faults);
  const redis = parsed.success ? redisOf(parsed.data, faults) : undefined;
  if (parsed.success) checkStaging(parsed.data, faults);
  const webhooks = parsed.success ? webhooksOf(parsed.data, faults) : [];
  if (!parsed.success || redis === undefined || faults.length > 0) throw invalid(faults);
  const s = parsed.data;
  const limits: Limits = {
    ...(s.BESTFRAME_QPS_DETECT === undefined ? {} : { DetectReflectLivenessAndCompare: s.BESTFRAME_QPS_DETECT }),
    ...(s.BESTFRAME_QPS_VIDEO === undefined ? {} : { VideoLivenessCompare: s.BESTFRAME_QPS_VIDEO }),
    ...(s.BESTFRAME_QPS_SEQUENCE === undefined ? {} : { GenerateReflectSequence: s.BESTFRAME_QPS_SEQUENCE }),
    ...(s.BESTFRAME_QPS_UPLOAD_URL === undefined ? {} : { CreateUploadUrl: s.BESTFRAME_QPS_UPLOAD_URL }),
  };
  return frozen({
    redis,
    prefix: s.BESTFRAME_PREFIX,
    namespace: s.BESTFRAME_NAMESPACE,
    tenant: s.BESTFRAME_TENANT,
    mode: s.BESTFRAME_MODE,
    regions: s.BESTFRAME_REGIONS,
    buckets: s.BESTFRAME_BUCKETS,
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
      operators: s.BESTFRAME_DASHBOARD_USERS,
      proxies: { trusted: s.BESTFRAME_DASHBOARD_PROXIES, header: s.BESTFRAME_DASHBOARD_PROXY_HEADER.toLowerCase() },
    },
    api: { host: s.BESTFRAME_API_HOST, port: s.BESTFRAME_API_PORT, stagingDir: s.BESTFRAME_STAGING_DIR },
    audit: s.BESTFRAME_AUDIT,
    allowPrivateSources: s.BESTFRAME_ALLOW_PRIVATE_SOURCES,
    leaseMs: s.BESTFRAME_LEASE_MS,
    policy: policyOf(s),
    reuse: { refuse: s.BESTFRAME_REUSED_LIVE_DATA === 'refuse', ttlMs: s.BESTFRAME_REUSE_DAYS * 86_400_000 },
    keepFramesMs: s.BESTFRAME_KEEP_FRAMES_HOURS * 3_600_000,
    recordTtlMs: s.BESTFRAME_KEEP_RECORDS_DAYS * 86_400_000,
    demands: s.BESTFRAME_DEMANDS,
    keyRing: s.BESTFRAME_KEY_RING,
    webhook: s.BESTFRAME_WEBHOOK,
    webhooks,
    webhookAllow: s.BESTFRAME_WEBHOOK_ALLOW.join(','),
  });
}

function redisOf(s: Parsed, faults: string[]): RedisSettings {
  const given = s.BESTFRAME_REDIS_URL ?? s.REDIS_URL ?? redisUrl.parse('redis://127.0.0.1:6379');
  const caFile = s.BESTFRAME_REDIS_CA_FILE;
  if (caFile === undefined) return given;
  if (!given.tls)
    faults.push(
      'BESTFRAME_REDIS_CA_FILE is set, and Redis is not reached by TLS: write rediss in its URL, or remove it',
    );
  return { ...given, caFile };
}

/** The workers read what is staged as any other file. */
function checkStaging({ BESTFRAME_STAGING_DIR: dir, BESTFRAME_FILE_ROOTS: roots }: Parsed, faults: string[]): void {
  if (dir === undefined) return;
  const inside = roots.some((root) => !/^\.\.(\/|$)/.test(relative(resolve(root), resolve(dir))));
  if (!inside)
    faults.push('BESTFRAME_STAGING_DIR is outside BESTFRAME_FILE_ROOTS: choose a folder in one of them, or add it');
}

function webhooksOf(s: Parsed, faults: string[]): WebhookEndpoint[] {
  const urls = new Map(s.BESTFRAME_WEBHOOKS);
  const given = s.BESTFRAME_WEBHOOK_SECRETS ?? [];
  const secretsOf = (name: string) => given.flatMap(([of, secret]) => (of === name ? [secret] : []));
  if (urls.size < s.BESTFRAME_WEBHOOKS.length) faults.push('BESTFRAME_WEBHOOKS names an endpoint twice: leave one');
  for (const name of urls.keys()) {
    if (secretsOf(name).length === 0)
      faults.push(`BESTFRAME_WEBHOOK_SECRETS has no secret for "${name}": deliveries are always signed`);
    if (secretsOf(name).length > 2)
      faults.push(`BESTFRAME_WEBHOOK_SECRETS has more than two secrets for "${name}": leave the newest two`);
  }
  for (const [name] of given) {
    if (!urls.has(name)) faults.push(`BESTFRAME_WEBHOOK_SECRETS names "${name}", which BESTFRAME_WEBHOOKS does not`);
  }
  return [...urls].map(([name, url]) => ({ name, url, secrets: secretsOf(name), events: null }));
}

type Parsed = z.output<z.ZodObject<typeof SETTINGS>>;

function policyOf(s: Parsed): Policy {
  const seconds = <Name extends string>(given: Readonly<Partial<Record<Name, number>>>) =>
    Object.fromEntries(Object.entries<number | undefined>(given).map(([name, value]) => [name, (value ?? 0) * 1_000]));
  const { attempts, stageMs, callMs, backoffMs } = DEFAULT_POLICY;
  const backoff = (lane: Lane) => {
    const first = s.BESTFRAME_BACKOFF_MS[lane] ?? backoffMs[lane].first;
    return { first, most: Math.round((first * backoffMs[lane].most) / backoffMs[lane].first) };
  };
  return {
    ...DEFAULT_POLICY,
    attempts: { ...attempts, ...s.BESTFRAME_ATTEMPTS },
    stageMs: { ...stageMs, ...seconds(s.BESTFRAME_STAGE_SECONDS) },
    callMs: { ...callMs, ...seconds(s.BESTFRAME_CALL_SECONDS) },
    backoffMs: { interactive: backoff('interactive'), batch: backoff('batch') },
    rewinds: s.BESTFRAME_REWINDS,
    maxPayments: s.BESTFRAME_MAX_PAYMENTS,
    unknownOutcome: s.BESTFRAME_UNKNOWN_OUTCOME,
    holdMs: s.BESTFRAME_HOLD_HOURS * 3_600_000,
  };
}

function readCredentials(given: Env, faults: string[]): Config['credentials'] {
  const secretId = given.TENCENTCLOUD_SECRET_ID;
  const secretKey = given.TENCENTCLOUD_SECRET_KEY;
  const token = given.TENCENTCLOUD_TOKEN;
  const file = given.BESTFRAME_CREDENTIALS_FILE;
  if (file !== undefined) {
    const beside = Object.keys(given).find((name) => name.startsWith('TENCENTCLOUD_') && given[name] !== undefined);
    if (beside !== undefined)
      faults.push(`BESTFRAME_CREDENTIALS_FILE and ${beside} are both set: use the file or the variables, not both`);
    return { file };
  }
  if (secretId === undefined && secretKey === undefined) {
    if (token !== undefined)
      faults.push('TENCENTCLOUD_TOKEN is set alone: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY too');
    return null;
  }
  if (secretId === undefined) faults.push('TENCENTCLOUD_SECRET_ID is missing beside TENCENTCLOUD_SECRET_KEY: set both');
  if (secretKey === undefined)
    faults.push('TENCENTCLOUD_SECRET_KEY is missing beside TENCENTCLOUD_SECRET_ID: set both');
  if (secretId === undefined || secretKey === undefined) return null;
  return { secretId, secretKey, ...(token === undefined ? {} : { token }) };
}

/** Inner objects too: settings are handed to everything. */
function frozen(config: Config): Config {
  const { redis, regions, fileRoots, credentials, limits, dashboard, api, policy, reuse, webhooks } = config;
  for (const inner of [redis, regions, fileRoots, credentials, limits, dashboard, api, policy, reuse, webhooks])
    Object.freeze(inner);
  return Object.freeze(config);
}

function invalid(faults: readonly string[]) {
  return inputFailure(
    CODES.INVALID_SETTINGS,
    'settings',
    `the settings are not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
  );
}
