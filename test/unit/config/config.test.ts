import { describe, expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../../../src/config.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { DEFAULT_POLICY } from '../../../src/domain/policy.ts';

type Env = Record<string, string>;

function faults(env: Env): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    expect(error).toMatchObject({ code: 'INVALID_SETTINGS', channel: 'local', sent: 'no', field: 'settings' });
    const [head, ...lines] = error.message.split('\n');
    expect(head).toBe('the settings are not valid:');
    return lines.map((line) => line.replace(/^ {2}- /, ''));
  }
  return [];
}

describe('defaults', () => {
  it('are enough to begin with', () => {
    expect(readConfig({})).toEqual({
      redis: {
        kind: 'server',
        nodes: [{ host: '127.0.0.1', port: 6_379 }],
        primary: '',
        db: 0,
        login: null,
        sentinelLogin: null,
        tls: false,
      },
      prefix: '{bestframe}',
      namespace: 'bestframe',
      tenant: undefined,
      mode: 'live',
      regions: ['ap-singapore'],
      buckets: new Map(),
      objectFolder: 'bestframe',
      fileRoots: [],
      framesDir: './frames',
      spoolDir: undefined,
      credentials: null,
      endpoint: 'faceid.intl.tencentcloudapi.com',
      proxy: undefined,
      noProxy: undefined,
      caFile: undefined,
      slots: 8,
      drainMs: 30_000,
      limits: {},
      log: undefined,
      logLevel: 'info',
      dashboard: {
        host: '127.0.0.1',
        port: 3_000,
        user: undefined,
        password: undefined,
        operators: [],
        proxies: { trusted: [], header: 'x-forwarded-user' },
      },
      api: { host: '127.0.0.1', port: 8_080, stagingDir: undefined },
      audit: 'stdout',
      allowPrivateSources: false,
      leaseMs: 8_000,
      policy: DEFAULT_POLICY,
      reuse: { refuse: true, ttlMs: 30 * 86_400_000 },
      keepFramesMs: 24 * 3_600_000,
      recordTtlMs: 30 * 86_400_000,
      demands: [],
      keyRing: new Map(),
      webhook: undefined,
      webhooks: [],
      webhookAllow: '',
    });
  });

  it('hold for variables that are empty, too', () => {
    const empty = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('have no secret among them', () => {
    expect(readConfig({})).toMatchObject({ credentials: null, dashboard: { user: undefined, password: undefined } });
    const secrets = Object.keys(SETTINGS).filter((name) => /SECRET|TOKEN|PASSWORD|CREDENTIALS/.test(name));
    expect(secrets).toHaveLength(6);
    for (const name of secrets) {
      const schema = SETTINGS[name as keyof typeof SETTINGS];
      expect([name, schema.safeParse(undefined)]).toEqual([name, { success: true, data: undefined }]);
    }
  });
});

describe('webhooks', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const url = 'https://shop.example/hooks';

  it('have one secret, or two while it is rotated', () => {
    const config = readConfig({
      BESTFRAME_WEBHOOK: 'shop',
      BESTFRAME_WEBHOOKS: `shop=${url}?a=b,audit=${url}`,
      BESTFRAME_WEBHOOK_SECRETS: `shop=${secret},audit=${secret},shop=${secret}`,
      BESTFRAME_WEBHOOK_ALLOW: 'hooks.internal, 10.0.7.0/24',
    });
    expect(config.webhook).toBe('shop');
    expect(config.webhooks).toEqual([
      { name: 'shop', url: `${url}?a=b`, secrets: [secret, secret], events: null },
      { name: 'audit', url, secrets: [secret], events: null },
    ]);
    expect(config.webhookAllow).toBe('hooks.internal,10.0.7.0/24');
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no secret', { BESTFRAME_WEBHOOKS: `shop=${url}` }, /BESTFRAME_WEBHOOK_SECRETS has no secret for "shop"/],
    [
      'a secret of nobody',
      { BESTFRAME_WEBHOOK_SECRETS: `shop=${secret}` },
      /names "shop", which BESTFRAME_WEBHOOKS does not/,
    ],
    ['http', { BESTFRAME_WEBHOOKS: 'shop=http://shop.example/' }, /BESTFRAME_WEBHOOKS .*no https URL/],
    ['no name', { BESTFRAME_WEBHOOKS: url }, /BESTFRAME_WEBHOOKS .*no name/],
    ['the same twice', { BESTFRAME_WEBHOOKS: `shop=${url},shop=${url}` }, /twice/],
    ['a short secret', { BESTFRAME_WEBHOOK_SECRETS: 'shop=whsec_c2hvcnQ=' }, /BESTFRAME_WEBHOOK_SECRETS .*no secret/],
    ['everybody', { BESTFRAME_WEBHOOK_ALLOW: '*' }, /BESTFRAME_WEBHOOK_ALLOW has "\*"/],
    ['a URL as default', { BESTFRAME_WEBHOOK: url }, /BESTFRAME_WEBHOOK is no name/],
  ])('refused: %s', (_what, env, words) => expect(() => readConfig(env)).toThrow(words));

  it('a refused secret is not in the words', () => {
    const wrong = { BESTFRAME_WEBHOOKS: `shop=${url}`, BESTFRAME_WEBHOOK_SECRETS: 'shop=whsec_hush' };
    expect(() => readConfig(wrong)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hush') }));
  });
});

describe('privacy', () => {
  const key = Buffer.alloc(32, 7).toString('base64');

  it('is what is asked for', () => {
    const config = readConfig({
      BESTFRAME_KEEP_FRAMES_HOURS: '0',
      BESTFRAME_KEEP_RECORDS_DAYS: '90',
      BESTFRAME_DEMANDS: 'consent, subject',
      BESTFRAME_KEY_RING: `k2:${key}`,
    });
    expect(config).toMatchObject({ keepFramesMs: 0, recordTtlMs: 90 * 86_400_000, demands: ['subject', 'consent'] });
    expect([...config.keyRing.keys()]).toEqual(['k2']);
  });

  it.each([
    ['BESTFRAME_DEMANDS', 'consents', 'asks for "consents": use one or more of subject, purpose, consent'],
    ['BESTFRAME_KEY_RING', key, 'is not a key ring: write name:key,…, each key 32 bytes in base64'],
    ['BESTFRAME_KEEP_RECORDS_DAYS', '0', 'is not a whole number from 1 to 3650'],
  ])('%s=%s is refused in words, and no key is in them', (name, value, words) => {
    const refused = () => readConfig({ [name]: value });
    expect(refused).toThrow(`${name} ${words}`);
    expect(refused).not.toThrow(key);
  });
});

describe('the policy', () => {
  it('is changed by name, and keeps its defaults elsewhere', () => {
    const { policy } = readConfig({
      BESTFRAME_ATTEMPTS: 'detect=2,download=9',
      BESTFRAME_STAGE_SECONDS: 'md5=5',
      BESTFRAME_CALL_SECONDS: 'batch=20',
      BESTFRAME_BACKOFF_MS: 'batch=1000',
      BESTFRAME_REWINDS: '0',
      BESTFRAME_MAX_PAYMENTS: '1',
      BESTFRAME_UNKNOWN_OUTCOME: 'review',
      BESTFRAME_HOLD_HOURS: '2',
    });
    expect(policy).toEqual({
      ...DEFAULT_POLICY,
      attempts: { ...DEFAULT_POLICY.attempts, detect: 2, download: 9 },
      stageMs: { ...DEFAULT_POLICY.stageMs, md5: 5_000 },
      callMs: { interactive: 15_000, batch: 20_000 },
      backoffMs: { interactive: DEFAULT_POLICY.backoffMs.interactive, batch: { first: 1_000, most: 30_000 } },
      rewinds: 0,
      maxPayments: 1,
      unknownOutcome: 'review',
      holdMs: 7_200_000,
    });
  });

  it.each(['detect', 'detect=0', 'sleep=3', 'detect=1,upload=x'])('BESTFRAME_ATTEMPTS=%s is refused', (text) => {
    expect(() => readConfig({ BESTFRAME_ATTEMPTS: text })).toThrow(
      /BESTFRAME_ATTEMPTS is not name=number: write upload=/,
    );
  });
});

describe('what is set', () => {
  it('is read', () => {
    const config = readConfig({
      BESTFRAME_REDIS_URL: 'rediss://user:word@redis.example:6380/1',
      BESTFRAME_REDIS_CA_FILE: '/etc/redis-ca.pem',
      BESTFRAME_PREFIX: '{faces}',
      BESTFRAME_MODE: 'test',
      BESTFRAME_REGIONS: ' ap-bangkok, ap-singapore,ap-bangkok ',
      BESTFRAME_BUCKETS: 'ap-singapore=faces-1250000000, ap-bangkok=faces-th-1250000000',
      BESTFRAME_FILE_ROOTS: '/in/a,/in/b',
      BESTFRAME_SLOTS: '200',
      BESTFRAME_QPS_DETECT: '2.5',
      BESTFRAME_QPS_UPLOAD_URL: 'ap-hongkong=40',
      BESTFRAME_ALLOW_PRIVATE_SOURCES: 'true',
      BESTFRAME_DASHBOARD_PORT: '0',
    });
    expect(config).toMatchObject({
      redis: { nodes: [{ host: 'redis.example', port: 6_380 }], db: 1, tls: true, caFile: '/etc/redis-ca.pem' },
      prefix: '{faces}',
      mode: 'test',
      regions: ['ap-bangkok', 'ap-singapore'],
      fileRoots: ['/in/a', '/in/b'],
      slots: 200,
      limits: {
        DetectReflectLivenessAndCompare: { 'ap-singapore': 2.5, 'ap-hongkong': 2.5, 'ap-bangkok': 2.5 },
        CreateUploadUrl: { 'ap-hongkong': 40 },
      },
      allowPrivateSources: true,
    });
    expect(config.dashboard.port).toBe(0);
    expect([...config.buckets]).toEqual([
      ['ap-singapore', 'faces-1250000000'],
      ['ap-bangkok', 'faces-th-1250000000'],
    ]);
  });

  it.each([
    ['BESTFRAME_PROXY', 'HTTPS_PROXY', 'proxy', 'http://one.example:1', 'http://two.example:2'],
    ['HTTPS_PROXY', 'https_proxy', 'proxy', 'http://one.example:1', 'http://two.example:2'],
    ['NO_PROXY', 'no_proxy', 'noProxy', 'one.example', 'two.example'],
  ] as const)('%s goes before %s', (first, second, field, one, two) => {
    expect(readConfig({ [first]: one, [second]: two })[field]).toBe(one);
    expect(readConfig({ [second]: two })[field]).toBe(two);
  });

  it('BESTFRAME_REDIS_URL goes before REDIS_URL', () => {
    const hosts = (env: Env) => readConfig(env).redis.nodes.map(({ host }) => host);
    const second = { REDIS_URL: 'redis://two.example' };
    expect(hosts({ BESTFRAME_REDIS_URL: 'redis://one.example', ...second })).toEqual(['one.example']);
    expect(hosts(second)).toEqual(['two.example']);
  });

  it.each([
    [
      { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key' },
      { secretId: 'id', secretKey: 'key' },
    ],
    [
      { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key', TENCENTCLOUD_TOKEN: 'token' },
      { secretId: 'id', secretKey: 'key', token: 'token' },
    ],
    [{ BESTFRAME_CREDENTIALS_FILE: '/run/keys.json' }, { file: '/run/keys.json' }],
  ])('credentials %#', (env, credentials) => {
    expect(readConfig(env as unknown as Env).credentials).toEqual(credentials);
  });

  it('is not what other programs set', () => {
    expect(() =>
      readConfig({ PATH: '/bin', BESTFRAMES: 'x', TENCENTCLOUD_REGION: 'x', HTTP_PROXY: 'x' }),
    ).not.toThrow();
  });

  it('cannot be changed', () => {
    const config = readConfig({ TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key' });
    const { redis, regions, fileRoots, limits, dashboard, credentials } = config;
    for (const part of [config, redis, regions, fileRoots, limits, dashboard, credentials]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => Object.assign(config, { mode: 'test' })).toThrow(TypeError);
  });
});

/** Variable, value, and what its cure must say. */
const BAD: readonly (readonly [name: keyof typeof SETTINGS, value: string, cure: string])[] = [
  ['BESTFRAME_REDIS_URL', 'localhost:6379', 'write redis://host:port'],
  ['BESTFRAME_REDIS_URL', 'http://localhost:6379', 'write redis://host:port'],
  ['BESTFRAME_REDIS_URL', 'redis+sentinel://localhost', 'write redis+sentinel://host:port/name'],
  ['REDIS_URL', 'redis', 'write redis://host:port'],
  ['BESTFRAME_REDIS_CA_FILE', '/etc/redis-ca.pem', 'write rediss in its URL, or remove it'],
  ['BESTFRAME_PREFIX', 'bestframe', '{bestframe}'],
  ['BESTFRAME_PREFIX', '{a}:{b}', '{bestframe}'],
  ['BESTFRAME_NAMESPACE', 'n'.repeat(65), 'use a shorter one'],
  ['BESTFRAME_MODE', 'prod', 'use one of test, live'],
  ['BESTFRAME_REGIONS', 'ap-singapore,ap-tokyo', 'use one of ap-singapore, ap-hongkong, ap-bangkok'],
  ['BESTFRAME_REGIONS', ' , ', 'use one or more of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'faces-1250000000', 'use one of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'ap-tokyo=faces-1250000000', 'use one of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=faces', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=a-1250000000=b', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=a-1250000000,ap-singapore=b-1250000000', 'leave one'],
  ['BESTFRAME_OBJECT_FOLDER', '/faces/', 'write letters'],
  ['BESTFRAME_FACEID_ENDPOINT', 'https://faceid.tencentcloudapi.com', 'without https:// and path'],
  ['BESTFRAME_PROXY', 'proxy.example:3128', 'write host:port with http:// before it'],
  ['HTTPS_PROXY', 'socks5://proxy.example:1080', 'write host:port with http:// before it'],
  ['https_proxy', 'proxy', 'write host:port with http:// before it'],
  ['BESTFRAME_SLOTS', '0', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', '201', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', 'eight', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', '8.5', 'from 1 to 200: write digits only'],
  ['BESTFRAME_DRAIN_MS', '30s', 'from 0 to 600000: write digits only'],
  ['BESTFRAME_LEASE_MS', '499', 'from 500 to 60000: write digits only'],
  ['BESTFRAME_QPS_DETECT', '0', 'write calls a second'],
  ['BESTFRAME_QPS_VIDEO', '-1', 'write calls a second'],
  ['BESTFRAME_QPS_UPLOAD_URL', '1e9', 'write calls a second'],
  ['BESTFRAME_QPS_UPLOAD_URL', 'ap-mars=5', 'write calls a second'],
  ['BESTFRAME_LOG', 'xml', 'use one of json, pretty, silent'],
  ['BESTFRAME_LOG_LEVEL', 'trace', 'use one of debug, info, warn, error'],
  ['BESTFRAME_DASHBOARD_PORT', '65536', 'from 0 to 65535: write digits only'],
  ['BESTFRAME_DASHBOARD_PASSWORD', 'seven77', 'use a longer one'],
  ['BESTFRAME_ALLOW_PRIVATE_SOURCES', 'yes', 'use one of 0, 1, true, false'],
];

describe('a fault is named with its variable and a cure', () => {
  it.each(BAD)('%s=%s', (name, value, cure) => {
    const found = faults({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]?.split(' ')[0]).toBe(name);
    expect(found[0]).toContain(cure);
  });

  it.each([
    [{ BESTFRAME_SLOT: '8' }, 'BESTFRAME_SLOT is not a setting: remove it or correct its name'],
    [{ BESTFRAME_: '' }, 'BESTFRAME_ is not a setting: remove it or correct its name'],
    [{ TENCENTCLOUD_SECRET_ID: 'id' }, 'TENCENTCLOUD_SECRET_KEY is missing beside TENCENTCLOUD_SECRET_ID: set both'],
    [{ TENCENTCLOUD_SECRET_KEY: 'key' }, 'TENCENTCLOUD_SECRET_ID is missing beside TENCENTCLOUD_SECRET_KEY: set both'],
    [
      { TENCENTCLOUD_TOKEN: 'token' },
      'TENCENTCLOUD_TOKEN is set alone: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY too',
    ],
    [
      { BESTFRAME_CREDENTIALS_FILE: '/k', TENCENTCLOUD_SECRET_KEY: 'key' },
      'BESTFRAME_CREDENTIALS_FILE and TENCENTCLOUD_SECRET_KEY are both set: use the file or the variables, not both',
    ],
  ])('%j', (env, fault) => expect(faults(env as unknown as Env)).toEqual([fault]));

  it('at once, all of them', () => {
    const env = {
      BESTFRAME_SLOTS: 'x',
      BESTFRAME_BUCKETS: 'ap-tokyo=a,ap-singapore=b',
      BESTFRAME_SLOT: '8',
      TENCENTCLOUD_SECRET_ID: 'id',
    };
    expect(faults(env).map((fault) => fault.split(' ')[0])).toEqual([
      'BESTFRAME_BUCKETS',
      'BESTFRAME_BUCKETS',
      'BESTFRAME_SLOTS',
      'BESTFRAME_SLOT',
      'TENCENTCLOUD_SECRET_KEY',
    ]);
  });

  it('without saying a secret', () => {
    const secret = 'topsecret';
    const said = faults({
      BESTFRAME_REDIS_URL: `redis//:${secret}@redis.example`,
      BESTFRAME_PROXY: `proxy.example:${secret}`,
      BESTFRAME_DASHBOARD_PASSWORD: secret.slice(0, 7),
      TENCENTCLOUD_SECRET_KEY: secret,
    });
    expect(said).toHaveLength(4);
    expect(said.join()).not.toContain(secret.slice(0, 7));
  });
});
