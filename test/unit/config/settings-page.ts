/** docs/settings.md, made from the settings themselves and from the table of actions. */
import { SETTINGS } from '../../../src/config.ts';
import {
  ACTION_NAMES,
  defaultQps,
  GATED_ACTIONS,
  resourcesOf,
  SEQUENCE,
  SEQUENCE_CALL,
} from '../../../src/domain/actions.ts';

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
      'BESTFRAME_TENANT',
    ],
  ],
  [
    'Tencent Cloud',
    [
      'BESTFRAME_MODE',
      'BESTFRAME_REGIONS',
      'TENCENTCLOUD_SECRET_ID',
      'TENCENTCLOUD_SECRET_KEY',
      'TENCENTCLOUD_TOKEN',
      'BESTFRAME_CREDENTIALS_FILE',
      'BESTFRAME_FACEID_ENDPOINT',
      'BESTFRAME_QPS_DETECT',
      'BESTFRAME_QPS_VIDEO',
      'BESTFRAME_QPS_SEQUENCE',
      'BESTFRAME_QPS_UPLOAD_URL',
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
      'BESTFRAME_ALLOW_PRIVATE_SOURCES',
    ],
  ],
  ['Network', ['BESTFRAME_PROXY', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy', 'BESTFRAME_CA_FILE']],
  [
    'Policy',
    [
      'BESTFRAME_ATTEMPTS',
      'BESTFRAME_STAGE_SECONDS',
      'BESTFRAME_CALL_SECONDS',
      'BESTFRAME_BACKOFF_MS',
      'BESTFRAME_REWINDS',
      'BESTFRAME_MAX_PAYMENTS',
      'BESTFRAME_UNKNOWN_OUTCOME',
      'BESTFRAME_HOLD_HOURS',
      'BESTFRAME_REUSED_LIVE_DATA',
      'BESTFRAME_REUSE_DAYS',
    ],
  ],
  [
    'Privacy',
    ['BESTFRAME_KEEP_FRAMES_HOURS', 'BESTFRAME_KEEP_RECORDS_DAYS', 'BESTFRAME_DEMANDS', 'BESTFRAME_KEY_RING'],
  ],
  ['Webhooks', ['BESTFRAME_WEBHOOK', 'BESTFRAME_WEBHOOKS', 'BESTFRAME_WEBHOOK_SECRETS', 'BESTFRAME_WEBHOOK_ALLOW']],
  ['Workers', ['BESTFRAME_SLOTS', 'BESTFRAME_DRAIN_MS', 'BESTFRAME_LEASE_MS', 'BESTFRAME_LOG', 'BESTFRAME_LOG_LEVEL']],
  ['HTTP API', ['BESTFRAME_API_HOST', 'BESTFRAME_API_PORT', 'BESTFRAME_STAGING_DIR', 'BESTFRAME_AUDIT']],
  [
    'Dashboard',
    [
      'BESTFRAME_DASHBOARD_HOST',
      'BESTFRAME_DASHBOARD_PORT',
      'BESTFRAME_DASHBOARD_USER',
      'BESTFRAME_DASHBOARD_PASSWORD',
      'BESTFRAME_DASHBOARD_USERS',
      'BESTFRAME_DASHBOARD_PROXIES',
      'BESTFRAME_DASHBOARD_PROXY_HEADER',
    ],
  ],
];

export function settingsPage(): string {
  const groups = GROUPS.map(
    ([title, names]) => `## ${title}\n\n${table(['setting', 'default', 'meaning'], names.map(row))}`,
  );
  return `# Settings

Settings are environment variables. They are read once, when a process starts; one that is not valid, and any
\`BESTFRAME_\` variable that is not in these tables, ends it there, with every fault said at once. An empty variable counts
as one that is not set.

${groups.join('\n\n')}

## Limits of resources

A resource over its limit, or of another kind than its action takes, is refused before anything is uploaded. Tencent
publishes limits for VideoLivenessCompare only, counted after Base64; these count bytes. The limits of \`liveData\` and
\`deviceData\` are our own, guards against the wrong file.

${table(['action', 'resource', 'content', 'most'], limits())}

## Rates

Calls a second, where no setting says otherwise; held over all processes of one Redis.

${table(['call', 'a second'], rates())}
`;
}

function row(name: Name): string[] {
  const found = SETTINGS[name].safeParse(undefined);
  return [`\`${name}\``, found.success ? inWords(found.data) : '', SETTINGS[name].description ?? ''];
}

function inWords(value: unknown): string {
  if (value === undefined || value === '') return '–';
  if (value instanceof Map) return value.size === 0 ? '–' : inWords([...value].map((pair) => pair.join('=')));
  if (Array.isArray(value)) return value.length === 0 ? '–' : inWords(value.join(','));
  if (typeof value === 'object') return '–'; // its meaning says what holds
  return `\`${value}\``;
}

function limits(): string[][] {
  const resources = ACTION_NAMES.flatMap((action) =>
    resourcesOf(action).map(([name, { content, maxBytes }]) => [action, `\`${name}\``, content, size(maxBytes)]),
  );
  const { resource, maxBytes } = SEQUENCE;
  return [...resources, [SEQUENCE_CALL, `\`${resource}\``, 'Base64 text', size(maxBytes)]];
}

function size(bytes: number): string {
  return `${bytes / 1024 ** 2} MiB (${bytes.toLocaleString('en-US')} bytes)`;
}

function rates(): string[][] {
  return [...GATED_ACTIONS, 'CreateUploadUrl' as const].map((call) => [call, String(defaultQps(call))]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
