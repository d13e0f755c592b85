/** Parts of the configuration that depend on several settings. Each function adds problems to `faults` and continues. */
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { type BreakerTuning, DEFAULT_BREAKERS } from '../domain/operations/breakers.ts';
import type { CostSettings } from '../domain/operations/costs.ts';
import type { WebhookEndpoint } from '../domain/operations/webhooks.ts';
import { LINK_CHECKS } from '../domain/verification/actions.ts';
import { namespaceProblem, TEST_NAMESPACE } from '../domain/verification/namespace.ts';
import { DEFAULT_POLICY, type Policy } from '../domain/verification/policy.ts';
import type { Lane } from '../domain/verification/request.ts';
import type { RedisSettings } from '../redis/redis-url.ts';
import { objectFolder, redisUrl } from './setting-parsers.ts';
import type { ParsedSettings } from './settings.ts';

export function deriveRedis(settings: ParsedSettings, faults: string[]): RedisSettings {
  const redis = settings.BESTFRAME_REDIS_URL ?? settings.REDIS_URL ?? redisUrl.parse('redis://127.0.0.1:6379');
  const caFile = settings.BESTFRAME_REDIS_CA_FILE;
  if (caFile === undefined) return redis;
  if (!redis.tls)
    faults.push(
      'BESTFRAME_REDIS_CA_FILE is set, but the Redis URL does not use TLS: write rediss in the URL, or remove this setting',
    );
  return { ...redis, caFile };
}

/**
 * The namespace from its variable or its file. Unset, it is undefined in live mode, and a fixed text in test mode.
 * The file is read once, like the variable.
 */
export function deriveNamespace(settings: ParsedSettings, faults: string[]): string | undefined {
  const { BESTFRAME_NAMESPACE: given, BESTFRAME_NAMESPACE_FILE: file, BESTFRAME_MODE: mode } = settings;
  const name = file === undefined ? 'BESTFRAME_NAMESPACE' : 'BESTFRAME_NAMESPACE_FILE';
  if (given !== undefined && file !== undefined)
    faults.push('BESTFRAME_NAMESPACE and BESTFRAME_NAMESPACE_FILE are both set: use one of them');
  const namespace = file === undefined ? given : readSecretFile(file);
  if (namespace === null) {
    faults.push('BESTFRAME_NAMESPACE_FILE cannot be read, or is empty: write it with `bestframe init --file`');
    return undefined;
  }
  if (mode === 'test') return namespace ?? TEST_NAMESPACE;
  const problem = namespace === undefined ? null : namespaceProblem(namespace);
  if (problem !== null) faults.push(`${name} ${problem}`);
  return namespace;
}

/** @returns the first line, or null. */
function readSecretFile(file: string): string | null {
  try {
    const [line = ''] = readFileSync(file, 'utf8').split('\n');
    return line.trim() === '' ? null : line.trim();
  } catch {
    return null;
  }
}

/** Where files sent over HTTP are staged. */
export type StagingPlace =
  | { readonly to: 'folder'; readonly dir: string }
  /** A folder in the own bucket of the verification's region. */
  | { readonly to: 'bucket'; readonly folder: string };

const BUCKET_FOLDER = 'cos:';

/** @returns null if the setting is unset or invalid. */
export function deriveStaging(settings: ParsedSettings, faults: string[]): StagingPlace | null {
  const { BESTFRAME_STAGING_DIR: dir } = settings;
  if (dir === undefined) return null;
  if (dir.startsWith(BUCKET_FOLDER)) return stagingInBucket(dir.slice(BUCKET_FOLDER.length), settings, faults);
  checkStagingDir(dir, settings, faults);
  return { to: 'folder', dir };
}

function stagingInBucket(folder: string, settings: ParsedSettings, faults: string[]): StagingPlace | null {
  const { BESTFRAME_BUCKETS: buckets, BESTFRAME_OBJECT_FOLDER: objects } = settings;
  const problem = objectFolder.safeParse(folder).error?.issues[0]?.message;
  if (problem !== undefined) {
    faults.push(`BESTFRAME_STAGING_DIR ${problem}; an example is cos:bestframe-staged`);
    return null;
  }
  if (buckets.size === 0)
    faults.push('BESTFRAME_STAGING_DIR is in your own buckets, and BESTFRAME_BUCKETS names none: name them');
  if (`${folder}/`.startsWith(`${objects}/`) || `${objects}/`.startsWith(`${folder}/`))
    faults.push(
      'BESTFRAME_STAGING_DIR and BESTFRAME_OBJECT_FOLDER overlap: choose another folder, because objects in the latter are deleted after a day',
    );
  return { to: 'bucket', folder };
}

/** Workers read a staged file like any other file, so the staging folder must lie inside a file root. */
function checkStagingDir(dir: string, { BESTFRAME_FILE_ROOTS: roots }: ParsedSettings, faults: string[]): void {
  const isInsideRoot = roots.some((root) => !/^\.\.(\/|$)/.test(relative(resolve(root), resolve(dir))));
  if (!isInsideRoot)
    faults.push('BESTFRAME_STAGING_DIR is outside BESTFRAME_FILE_ROOTS: choose a folder in one of them, or add it');
}

/** Evidence needs a bucket of its own in each region that is served, and a key that seals the answers. */
export function checkEvidence(settings: ParsedSettings, faults: string[]): void {
  const { BESTFRAME_EVIDENCE_BUCKETS: locked, BESTFRAME_BUCKETS: own, BESTFRAME_REGIONS: regions } = settings;
  if (locked.size === 0) {
    if (settings.BESTFRAME_EVIDENCE_DAYS > 0)
      faults.push('BESTFRAME_EVIDENCE_DAYS is set without BESTFRAME_EVIDENCE_BUCKETS: name a bucket with object lock');
    return;
  }
  if (settings.BESTFRAME_KEY_RING.size === 0)
    faults.push(
      'BESTFRAME_EVIDENCE_BUCKETS is set without BESTFRAME_KEY_RING, which seals the answers: set a key ring',
    );
  const without = regions.find((region) => !locked.has(region));
  if (without !== undefined)
    faults.push(`BESTFRAME_EVIDENCE_BUCKETS names no bucket for ${without}, which BESTFRAME_REGIONS names: add one`);
  const shared = [...locked.values()].find((name) => [...own.values()].includes(name));
  if (shared !== undefined)
    faults.push(
      `BESTFRAME_EVIDENCE_BUCKETS names ${shared}, which is in BESTFRAME_BUCKETS: use a bucket of its own, because uploads must be deleted and evidence cannot be`,
    );
}

/** The values of headers for sources are in files, so there must be a folder for them. */
export function checkSourceHeaders(settings: ParsedSettings, faults: string[]): void {
  if (settings.BESTFRAME_SOURCE_HEADERS.length > 0 && settings.BESTFRAME_SOURCE_HEADERS_DIR === undefined)
    faults.push(
      'BESTFRAME_SOURCE_HEADERS is set without BESTFRAME_SOURCE_HEADERS_DIR: name the folder with the files of the secrets',
    );
}

/** Prices and their currency belong together, and a budget in a currency needs the price of every action of a verification. */
export function deriveCosts(settings: ParsedSettings, faults: string[]): CostSettings {
  const { BESTFRAME_PRICES: perCall, BESTFRAME_CURRENCY: currency, BESTFRAME_BUDGET: budgets } = settings;
  if (perCall !== undefined && currency === undefined)
    faults.push('BESTFRAME_PRICES is set without BESTFRAME_CURRENCY: say in which currency, e.g. USD');
  if (perCall === undefined && currency !== undefined)
    faults.push('BESTFRAME_CURRENCY is set without BESTFRAME_PRICES: set the price of a call too, or remove it');
  for (const { unit } of budgets.filter((budget) => budget.unit !== 'calls')) {
    const missing = LINK_CHECKS.find((action) => perCall?.[action] === undefined);
    if (unit !== currency)
      faults.push(`BESTFRAME_BUDGET is in ${unit}, which is not BESTFRAME_CURRENCY: use one currency, or calls`);
    else if (missing !== undefined)
      faults.push(`BESTFRAME_BUDGET is in ${unit}, and BESTFRAME_PRICES has no price of ${missing}: add it`);
  }
  return {
    prices: perCall === undefined || currency === undefined ? null : { currency, perCall },
    budgets,
    offsetMs: settings.BESTFRAME_COST_UTC_OFFSET * 3_600_000,
  };
}

export function deriveWebhooks(settings: ParsedSettings, faults: string[]): WebhookEndpoint[] {
  const urls = new Map(settings.BESTFRAME_WEBHOOKS);
  const secrets = settings.BESTFRAME_WEBHOOK_SECRETS ?? [];
  const secretsOf = (endpoint: string) => secrets.flatMap(([name, secret]) => (name === endpoint ? [secret] : []));
  if (urls.size < settings.BESTFRAME_WEBHOOKS.length)
    faults.push('BESTFRAME_WEBHOOKS names an endpoint twice: keep one');
  for (const name of urls.keys()) {
    if (secretsOf(name).length === 0)
      faults.push(`BESTFRAME_WEBHOOK_SECRETS has no secret for "${name}": add one, since every delivery is signed`);
    if (secretsOf(name).length > 2)
      faults.push(`BESTFRAME_WEBHOOK_SECRETS has more than two secrets for "${name}": keep the newest two`);
  }
  for (const [name] of secrets) {
    if (!urls.has(name))
      faults.push(
        `BESTFRAME_WEBHOOK_SECRETS names "${name}", which BESTFRAME_WEBHOOKS does not: remove it or add it there`,
      );
  }
  return [...urls].map(([name, url]) => ({ name, url, secrets: secretsOf(name), events: null }));
}

export function derivePolicy(settings: ParsedSettings): Policy {
  const { attempts, stageMs, callMs, backoffMs } = DEFAULT_POLICY;
  // If a setting changes the first back-off, the longest one changes in proportion.
  const backoff = (lane: Lane) => {
    const first = settings.BESTFRAME_BACKOFF_MS[lane] ?? backoffMs[lane].first;
    return { first, most: Math.round((first * backoffMs[lane].most) / backoffMs[lane].first) };
  };
  return {
    ...DEFAULT_POLICY,
    attempts: { ...attempts, ...settings.BESTFRAME_ATTEMPTS },
    stageMs: { ...stageMs, ...inMs(settings.BESTFRAME_STAGE_SECONDS) },
    callMs: { ...callMs, ...inMs(settings.BESTFRAME_CALL_SECONDS) },
    backoffMs: { interactive: backoff('interactive'), batch: backoff('batch') },
    rewinds: settings.BESTFRAME_REWINDS,
    maxPayments: settings.BESTFRAME_MAX_PAYMENTS,
    unknownOutcome: settings.BESTFRAME_UNKNOWN_OUTCOME,
    holdMs: settings.BESTFRAME_HOLD_HOURS * 3_600_000,
  };
}

export function deriveBreakers({
  BESTFRAME_BREAKER: counts,
  BESTFRAME_BREAKER_MS: times,
}: ParsedSettings): BreakerTuning {
  const { failures, verifications, share, windowMs, firstProbeMs, longestProbeMs } = DEFAULT_BREAKERS;
  return {
    failures: counts.failures ?? failures,
    verifications: counts.verifications ?? verifications,
    share: counts.share === undefined ? share : counts.share / 100,
    windowMs: times.window ?? windowMs,
    firstProbeMs: times.firstProbe ?? firstProbeMs,
    longestProbeMs: times.longestProbe ?? longestProbeMs,
  };
}

function inMs(seconds: Readonly<Partial<Record<string, number>>>): Record<string, number> {
  return Object.fromEntries(Object.entries(seconds).map(([name, value = 0]) => [name, value * 1_000]));
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
type Protocol = (typeof PROTOCOLS)[number];

export interface TracingSettings {
  /** Null: tracing is off. */
  readonly protocol: Protocol | null;
  /** Undefined: each process has its own name. */
  readonly serviceName: string | undefined;
}

/** @param warnings gets a sentence if the settings ask for an exporter that Bestframe does not have. Tracing is then off. */
export function deriveTracing(settings: ParsedSettings, warnings: string[]): TracingSettings {
  const serviceName = settings.OTEL_SERVICE_NAME;
  const off = { protocol: null, serviceName };
  const exporter = settings.OTEL_TRACES_EXPORTER;
  const endpoint = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (settings.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return off;
  if (exporter === undefined && endpoint === undefined) return off;
  if (exporter !== undefined && exporter !== 'otlp') {
    warnings.push('OTEL_TRACES_EXPORTER is neither otlp nor none: no trace is exported');
    return off;
  }
  const asked = settings.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? settings.OTEL_EXPORTER_OTLP_PROTOCOL ?? PROTOCOLS[0];
  const protocol = PROTOCOLS.find((known) => known === asked);
  if (protocol !== undefined) return { protocol, serviceName };
  warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is none of ${PROTOCOLS.join(', ')}: no trace is exported`);
  return off;
}
