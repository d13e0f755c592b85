/** The options of `BestframeClient`, and how the client reads them. */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Mode } from '../../domain/verification/mode.ts';
import { TENANT_PATTERN } from '../../domain/verification/names.ts';
import { namespaceMissing, TEST_NAMESPACE } from '../../domain/verification/namespace.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { RequirableField } from '../../domain/verification/request.ts';
import { RECORD_TTL_MS, recordExpiryMs } from '../../redis/job-options.ts';
import { DEFAULT_PREFIX } from '../../redis/names.ts';
import { type RedisSettings, redisSettings } from '../../redis/redis-url.ts';
import { type KeyRing, parseKeyRing } from '../../redis/sealer.ts';
import type { StoreOptions } from './store.ts';

export interface ClientOptions {
  /**
   * Redis URL, in the syntax of BESTFRAME_REDIS_URL: one server, Sentinel or Cluster (docs/redis.md).
   * @example 'redis://127.0.0.1:6379'
   */
  readonly redis: string | RedisSettings;
  /** CAs that TLS trusts instead of the system's, as PEM. */
  readonly tls?: { readonly ca?: string };
  /**
   * Prefix of every key in Redis; must equal the workers' prefix.
   * @default '{bestframe}'
   */
  readonly prefix?: string;
  /**
   * The secret of the deployment, BESTFRAME_NAMESPACE: ids are computed with it. Must equal the workers' namespace. Needed for
   * everything that takes a key or a subject.
   * @default none; in mode `test` the namespace that a test deployment has if none is set
   */
  readonly namespace?: string | undefined;
  /**
   * The tenant, in a deployment that several tenants share. Keys and subjects belong to this tenant, and other tenants'
   * verifications are not visible. Without a tenant, keys belong to the deployment, and every verification is visible by its id.
   * @example 'acme'
   */
  readonly tenant?: string;
  /**
   * Mode of the verifications, stored in every record. If it differs from the deployment's mode, every request is refused
   * (MODE_MISMATCH).
   * @default the mode of the deployment; 'live' until its first worker has started
   */
  readonly mode?: Mode;
  /**
   * Folder for objects in the own buckets, as in BESTFRAME_OBJECT_FOLDER. A tenant's own prefix lies in it.
   * @default 'bestframe'
   */
  readonly objectFolder?: string;
  /** The own bucket of each region, as in BESTFRAME_BUCKETS. If absent, only the workers check the bucket of a tenant's place. */
  readonly buckets?: ReadonlyMap<Region, string>;
  /**
   * Folders in which `file` sources may lie. If set, files are checked before anything is stored. Leave this out if the process
   * cannot read the workers' files.
   */
  readonly fileRoots?: readonly string[];
  /**
   * Whether this client resolves the host of an `https` source, and refuses private addresses, before the worker does.
   * @default true
   */
  readonly checkHosts?: boolean;
  /**
   * The key ring, parsed or as in BESTFRAME_KEY_RING: `name:key,…`, each key 32 bytes in Base64. Must equal the workers' key
   * ring.
   */
  readonly keyRing?: string | KeyRing;
  /** Fields that every verification must have. A verification that lacks one is refused. */
  readonly demands?: readonly RequirableField[];
  /** Endpoint for verifications that do not name one. The endpoint must be registered. */
  readonly webhook?: string | undefined;
  /** Private hosts that a registered endpoint may have, in the syntax of BESTFRAME_WEBHOOK_ALLOW. */
  readonly webhookAllow?: string;
  /**
   * Audit log of what this client reads and changes, in the syntax of BESTFRAME_AUDIT. A line is written before each act; if it
   * cannot be written, the act is refused (AUDIT_UNAVAILABLE).
   * @default none
   */
  readonly audit?: string;
  /**
   * Name of the program or person in the audit log.
   * @example 'shop-backend'
   */
  readonly actor?: string;
  /**
   * How long a record is kept after the verification has ended, ms; must equal the workers' setting.
   * @default 2_592_000_000 (30 days)
   */
  readonly recordTtlMs?: number;
  /**
   * Tenants whose numbers the metrics show, as in BESTFRAME_METRICS_TENANTS.
   * @default none
   */
  readonly metricsTenants?: readonly string[];
  /**
   * How long to wait for the first connection, ms.
   * @default 3_000
   */
  readonly connectTimeoutMs?: number;
  /** (internal) Opens the connection to Redis. @default ioredis, for producers */
  readonly connect?: StoreOptions['connect'];
}

/** @throws Failure INVALID_SETTINGS, naming the option */
export function storeOptions(options: ClientOptions): StoreOptions {
  if (typeof options !== 'object' || options === null || options.redis === undefined) {
    const message =
      "redis is missing: give a Redis URL, e.g. { redis: 'redis://127.0.0.1:6379' }; over HTTP use BestframeHttpClient";
    throw inputFailure(CODES.INVALID_SETTINGS, 'redis', message);
  }
  const { redis, tls, prefix = DEFAULT_PREFIX, recordTtlMs = RECORD_TTL_MS, connectTimeoutMs = 3_000 } = options;
  return {
    redis: typeof redis === 'string' ? { ...redisSettings(redis, 'redis'), ...tls } : redis,
    prefix,
    keyRing: readKeyRing(options.keyRing),
    expiryMs: recordExpiryMs(recordTtlMs),
    connectTimeoutMs,
    connect: options.connect,
    tenant: readTenant(options.tenant),
  };
}

/** The namespace of the deployment. @throws Failure INVALID_SETTINGS if it is missing in live mode */
export function rootNamespace({ namespace, mode }: ClientOptions): string {
  if (namespace !== undefined) return namespace;
  if (mode === 'test') return TEST_NAMESPACE;
  throw namespaceMissing('namespace');
}

function readTenant(tenant: string | undefined): string | null {
  if (tenant === undefined || TENANT_PATTERN.test(tenant)) return tenant ?? null;
  const message =
    'tenant is not valid: use up to 40 small letters, digits and "-", with a letter or digit at both ends';
  throw inputFailure(CODES.INVALID_SETTINGS, 'tenant', message);
}

function readKeyRing(keyRing: string | KeyRing = new Map()): KeyRing {
  if (typeof keyRing !== 'string') return keyRing;
  try {
    return parseKeyRing(keyRing);
  } catch (error) {
    const message = `keyRing ${error instanceof Error ? error.message : 'is wrong'}`;
    throw inputFailure(CODES.INVALID_SETTINGS, 'keyRing', message);
  }
}
