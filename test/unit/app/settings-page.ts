/** Generates docs/settings.md from the settings and the table of actions. */
import { SETTINGS } from '../../../src/app/settings.ts';
import {
  ACTION_NAMES,
  defaultQps,
  GATED_ACTIONS,
  resourcesOf,
  SEQUENCE,
  SEQUENCE_CALL,
} from '../../../src/domain/verification/actions.ts';

type Name = keyof typeof SETTINGS;

export const GROUPS: readonly (readonly [title: string, names: readonly Name[]])[] = [
  [
    'Redis',
    [
      'BESTFRAME_REDIS_URL',
      'REDIS_URL',
      'BESTFRAME_REDIS_CA_FILE',
      'BESTFRAME_PREFIX',
      'BESTFRAME_NAMESPACE',
      'BESTFRAME_NAMESPACE_FILE',
      'BESTFRAME_TENANT',
      'BESTFRAME_METRICS_TENANTS',
    ],
  ],
  [
    'Tencent Cloud',
    [
      'BESTFRAME_MODE',
      'BESTFRAME_REGIONS',
      'BESTFRAME_FACEID_ENDPOINT',
      'BESTFRAME_QPS_DETECT',
      'BESTFRAME_QPS_VIDEO',
      'BESTFRAME_QPS_COMPARE',
      'BESTFRAME_QPS_OPINION',
      'BESTFRAME_QPS_SEQUENCE',
      'BESTFRAME_QPS_UPLOAD_URL',
      ...(['SDK', 'FACEID', 'LIVENESS', 'WEB'] as const).flatMap((flow) => [
        `BESTFRAME_QPS_${flow}_START` as const,
        `BESTFRAME_QPS_${flow}_RESULT` as const,
      ]),
    ],
  ],
  [
    'Credentials',
    [
      'TENCENTCLOUD_SECRET_ID',
      'TENCENTCLOUD_SECRET_KEY',
      'TENCENTCLOUD_TOKEN',
      'BESTFRAME_CREDENTIALS_FILE',
      'TENCENTCLOUD_CREDENTIALS_FILE',
      'HOME',
      'TKE_REGION',
      'TKE_PROVIDER_ID',
      'TKE_WEB_IDENTITY_TOKEN_FILE',
      'TKE_ROLE_ARN',
      'BESTFRAME_INSTANCE_ROLE',
      'BESTFRAME_METADATA_URL',
      'BESTFRAME_ROLE_ARN',
      'BESTFRAME_ROLE_SESSION',
      'BESTFRAME_ROLE_SECONDS',
      'BESTFRAME_STS_ENDPOINT',
    ],
  ],
  [
    'Resources and frames',
    [
      'BESTFRAME_BUCKETS',
      'BESTFRAME_OBJECT_FOLDER',
      'BESTFRAME_FILE_ROOTS',
      'BESTFRAME_FRAMES_DIR',
      'BESTFRAME_SPOOL_DIR',
      'BESTFRAME_SOURCE_HEADERS',
      'BESTFRAME_SOURCE_HEADERS_DIR',
      'BESTFRAME_ALLOW_PRIVATE_SOURCES',
    ],
  ],
  ['Network', ['BESTFRAME_PROXY', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy', 'BESTFRAME_CA_FILE']],
  [
    'Policy',
    [
      'BESTFRAME_ATTEMPTS',
      'BESTFRAME_BREAKER',
      'BESTFRAME_BREAKER_MS',
      'BESTFRAME_STAGE_SECONDS',
      'BESTFRAME_CALL_SECONDS',
      'BESTFRAME_BACKOFF_MS',
      'BESTFRAME_REWINDS',
      'BESTFRAME_MAX_PAYMENTS',
      'BESTFRAME_PRICES',
      'BESTFRAME_CURRENCY',
      'BESTFRAME_BUDGET',
      'BESTFRAME_COST_UTC_OFFSET',
      'BESTFRAME_UNKNOWN_OUTCOME',
      'BESTFRAME_HOLD_HOURS',
      'BESTFRAME_REUSED_LIVE_DATA',
      'BESTFRAME_REUSE_DAYS',
      'BESTFRAME_PHOTO_RETRIES',
    ],
  ],
  [
    'Privacy',
    [
      'BESTFRAME_KEEP_FRAMES_HOURS',
      'BESTFRAME_KEEP_SOURCES_HOURS',
      'BESTFRAME_KEEP_RECORDS_DAYS',
      'BESTFRAME_EVIDENCE_BUCKETS',
      'BESTFRAME_EVIDENCE_DAYS',
      'BESTFRAME_DEMANDS',
      'BESTFRAME_KEY_RING',
      'BESTFRAME_REWRITE_AOF',
    ],
  ],
  ['Webhooks', ['BESTFRAME_WEBHOOK', 'BESTFRAME_WEBHOOKS', 'BESTFRAME_WEBHOOK_SECRETS', 'BESTFRAME_WEBHOOK_ALLOW']],
  [
    'Workers',
    [
      'BESTFRAME_SLOTS',
      'BESTFRAME_DRAIN_MS',
      'BESTFRAME_LEASE_MS',
      'BESTFRAME_WEDGED_SECONDS',
      'BESTFRAME_LOG',
      'BESTFRAME_LOG_LEVEL',
    ],
  ],
  ['Monitoring', ['BESTFRAME_MONITOR_HOST', 'BESTFRAME_MONITOR_PORT']],
  [
    'Tracing',
    [
      'OTEL_TRACES_EXPORTER',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_SERVICE_NAME',
      'OTEL_RESOURCE_ATTRIBUTES',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
      'OTEL_SDK_DISABLED',
    ],
  ],
  ['Access', ['BESTFRAME_TRUSTED_PROXIES', 'BESTFRAME_BASE_PATH', 'BESTFRAME_LOGIN_FAILURES']],
  [
    'HTTP API',
    ['BESTFRAME_API_HOST', 'BESTFRAME_API_PORT', 'BESTFRAME_API_STREAMS', 'BESTFRAME_STAGING_DIR', 'BESTFRAME_AUDIT'],
  ],
  [
    'Dashboard',
    [
      'BESTFRAME_DASHBOARD_HOST',
      'BESTFRAME_DASHBOARD_PORT',
      'BESTFRAME_DASHBOARD_USER',
      'BESTFRAME_DASHBOARD_PASSWORD',
      'BESTFRAME_DASHBOARD_USERS',
      'BESTFRAME_DASHBOARD_USERS_FILE',
      'BESTFRAME_DASHBOARD_SESSION_HOURS',
      'BESTFRAME_DASHBOARD_IDLE_MINUTES',
      'BESTFRAME_DASHBOARD_IDENTITY_SECRET',
      'BESTFRAME_DASHBOARD_IDENTITY_HEADER',
    ],
  ],
];

export function settingsPage(): string {
  const groups = GROUPS.map(
    ([title, names]) => `## ${title}\n\n${table(['setting', 'default', 'meaning'], names.map(row))}`,
  );
  return `# Settings

Settings are environment variables. A process reads them once, when it starts. If settings are invalid, the
process reports every fault and exits. A \`BESTFRAME_\` variable that is not in these tables is ignored with a warning, which suggests
the setting that was probably meant. Variables that Kubernetes and Docker inject for a service are ignored without a warning. An
empty variable counts as unset.

${groups.join('\n\n')}

## Limits of resources

A resource is refused before anything is uploaded if it exceeds its limit, if its action does not accept its format, or if it is
truncated.
Tencent publishes limits only for VideoLivenessCompare and CompareFaceLiveness, and measures the Base64 text; the settings here count the bytes of the
file itself. All other limits are our own and catch wrong files. Pictures are JPEG or PNG, videos MP4, AVI or FLV. Any other format
(HEIC, AVIF, WebP, MOV, 3GP and so on) is refused, and the error names the format that was found.
A package may unpack to 512 MiB.

${table(['action', 'resource', 'content', 'limit'], limits())}

## Rates

Default calls per second in each region, enforced over all processes that share one Redis.

${table(['call', 'calls per second'], rates())}
`;
}

function row(name: Name): string[] {
  const found = SETTINGS[name].safeParse(undefined);
  return [`\`${name}\``, found.success ? formatDefault(found.data) : '', SETTINGS[name].description ?? ''];
}

function formatDefault(value: unknown): string {
  if (value === undefined || value === '') return '–';
  if (value instanceof Map) return value.size === 0 ? '–' : formatDefault([...value].map((pair) => pair.join('=')));
  if (Array.isArray(value)) return value.length === 0 ? '–' : formatDefault(value.join(','));
  if (typeof value === 'object') return '–'; // The description already states the defaults.
  return `\`${value}\``;
}

function limits(): string[][] {
  const resources = ACTION_NAMES.flatMap((action) =>
    resourcesOf(action).map(([name, { content, maxBytes }]) => [action, `\`${name}\``, content, formatSize(maxBytes)]),
  );
  const { resource, maxBytes } = SEQUENCE;
  return [...resources, [SEQUENCE_CALL, `\`${resource}\``, 'Base64 text', formatSize(maxBytes)]];
}

function formatSize(bytes: number): string {
  return `${bytes / 1024 ** 2} MiB (${bytes.toLocaleString('en-US')} bytes)`;
}

function rates(): string[][] {
  return [...GATED_ACTIONS, 'CreateUploadUrl' as const].map((call) => [call, String(defaultQps(call))]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
