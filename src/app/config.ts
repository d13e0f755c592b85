/**
 * Reads the environment into one frozen, validated object. Only this module reads settings: entry points pass their environment
 * in. All invalid settings are reported together, each with its variable, the problem and the remedy.
 */

import { z } from 'zod';
import type { CredentialSettings } from '../adapters/credentials/index.ts';
import type { SourceHeader } from '../adapters/http/source-headers.ts';
import { type Failure, inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { BreakerTuning } from '../domain/operations/breakers.ts';
import type { CostSettings } from '../domain/operations/costs.ts';
import type { EvidenceSettings } from '../domain/operations/evidence.ts';
import { DEFAULT_LOGIN_LIMITS, type LoginLimits } from '../domain/operations/login-limits.ts';
import type { Operator } from '../domain/operations/operators.ts';
import type { SessionLimits } from '../domain/operations/sessions.ts';
import type { WebhookEndpoint } from '../domain/operations/webhooks.ts';
import type { Limits } from '../domain/verification/actions.ts';
import type { Policy } from '../domain/verification/policy.ts';
import type { Region } from '../domain/verification/regions.ts';
import type { RequirableField } from '../domain/verification/request.ts';
import type { RedisSettings } from '../redis/redis-url.ts';
import type { KeyRing } from '../redis/sealer.ts';
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from '../server/api/event-streams.ts';
import type { Edge } from '../server/edge.ts';
import { deriveCredentials, deriveEnvironmentKeys } from './derive-credentials.ts';
import {
  checkEvidence,
  checkSourceHeaders,
  deriveBreakers,
  deriveCosts,
  deriveNamespace,
  derivePolicy,
  deriveRedis,
  deriveStaging,
  deriveTracing,
  deriveWebhooks,
  type StagingPlace,
  type TracingSettings,
} from './derive-settings.ts';
import { isServiceLink, unknownSetting } from './platform-variables.ts';
import { deriveLimits } from './rate-settings.ts';
import { type ParsedSettings, SETTINGS } from './settings.ts';

export interface Config {
  readonly redis: RedisSettings;
  readonly prefix: string;
  /** Undefined only in live mode, if it is not set. */
  readonly namespace: string | undefined;
  readonly tenant: string | undefined;
  readonly mode: 'test' | 'live';
  readonly regions: readonly Region[];
  readonly buckets: ReadonlyMap<Region, string>;
  readonly objectFolder: string;
  readonly fileRoots: readonly string[];
  readonly framesDir: string;
  readonly spoolDir: string | undefined;
  readonly rewriteAof: boolean;
  readonly sourceHeaders: readonly SourceHeader[];
  readonly sourceHeadersDir: string | undefined;
  readonly credentials: CredentialSettings;
  readonly endpoint: string;
  readonly proxy: string | undefined;
  readonly noProxy: string | undefined;
  readonly caFile: string | undefined;
  readonly slots: number;
  readonly drainMs: number;
  /** 0: a worker that takes nothing is not ended. */
  readonly wedgedMs: number;
  readonly monitor: {
    readonly host: string;
    /** Undefined: no monitor port. */
    readonly port: number | undefined;
  };
  readonly limits: Limits;
  readonly log: 'json' | 'pretty' | 'silent' | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly dashboard: {
    readonly host: string;
    readonly port: number;
    readonly user: string | undefined;
    readonly password: string | undefined;
    readonly operators: readonly Operator[];
    readonly usersFile: string | undefined;
    readonly sessions: SessionLimits;
    /** Null if no proxy may name the user. */
    readonly identityProxy: { readonly header: string; readonly secret: string } | null;
  };
  readonly api: {
    readonly host: string;
    readonly port: number;
    /** Where files sent over HTTP are staged: in a folder, or in a folder of the own buckets. Null: files are refused. */
    readonly staging: StagingPlace | null;
    readonly streams: StreamLimits;
  };
  readonly audit: string;
  readonly loginLimits: LoginLimits;
  readonly edge: Edge;
  readonly allowPrivateSources: boolean;
  readonly leaseMs: number;
  readonly policy: Policy;
  readonly breakers: BreakerTuning;
  readonly costs: CostSettings;
  readonly reuse: { readonly refuse: boolean; readonly ttlMs: number; readonly photoRetries: number };
  readonly evidence: EvidenceSettings;
  readonly keepFramesMs: number;
  readonly keepSourcesMs: number;
  readonly recordTtlMs: number;
  readonly demands: readonly RequirableField[];
  /** Tenants whose numbers the metrics show. */
  readonly metricsTenants: readonly string[];
  readonly keyRing: KeyRing;
  /** Webhook endpoint for verifications that do not name one. */
  readonly webhook: string | undefined;
  readonly webhooks: readonly WebhookEndpoint[];
  /** Private webhook hosts that are allowed, in the syntax of NO_PROXY. */
  readonly webhookAllow: string;
  readonly tracing: TracingSettings;
  /** One sentence for each variable that has no effect: it looks like a setting but is not, or its value is not supported. */
  readonly warnings: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** @throws Failure INVALID_SETTINGS that names every faulty setting. */
export function readConfig(env: Env): Config {
  const names = Object.keys(SETTINGS);
  const given = Object.fromEntries(names.map((name) => [name, settingIn(env, name)]));
  const parsed = z.object(SETTINGS).safeParse(given);
  const faults = parsed.success ? [] : parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`);
  if ((given.BESTFRAME_MODE ?? 'live') === 'live' && env.NODE_TLS_REJECT_UNAUTHORIZED === '0')
    faults.push(
      'NODE_TLS_REJECT_UNAUTHORIZED is 0, so no certificate is checked: unset it, and name a CA in BESTFRAME_CA_FILE',
    );
  const environmentKeys = deriveEnvironmentKeys(given, faults);
  if (!parsed.success) throw invalidSettings(faults);
  const credentials = deriveCredentials(parsed.data, environmentKeys, faults);
  const redis = deriveRedis(parsed.data, faults);
  const staging = deriveStaging(parsed.data, faults);
  checkSourceHeaders(parsed.data, faults);
  checkEvidence(parsed.data, faults);
  const costs = deriveCosts(parsed.data, faults);
  const webhooks = deriveWebhooks(parsed.data, faults);
  const namespace = deriveNamespace(parsed.data, faults);
  if (faults.length > 0) throw invalidSettings(faults);
  const warnings = Object.entries(env)
    .filter(([name, value = '']) => name.startsWith('BESTFRAME_') && !(name in SETTINGS) && !isServiceLink(name, value))
    .map(([name]) => unknownSetting(name, names));
  const tracing = deriveTracing(parsed.data, warnings);
  return freezeConfig({
    ...simpleSettings(parsed.data),
    ...derivedSettings(parsed.data, staging),
    redis,
    credentials,
    costs,
    webhooks,
    namespace,
    tracing,
    warnings,
  });
}

/** An empty variable counts as unset, and so does one that the platform injected. */
function settingIn(env: Env, name: string): string | undefined {
  const value = env[name] ?? '';
  return value === '' || isServiceLink(name, value) ? undefined : value;
}

/** Settings that need no conversion, renamed from environment variables to the names used in the code. */
function simpleSettings(settings: ParsedSettings) {
  return {
    prefix: settings.BESTFRAME_PREFIX,
    tenant: settings.BESTFRAME_TENANT,
    mode: settings.BESTFRAME_MODE,
    regions: settings.BESTFRAME_REGIONS,
    buckets: settings.BESTFRAME_BUCKETS,
    objectFolder: settings.BESTFRAME_OBJECT_FOLDER,
    fileRoots: settings.BESTFRAME_FILE_ROOTS,
    framesDir: settings.BESTFRAME_FRAMES_DIR,
    spoolDir: settings.BESTFRAME_SPOOL_DIR,
    rewriteAof: settings.BESTFRAME_REWRITE_AOF,
    sourceHeaders: settings.BESTFRAME_SOURCE_HEADERS,
    sourceHeadersDir: settings.BESTFRAME_SOURCE_HEADERS_DIR,
    endpoint: settings.BESTFRAME_FACEID_ENDPOINT,
    caFile: settings.BESTFRAME_CA_FILE,
    slots: settings.BESTFRAME_SLOTS,
    drainMs: settings.BESTFRAME_DRAIN_MS,
    log: settings.BESTFRAME_LOG,
    logLevel: settings.BESTFRAME_LOG_LEVEL,
    audit: settings.BESTFRAME_AUDIT,
    allowPrivateSources: settings.BESTFRAME_ALLOW_PRIVATE_SOURCES,
    leaseMs: settings.BESTFRAME_LEASE_MS,
    demands: settings.BESTFRAME_DEMANDS,
    metricsTenants: settings.BESTFRAME_METRICS_TENANTS,
    keyRing: settings.BESTFRAME_KEY_RING,
    webhook: settings.BESTFRAME_WEBHOOK,
  };
}

function derivedSettings(settings: ParsedSettings, staging: StagingPlace | null) {
  return {
    proxy: settings.BESTFRAME_PROXY ?? settings.HTTPS_PROXY ?? settings.https_proxy,
    noProxy: settings.NO_PROXY ?? settings.no_proxy,
    limits: deriveLimits(settings),
    policy: derivePolicy(settings),
    breakers: deriveBreakers(settings),
    dashboard: {
      host: settings.BESTFRAME_DASHBOARD_HOST,
      port: settings.BESTFRAME_DASHBOARD_PORT,
      user: settings.BESTFRAME_DASHBOARD_USER,
      password: settings.BESTFRAME_DASHBOARD_PASSWORD,
      operators: settings.BESTFRAME_DASHBOARD_USERS,
      usersFile: settings.BESTFRAME_DASHBOARD_USERS_FILE,
      sessions: {
        lifeMs: settings.BESTFRAME_DASHBOARD_SESSION_HOURS * HOUR_MS,
        idleMs: settings.BESTFRAME_DASHBOARD_IDLE_MINUTES * 60_000,
      },
      identityProxy:
        settings.BESTFRAME_DASHBOARD_IDENTITY_SECRET === undefined
          ? null
          : {
              header: settings.BESTFRAME_DASHBOARD_IDENTITY_HEADER.toLowerCase(),
              secret: settings.BESTFRAME_DASHBOARD_IDENTITY_SECRET,
            },
    },
    wedgedMs: settings.BESTFRAME_WEDGED_SECONDS * 1_000,
    monitor: { host: settings.BESTFRAME_MONITOR_HOST, port: settings.BESTFRAME_MONITOR_PORT },
    api: {
      host: settings.BESTFRAME_API_HOST,
      port: settings.BESTFRAME_API_PORT,
      staging,
      streams: { ...DEFAULT_STREAM_LIMITS, ...settings.BESTFRAME_API_STREAMS },
    },
    reuse: {
      refuse: settings.BESTFRAME_REUSED_LIVE_DATA === 'refuse',
      ttlMs: settings.BESTFRAME_REUSE_DAYS * DAY_MS,
      photoRetries: settings.BESTFRAME_PHOTO_RETRIES,
    },
    evidence: {
      buckets: settings.BESTFRAME_EVIDENCE_BUCKETS,
      days: settings.BESTFRAME_EVIDENCE_DAYS,
      folder: settings.BESTFRAME_OBJECT_FOLDER,
    },
    keepFramesMs: settings.BESTFRAME_KEEP_FRAMES_HOURS * HOUR_MS,
    keepSourcesMs: settings.BESTFRAME_KEEP_SOURCES_HOURS * HOUR_MS,
    recordTtlMs: settings.BESTFRAME_KEEP_RECORDS_DAYS * DAY_MS,
    edge: { basePath: settings.BESTFRAME_BASE_PATH, trustedProxies: settings.BESTFRAME_TRUSTED_PROXIES },
    loginLimits: { ...DEFAULT_LOGIN_LIMITS, ...settings.BESTFRAME_LOGIN_FAILURES },
    webhookAllow: settings.BESTFRAME_WEBHOOK_ALLOW.join(','),
  };
}

/** Freezes nested objects too: the whole program shares them. */
function freezeConfig(config: Config): Config {
  const { redis, regions, fileRoots, credentials, limits, dashboard, api, policy, breakers, reuse, webhooks } = config;
  const nested = [redis, regions, fileRoots, credentials, limits, dashboard, api, policy, breakers, reuse, webhooks];
  for (const each of nested) Object.freeze(each);
  return Object.freeze(config);
}

function invalidSettings(faults: readonly string[]): Failure {
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  return inputFailure(CODES.INVALID_SETTINGS, 'settings', `the settings are not valid:\n${list}`);
}
