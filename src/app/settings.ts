/**
 * Every setting with its format, default and description. `docs/settings.md` is generated from this table. An empty variable
 * counts as unset. Secrets have no default.
 */
import type { z } from 'zod';
import { webhookNameProblem, webhookSecretProblem, webhookUrlProblem } from '../domain/operations/webhooks.ts';
import { MODES } from '../domain/verification/mode.ts';
import { TENANT_PATTERN } from '../domain/verification/names.ts';
import { LIMITED_STAGES } from '../domain/verification/policy.ts';
import { REGIONS } from '../domain/verification/regions.ts';
import { LANES, REQUIRABLE_FIELDS } from '../domain/verification/request.ts';
import { DEFAULT_PREFIX } from '../redis/names.ts';
import { RATE_SETTINGS } from './rate-settings.ts';
import {
  bucketByRegion,
  budgetList,
  commaList,
  flag,
  headersByHost,
  hostList,
  hostName,
  keyRing,
  METADATA_URL,
  metadataUrl,
  networkList,
  numberByName,
  objectFolder,
  oneOf,
  operatorList,
  pricePerAction,
  proxyUrl,
  redisUrl,
  regionList,
  requiredFields,
  text,
  utcOffset,
  valuesByEndpoint,
  wholeNumber,
} from './setting-parsers.ts';

export const SETTINGS = {
  BESTFRAME_REDIS_URL: redisUrl
    .optional()
    .describe(
      'Redis address: `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` for TLS ([forms](redis.md)). If unset: `REDIS_URL`, then `redis://127.0.0.1:6379`',
    ),
  REDIS_URL: redisUrl.optional().describe('Used if `BESTFRAME_REDIS_URL` is unset'),
  BESTFRAME_REDIS_CA_FILE: text
    .optional()
    .describe('PEM file of the CA that signed the Redis certificate, if the system does not trust it. Needs `rediss`'),
  BESTFRAME_PREFIX: text
    .regex(
      /^\{[A-Za-z0-9_.-]{1,40}\}$/,
      'is not a hash tag: write letters, digits, ".", "_", "-" in braces: {bestframe}',
    )
    .default(DEFAULT_PREFIX)
    .describe('Prefix of all Redis keys, as a Cluster hash tag. Clients and workers must use the same one'),
  BESTFRAME_NAMESPACE: text
    .max(256, 'is longer than 256 characters: use a shorter one')
    .optional()
    .describe(
      'Secret of the deployment: ids, subjects, receipts and digests are computed with it. The same for all processes and clients, for good. `bestframe init` makes one. Required in live mode',
    ),
  BESTFRAME_NAMESPACE_FILE: text
    .optional()
    .describe('File that contains the namespace, instead of `BESTFRAME_NAMESPACE`. `bestframe init --file` writes it'),
  BESTFRAME_TENANT: text
    .regex(
      TENANT_PATTERN,
      'is not a tenant name: write lower-case letters, digits and "-", up to 40, with a letter or digit at both ends',
    )
    .optional()
    .describe(
      'Tenant whose keys and subjects the command line works with, if tenants share the deployment. If unset: the deployment’s own',
    ),
  BESTFRAME_METRICS_TENANTS: commaList
    .refine(
      (names) => names.every((name) => TENANT_PATTERN.test(name)),
      'has an entry that is not a tenant name: correct it',
    )
    .default([])
    .describe(
      'Tenants that the metrics show by name, comma-separated. All others appear only in the sums ([metrics](metrics.md))',
    ),
  BESTFRAME_MODE: oneOf(MODES)
    .default('live')
    .describe('`live` calls Tencent, `test` calls the emulator. Stored in every record'),
  BESTFRAME_REGIONS: regionList
    .default(['ap-singapore'])
    .describe(`Regions that the workers serve, comma-separated: ${REGIONS.join(', ')}`),
  BESTFRAME_BUCKETS: bucketByRegion
    .default(new Map())
    .describe(
      'Your own bucket in each region: `ap-singapore=name-appid,…`. A region without one supports only the upload way `create-upload-url`',
    ),
  BESTFRAME_OBJECT_FOLDER: objectFolder.default('bestframe').describe('Folder for objects in your own buckets'),
  BESTFRAME_FILE_ROOTS: commaList
    .default([])
    .describe('Folders that `file` sources may come from, comma-separated. If empty, `file` sources are refused'),
  BESTFRAME_FRAMES_DIR: text.default('./frames').describe('Folder that BestFrames are written to'),
  BESTFRAME_SPOOL_DIR: text
    .optional()
    .describe(
      'Folder for spooling https sources, in unlinked private files. If unset: the system’s folder for temporary files',
    ),
  BESTFRAME_SOURCE_HEADERS: headersByHost
    .default([])
    .describe(
      'Headers for hosts of https sources: `host=header:secret,…`. A header is sent only to exactly this host. Its value is in the file `secret` of `BESTFRAME_SOURCE_HEADERS_DIR`',
    ),
  BESTFRAME_SOURCE_HEADERS_DIR: text
    .optional()
    .describe('Folder with a file for each secret of `BESTFRAME_SOURCE_HEADERS`. Read again for each request'),
  TENCENTCLOUD_SECRET_ID: text
    .optional()
    .describe('SecretId of the Tencent Cloud credentials. [All sources of keys](deployment.md#credentials), in order'),
  TENCENTCLOUD_SECRET_KEY: text.optional().describe('SecretKey of the Tencent Cloud credentials'),
  TENCENTCLOUD_TOKEN: text.optional().describe('Token of temporary Tencent Cloud credentials'),
  BESTFRAME_CREDENTIALS_FILE: text
    .optional()
    .describe(
      'JSON file `{secretId, secretKey, token?, expiresAt?}` that replaces the `TENCENTCLOUD_*` variables. Read again when it changes',
    ),
  TENCENTCLOUD_CREDENTIALS_FILE: text
    .optional()
    .describe(
      'Profile file of Tencent’s SDKs; its section `[default]` has `secret_id` and `secret_key`. If unset: `~/.tencentcloud/credentials`, if it exists',
    ),
  HOME: text.optional().describe('Home folder, for the profile file'),
  TKE_REGION: text.optional().describe('Region of the STS call for a TKE pod. TKE sets the `TKE_*` variables itself'),
  TKE_PROVIDER_ID: text.optional().describe('Identity provider of a TKE pod'),
  TKE_WEB_IDENTITY_TOKEN_FILE: text.optional().describe('File with the identity token of a TKE pod'),
  TKE_ROLE_ARN: text.optional().describe('Role of a TKE pod'),
  BESTFRAME_INSTANCE_ROLE: text
    .regex(/^[\w+=,.@-]{1,128}$/, 'is not a role name: write the name of the role, or auto')
    .optional()
    .describe(
      'Allows the keys of the role that is bound to this CVM instance: the name of the role, or `auto` for the one that is bound. If unset, the metadata service is never asked',
    ),
  BESTFRAME_METADATA_URL: metadataUrl
    .default(METADATA_URL)
    .describe('Base URL of the metadata service. Another one than Tencent’s is allowed only in test mode, on loopback'),
  BESTFRAME_ROLE_ARN: text
    .regex(
      /^qcs::cam::uin\/\d+:role(Name)?\/[\w+=,.@/-]{1,200}$/,
      'is not a role: write qcs::cam::uin/<account>:roleName/<name>',
    )
    .optional()
    .describe(
      'Role to assume with the keys, e.g. `qcs::cam::uin/100000000001:roleName/bestframe-worker`. Its keys are renewed before they expire',
    ),
  BESTFRAME_ROLE_SESSION: text
    .regex(/^[\w+=,.@-]{2,128}$/, 'is not a session name: write 2 to 128 letters, digits and =,.@_-')
    .default('bestframe')
    .describe('Session name of an assumed role, for Tencent’s audit log'),
  BESTFRAME_ROLE_SECONDS: wholeNumber(60, 43_200).default(7_200).describe('How long the keys of an assumed role live'),
  BESTFRAME_STS_ENDPOINT: hostName.default('sts.intl.tencentcloudapi.com').describe('Host of the STS API'),
  BESTFRAME_FACEID_ENDPOINT: hostName.default('faceid.intl.tencentcloudapi.com').describe('Host of the FaceID API'),
  BESTFRAME_PROXY: proxyUrl
    .optional()
    .describe('Egress proxy, `http://host:port`. If unset: `HTTPS_PROXY`, then `https_proxy`'),
  HTTPS_PROXY: proxyUrl.optional().describe('Used if `BESTFRAME_PROXY` is unset'),
  https_proxy: proxyUrl.optional().describe('Used if `HTTPS_PROXY` is unset'),
  NO_PROXY: text.optional().describe('Hosts to reach without the proxy, comma-separated'),
  no_proxy: text.optional().describe('Used if `NO_PROXY` is unset'),
  BESTFRAME_CA_FILE: text
    .optional()
    .describe('PEM file of a CA to trust in addition to the system’s, e.g. of an egress proxy or the emulator'),
  BESTFRAME_SLOTS: wholeNumber(1, 200)
    .default(8)
    .describe('Number of verifications that one worker process runs at the same time in each of its regions'),
  BESTFRAME_DRAIN_MS: wholeNumber(0, 600_000)
    .default(30_000)
    .describe('How long a worker waits for running verifications after SIGTERM, in ms'),
  ...RATE_SETTINGS,
  BESTFRAME_ATTEMPTS: numberByName(LIMITED_STAGES, 1, 100)
    .default({})
    .describe(
      'Attempts at each stage before a verification fails; a frame is fetched for as long as its link lives. Defaults: `upload=6,md5=6,detect=5`',
    ),
  BESTFRAME_STAGE_SECONDS: numberByName(['upload', 'md5', 'download'], 1, 3_600)
    .default({})
    .describe('Time limit for one attempt at a stage. Defaults: `upload=120,md5=60,download=60`'),
  BESTFRAME_CALL_SECONDS: numberByName(LANES, 1, 120)
    .default({})
    .describe('Time limit for the paid call, by lane. Defaults: `interactive=15,batch=30`'),
  BESTFRAME_BACKOFF_MS: numberByName(LANES, 10, 600_000)
    .default({})
    .describe(
      'First back-off by lane, in ms. It doubles each time, up to 10 times its length (interactive) or 30 times (batch). Defaults: `interactive=500,batch=2000`',
    ),
  BESTFRAME_BREAKER: numberByName(['failures', 'verifications', 'share'], 1, 1_000)
    .default({})
    .describe(
      'When a service counts as down: failures, verifications that met them, and percent of recent calls. Defaults: `failures=5,verifications=3,share=50`',
    ),
  BESTFRAME_BREAKER_MS: numberByName(['window', 'firstProbe', 'longestProbe'], 10, 600_000)
    .default({})
    .describe(
      'How long calls count as recent, and the waits between probes of a service that is down, in ms. Defaults: `window=5000,firstProbe=2000,longestProbe=30000`',
    ),
  BESTFRAME_REWINDS: wholeNumber(0, 10)
    .default(2)
    .describe('How often a verification may return to upload, under fresh object keys, before it is held for review'),
  BESTFRAME_MAX_PAYMENTS: wholeNumber(1, 5)
    .default(2)
    .describe(
      'Largest number of paid calls for one verification, counting calls that may have been paid. An operator may allow more',
    ),
  BESTFRAME_UNKNOWN_OUTCOME: oneOf(['retry', 'review'])
    .default('retry')
    .describe(
      'What to do if nobody knows whether a batch call reached Tencent: `retry` within `BESTFRAME_MAX_PAYMENTS`, or hold for `review`',
    ),
  BESTFRAME_PRICES: pricePerAction
    .optional()
    .describe(
      'Price of one call by action, in `BESTFRAME_CURRENCY`, e.g. `DetectReflectLivenessAndCompare=0.15,VideoLivenessCompare=0.20`. If unset, costs are counted in calls ([costs](costs.md))',
    ),
  BESTFRAME_CURRENCY: text
    .regex(/^[A-Z]{3}$/, 'is not a currency: write three capital letters, e.g. USD')
    .optional()
    .describe('Currency of `BESTFRAME_PRICES`, e.g. `USD`'),
  BESTFRAME_BUDGET: budgetList
    .default([])
    .describe(
      'The most that may be spent in a day, a month or both, e.g. `day=500calls,month=2500USD`. Workers warn at 80 % and close the gate when it is spent ([costs](costs.md#budget))',
    ),
  BESTFRAME_COST_UTC_OFFSET: utcOffset
    .default(0)
    .describe('Hours from UTC at which days and months of the costs start, from -12 to 14'),
  BESTFRAME_HOLD_HOURS: wholeNumber(1, 720)
    .default(168)
    .describe('How long a held verification waits for an operator before it fails'),
  BESTFRAME_REUSED_LIVE_DATA: oneOf(['refuse', 'warn'])
    .default('refuse')
    .describe(
      'What to do with a liveness package that was already answered in another verification: `refuse` it before the paid call, or record a warning (`warn`)',
    ),
  BESTFRAME_REUSE_DAYS: wholeNumber(1, 365)
    .default(30)
    .describe('How long an answered liveness package is remembered, as a keyed digest'),
  BESTFRAME_PHOTO_RETRIES: wholeNumber(0, 9)
    .default(3)
    .describe(
      'How many further photos a liveness package may be checked against while the answers were only that the photo cannot be used',
    ),
  BESTFRAME_KEEP_FRAMES_HOURS: wholeNumber(0, 87_600)
    .default(24)
    .describe(
      'How long a BestFrame stays in the frames folder if nobody acknowledges it. 0 keeps it until somebody deletes it',
    ),
  BESTFRAME_KEEP_SOURCES_HOURS: wholeNumber(0, 168)
    .default(24)
    .describe(
      'How long the sources of a failed verification are kept, so that it can be [retried](decisions/retry.md). Files that came over HTTP are kept as long. 0 drops them at its end',
    ),
  BESTFRAME_EVIDENCE_BUCKETS: bucketByRegion
    .default(new Map())
    .describe(
      'Bucket with object lock in each region, for [copies of what decisions were based on](decisions/evidence.md): `ap-singapore=name-appid,…`. Needs `BESTFRAME_KEY_RING`. If unset, nothing is copied',
    ),
  BESTFRAME_EVIDENCE_DAYS: wholeNumber(0, 36_500)
    .default(0)
    .describe(
      'For how many days these copies are locked; then they are deleted. 0 copies nothing, except for tenants whose policy says so (`evidenceDays`)',
    ),
  BESTFRAME_KEEP_RECORDS_DAYS: wholeNumber(1, 3_650)
    .default(30)
    .describe('How long a record is kept after its end. After that, a keyed hash of its key remains for a year'),
  BESTFRAME_DEMANDS: requiredFields
    .default([])
    .describe(`Fields that every verification must provide, comma-separated: ${REQUIRABLE_FIELDS.join(', ')}`),
  BESTFRAME_REWRITE_AOF: flag
    .default(false)
    .describe(
      'Whether the erase workers ask Redis to rewrite its append-only file after erasures on demand, at most once an hour. The Redis user needs `BGREWRITEAOF`',
    ),
  BESTFRAME_KEY_RING: keyRing
    .default(new Map())
    .describe(
      'Keys that encrypt sources, links, metadata and history in Redis (AES-256-GCM): `name:key,…`, each key 32 bytes in Base64. The first key encrypts, all of them decrypt',
    ),
  BESTFRAME_WEBHOOK: text
    .refine((name) => webhookNameProblem(name) === null, 'is not an endpoint name: use a registered one')
    .optional()
    .describe('Webhook endpoint for verifications that name none ([webhooks](webhooks.md))'),
  BESTFRAME_WEBHOOKS: valuesByEndpoint(webhookUrlProblem)
    .default([])
    .describe(
      'Webhook endpoints for the notify workers, `name=https://…,…`, in addition to those added with `bestframe webhooks add`',
    ),
  BESTFRAME_WEBHOOK_SECRETS: valuesByEndpoint(webhookSecretProblem)
    .optional()
    .describe(
      'Secrets of these endpoints, `name=whsec_…,…`. During a rotation, list two secrets under the same name, the new one first',
    ),
  BESTFRAME_WEBHOOK_ALLOW: hostList
    .default([])
    .describe('Private addresses that webhooks may be sent to: host names, addresses or CIDR blocks, comma-separated'),
  BESTFRAME_WEDGED_SECONDS: wholeNumber(0, 86_400)
    .default(600)
    .describe(
      'After how many seconds a worker process ends itself with exit code 4, if it takes no job although work waits, it has free slots, Redis answers and the gate is open. 0 never',
    ),
  BESTFRAME_MONITOR_HOST: text
    .default('127.0.0.1')
    .describe(
      'Address that the monitor port listens on. It has no login: let only Prometheus and health checks reach it',
    ),
  BESTFRAME_MONITOR_PORT: wholeNumber(0, 65_535)
    .optional()
    .describe(
      'Port for `/livez`, `/readyz` and `/metrics` of each worker, API and dashboard process ([health](deployment.md#health)). 0 picks a free one. If unset, there is none',
    ),
  BESTFRAME_LOG: oneOf(['json', 'pretty', 'silent'])
    .optional()
    .describe('Log format: `json`, `pretty` or `silent`. If unset: `pretty` on a terminal, else `json`'),
  BESTFRAME_LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Lowest level to log: `debug`, `info`, `warn` or `error`'),
  BESTFRAME_DASHBOARD_HOST: text.default('127.0.0.1').describe('Address that the dashboard listens on'),
  BESTFRAME_DASHBOARD_PORT: wholeNumber(0, 65_535).default(3_000).describe('Port of the dashboard. 0 picks a free one'),
  BESTFRAME_DASHBOARD_USER: text.optional().describe('Name of a dashboard user with the role `operator`'),
  BESTFRAME_DASHBOARD_PASSWORD: text
    .min(8, 'is shorter than 8 characters: use a longer one')
    .optional()
    .describe('Password of that user, 8 characters or more'),
  BESTFRAME_DASHBOARD_USERS: operatorList
    .default([])
    .describe(
      'More dashboard users: `name=roles=password,…`. Roles are `viewer`, `operator` and `frames`, joined by `+`. `bestframe dashboard --hash` prints the password to write here. A user without a password can only log in through a trusted proxy',
    ),
  BESTFRAME_DASHBOARD_USERS_FILE: text
    .optional()
    .describe(
      'File with more dashboard users, one `name=roles=password` in a line. Read again when it changes: a user who is removed is logged out at once',
    ),
  BESTFRAME_DASHBOARD_SESSION_HOURS: wholeNumber(1, 720).default(8).describe('A login ends after this many hours'),
  BESTFRAME_DASHBOARD_IDLE_MINUTES: wholeNumber(1, 10_080)
    .default(60)
    .describe('A login ends when it was not used for this many minutes. A page that refreshes itself uses it'),
  BESTFRAME_DASHBOARD_IDENTITY_SECRET: text
    .min(32, 'is shorter than 32 characters: use a longer one, e.g. of `openssl rand -hex 32`')
    .optional()
    .describe(
      'Secret of an identity proxy, which sends it in `X-Bestframe-Proxy-Secret`. With it, the proxy may name the dashboard user ([proxies](deployment.md#behind-a-proxy))',
    ),
  BESTFRAME_DASHBOARD_IDENTITY_HEADER: text
    .regex(/^[\w-]{1,64}$/, 'is not a header name: write letters, digits and -')
    .default('x-forwarded-user')
    .describe('Header in which the identity proxy names the user'),
  BESTFRAME_TRUSTED_PROXIES: networkList
    .default([])
    .describe(
      'Addresses or networks of TLS proxies in front of the dashboard and the HTTP API, e.g. `10.0.0.7,10.1.0.0/16`. Their `X-Forwarded-For`, `-Proto` and `-Host` count: real client addresses, `Secure` cookies, HSTS',
    ),
  BESTFRAME_BASE_PATH: text
    .regex(
      /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/,
      'is not a path: begin with "/" and end without one, e.g. /faces/ops',
    )
    .default('')
    .describe(
      'Path under which a proxy shows this service, e.g. `/faces/ops`. The proxy may pass the path on or remove it',
    ),
  BESTFRAME_LOGIN_FAILURES: numberByName(['pair', 'address', 'user'], 1, 100_000)
    .default({})
    .describe(
      'Failed logins in five minutes after which further ones are refused without a check: of one name from one address (`pair`), from one address, and of one name (`user`). Names are those of dashboard users and API keys. Defaults: `pair=10,address=50,user=100`',
    ),
  BESTFRAME_API_HOST: text
    .default('127.0.0.1')
    .describe('Address that the HTTP API listens on. An address other than loopback requires that an API key exists'),
  BESTFRAME_API_PORT: wholeNumber(0, 65_535).default(8_080).describe('Port of the HTTP API. 0 picks a free one'),
  BESTFRAME_API_STREAMS: numberByName(['key', 'process'], 1, 100_000)
    .default({})
    .describe(
      'Event streams that may be open at the same time in one API process: of one key, and of all. Defaults: `key=20,process=500`',
    ),
  BESTFRAME_STAGING_DIR: text
    .optional()
    .describe(
      'Where files uploaded over HTTP wait for the workers. `cos:<folder>`, e.g. `cos:bestframe-staged`: a folder in your own bucket of the region, so that API and workers need no common disk. Otherwise a folder on a disk: it must lie inside one of `BESTFRAME_FILE_ROOTS`, and have the same path on the workers. Either belongs to this deployment alone. If unset, file uploads are refused',
    ),
  BESTFRAME_AUDIT: text
    .default('stdout')
    .describe(
      'Audit log for actions on faces, held verifications, gates and API keys, as JSON Lines: a file to append to, `stdout` or `stderr`. An action that cannot be logged is refused',
    ),
  BESTFRAME_ALLOW_PRIVATE_SOURCES: flag
    .default(false)
    .describe('Allows https sources on private addresses. For tests only'),
  BESTFRAME_LEASE_MS: wholeNumber(500, 60_000)
    .default(8_000)
    .describe('How long a worker keeps its verification after it stops responding, in ms'),
  OTEL_TRACES_EXPORTER: text
    .optional()
    .describe(
      '`otlp` exports [traces](metrics.md#traces), `none` exports none. If unset: `otlp` if an endpoint is set',
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: text
    .optional()
    .describe('Base URL of the OTLP collector, to which `/v1/traces` is added, e.g. `http://127.0.0.1:4318`'),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text
    .optional()
    .describe('Whole URL for traces, instead of `OTEL_EXPORTER_OTLP_ENDPOINT`'),
  OTEL_EXPORTER_OTLP_PROTOCOL: text
    .optional()
    .describe('`http/protobuf` or `http/json`. If unset: `http/protobuf`. With `grpc`, no trace is exported'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: text
    .optional()
    .describe('Protocol for traces, instead of `OTEL_EXPORTER_OTLP_PROTOCOL`'),
  OTEL_EXPORTER_OTLP_HEADERS: text
    .optional()
    .describe('Headers for the collector, `name=value,…`. They may contain a secret'),
  OTEL_SERVICE_NAME: text
    .optional()
    .describe(
      'Name of the service in traces. If unset: `bestframe-` and the name of the process, e.g. `bestframe-verify`',
    ),
  OTEL_RESOURCE_ATTRIBUTES: text
    .optional()
    .describe('Attributes of the service in traces, e.g. `deployment.environment.name=production`'),
  OTEL_TRACES_SAMPLER: text
    .optional()
    .describe(
      'Which traces are exported, e.g. `parentbased_traceidratio`. If unset: all, except those that the caller did not sample',
    ),
  OTEL_TRACES_SAMPLER_ARG: text.optional().describe('Argument of the sampler, e.g. `0.1` for a tenth'),
  OTEL_SDK_DISABLED: text.optional().describe('`true` switches tracing off'),
} as const;

/** The settings as parsed, under the names of their variables. */
export type ParsedSettings = z.output<z.ZodObject<typeof SETTINGS>>;
