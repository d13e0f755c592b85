import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/app/config.ts';
import { SETTINGS } from '../../../src/app/settings.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { DEFAULT_BREAKERS } from '../../../src/domain/operations/breakers.ts';
import { DEFAULT_POLICY } from '../../../src/domain/verification/policy.ts';

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
  it('are enough to start', () => {
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
      namespace: undefined,
      metricsTenants: [],
      tenant: undefined,
      mode: 'live',
      regions: ['ap-singapore'],
      buckets: new Map(),
      objectFolder: 'bestframe',
      fileRoots: [],
      framesDir: './frames',
      spoolDir: undefined,
      credentials: {
        environment: null,
        file: null,
        profile: null,
        webIdentity: null,
        instanceRole: null,
        role: null,
        session: { name: 'bestframe', durationS: 7_200 },
        sts: { endpoint: 'sts.intl.tencentcloudapi.com', region: 'ap-singapore' },
      },
      endpoint: 'faceid.intl.tencentcloudapi.com',
      proxy: undefined,
      noProxy: undefined,
      caFile: undefined,
      slots: 8,
      drainMs: 30_000,
      wedgedMs: 600_000,
      monitor: { host: '127.0.0.1', port: undefined },
      limits: {},
      log: undefined,
      logLevel: 'info',
      dashboard: {
        host: '127.0.0.1',
        port: 3_000,
        user: undefined,
        password: undefined,
        operators: [],
        usersFile: undefined,
        sessions: { lifeMs: 28_800_000, idleMs: 3_600_000 },
        identityProxy: null,
      },
      api: { host: '127.0.0.1', port: 8_080, staging: null, streams: { key: 20, process: 500 } },
      audit: 'stdout',
      edge: { basePath: '', trustedProxies: [] },
      loginLimits: { pair: 10, address: 50, user: 100 },
      allowPrivateSources: false,
      leaseMs: 8_000,
      policy: DEFAULT_POLICY,
      breakers: DEFAULT_BREAKERS,
      costs: { prices: null, budgets: [], offsetMs: 0 },
      reuse: { refuse: true, ttlMs: 30 * 86_400_000, photoRetries: 3 },
      keepFramesMs: 24 * 3_600_000,
      keepSourcesMs: 24 * 3_600_000,
      recordTtlMs: 30 * 86_400_000,
      demands: [],
      evidence: { buckets: new Map(), days: 0, folder: 'bestframe' },
      keyRing: new Map(),
      webhook: undefined,
      webhooks: [],
      webhookAllow: '',
      sourceHeaders: [],
      rewriteAof: false,
      sourceHeadersDir: undefined,
      tracing: { protocol: null, serviceName: undefined },
      warnings: [],
    });
  });

  it('also apply to empty variables', () => {
    const empty = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('contain no secrets', () => {
    expect(readConfig({})).toMatchObject({
      credentials: { environment: null, file: null },
      dashboard: { user: undefined, password: undefined },
    });
    const secrets = Object.keys(SETTINGS).filter((name) => /SECRET|TOKEN|PASSWORD|CREDENTIALS/.test(name));
    expect(secrets).toHaveLength(9);
    for (const name of secrets) {
      const schema = SETTINGS[name as keyof typeof SETTINGS];
      expect([name, schema.safeParse(undefined)]).toEqual([name, { success: true, data: undefined }]);
    }
  });
});

describe('variables that are no settings', () => {
  it.each([
    ['BESTFRAME_SLOT', '8', 'BESTFRAME_SLOT is not a setting and is ignored: did you mean BESTFRAME_SLOTS?'],
    ['BESTFRAME_PORT', '8080', 'BESTFRAME_PORT is not a setting and is ignored: remove it, or see docs/settings.md'],
    ['BESTFRAME_', '', 'BESTFRAME_ is not a setting and is ignored: remove it, or see docs/settings.md'],
  ])('%s=%s is ignored with a warning', (name, value, warning) => {
    expect(readConfig({ [name]: value }).warnings).toEqual([warning]);
  });

  it('those that Kubernetes and Docker inject for a service change nothing, even if one has the name of a setting', () => {
    const config = readConfig({
      BESTFRAME_PORT: 'tcp://10.0.0.7:80',
      BESTFRAME_PORT_80_TCP: 'tcp://10.0.0.7:80',
      BESTFRAME_PORT_80_TCP_ADDR: '10.0.0.7',
      BESTFRAME_SERVICE_HOST: '10.0.0.7',
      BESTFRAME_SERVICE_PORT_HTTP: '80',
      BESTFRAME_API_PORT: 'tcp://10.0.0.8:8080',
      BESTFRAME_API_SERVICE_HOST: '10.0.0.8',
    });
    expect(config).toEqual(readConfig({}));
  });
});

describe('certificates', () => {
  it('must be checked in live mode', () => {
    const off = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    expect(faults(off)).toEqual([expect.stringContaining('no certificate is checked: unset it')]);
    expect(faults({ ...off, BESTFRAME_MODE: 'test' })).toEqual([]);
  });
});

describe('webhooks', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const url = 'https://shop.example/hooks';

  it('have one secret, or two during a rotation', () => {
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
    [
      'an endpoint without a secret',
      { BESTFRAME_WEBHOOKS: `shop=${url}` },
      /BESTFRAME_WEBHOOK_SECRETS has no secret for "shop"/,
    ],
    [
      'a secret without an endpoint',
      { BESTFRAME_WEBHOOK_SECRETS: `shop=${secret}` },
      /names "shop", which BESTFRAME_WEBHOOKS does not/,
    ],
    ['an http URL', { BESTFRAME_WEBHOOKS: 'shop=http://shop.example/' }, /BESTFRAME_WEBHOOKS .*is not an https URL/],
    ['an endpoint without a name', { BESTFRAME_WEBHOOKS: url }, /BESTFRAME_WEBHOOKS .*is not an endpoint name/],
    ['the same endpoint twice', { BESTFRAME_WEBHOOKS: `shop=${url},shop=${url}` }, /twice/],
    [
      'a source header without a folder',
      { BESTFRAME_SOURCE_HEADERS: 'a.example=x-token:t' },
      /BESTFRAME_SOURCE_HEADERS_DIR/,
    ],
    [
      'a source header with a value',
      { BESTFRAME_SOURCE_HEADERS: 'a.example=authorization: Bearer x' },
      /not host=header:secret/,
    ],
    ['a source header of a URL', { BESTFRAME_SOURCE_HEADERS: 'https://a.example=x-token:t' }, /not host=header:secret/],
    ['a header that is ours', { BESTFRAME_SOURCE_HEADERS: 'a.example=Host:t' }, /sets the header host/],
    [
      'a short secret',
      { BESTFRAME_WEBHOOK_SECRETS: 'shop=whsec_c2hvcnQ=' },
      /BESTFRAME_WEBHOOK_SECRETS .*is not a secret/,
    ],
    ['a wildcard', { BESTFRAME_WEBHOOK_ALLOW: '*' }, /BESTFRAME_WEBHOOK_ALLOW has "\*"/],
    ['a URL as the default endpoint', { BESTFRAME_WEBHOOK: url }, /BESTFRAME_WEBHOOK is not an endpoint name/],
  ])('refuses %s', (_case, env, message) => expect(() => readConfig(env)).toThrow(message));

  it('does not repeat a refused secret in the message', () => {
    const wrong = { BESTFRAME_WEBHOOKS: `shop=${url}`, BESTFRAME_WEBHOOK_SECRETS: 'shop=whsec_hush' };
    expect(() => readConfig(wrong)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hush') }));
  });
});

describe('privacy', () => {
  const key = Buffer.alloc(32, 7).toString('base64');

  it('is read from the settings', () => {
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
  ])('refuses %s=%s without repeating a key', (name, value, message) => {
    const refused = () => readConfig({ [name]: value });
    expect(refused).toThrow(`${name} ${message}`);
    expect(refused).not.toThrow(key);
  });
});

describe('the policy', () => {
  it('changes the values that are set and keeps the other defaults', () => {
    const { policy } = readConfig({
      BESTFRAME_ATTEMPTS: 'detect=2,md5=9',
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
      attempts: { ...DEFAULT_POLICY.attempts, detect: 2, md5: 9 },
      stageMs: { ...DEFAULT_POLICY.stageMs, md5: 5_000 },
      callMs: { interactive: 15_000, batch: 20_000 },
      backoffMs: { interactive: DEFAULT_POLICY.backoffMs.interactive, batch: { first: 1_000, most: 30_000 } },
      rewinds: 0,
      maxPayments: 1,
      unknownOutcome: 'review',
      holdMs: 7_200_000,
    });
  });

  it.each(['detect', 'detect=0', 'sleep=3', 'detect=1,upload=x'])('refuses BESTFRAME_ATTEMPTS=%s', (text) => {
    expect(() => readConfig({ BESTFRAME_ATTEMPTS: text })).toThrow(
      /BESTFRAME_ATTEMPTS is not name=number: write upload=/,
    );
  });
});

describe('readConfig', () => {
  it('reads every setting', () => {
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
      BESTFRAME_QPS_WEB_RESULT: 'sa-saopaulo=50',
      BESTFRAME_QPS_LIVENESS_START: '30',
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
        ApplyLivenessToken: { 'ap-singapore': 30, 'ap-hongkong': 30, 'ap-jakarta': 30 },
        GetWebVerificationResultIntl: { 'sa-saopaulo': 50 },
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
  ] as const)('prefers %s to %s', (first, second, field, one, two) => {
    expect(readConfig({ [first]: one, [second]: two })[field]).toBe(one);
    expect(readConfig({ [second]: two })[field]).toBe(two);
  });

  describe('tracing', () => {
    const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

    it.each([
      [{}, null],
      [ENDPOINT, 'http/protobuf'],
      [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }, 'http/protobuf'],
      [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http/protobuf'],
      [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, 'http/json'],
      [
        { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' },
        'http/json',
      ],
      [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, null],
      [{ ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }, null],
      [{ ...ENDPOINT, OTEL_SDK_DISABLED: 'false' }, 'http/protobuf'],
    ])('by %j is exported by %s', (env, protocol) => {
      expect(readConfig(env)).toMatchObject({ tracing: { protocol }, warnings: [] });
    });

    it.each([
      [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
      [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER'],
    ])('by %j is off, with a warning', (env, name) => {
      const { tracing, warnings } = readConfig(env);
      expect(tracing.protocol).toBeNull();
      expect(warnings).toEqual([expect.stringMatching(`^${name} .*: no trace is exported$`)]);
    });
  });

  it('prefers BESTFRAME_REDIS_URL to REDIS_URL', () => {
    const hosts = (env: Env) => readConfig(env).redis.nodes.map(({ host }) => host);
    const second = { REDIS_URL: 'redis://two.example' };
    expect(hosts({ BESTFRAME_REDIS_URL: 'redis://one.example', ...second })).toEqual(['one.example']);
    expect(hosts(second)).toEqual(['two.example']);
  });

  it.each([
    [
      { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key' },
      { environment: { secretId: 'id', secretKey: 'key' } },
    ],
    [
      { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key', TENCENTCLOUD_TOKEN: 'token' },
      { environment: { secretId: 'id', secretKey: 'key', token: 'token' } },
    ],
    [{ BESTFRAME_CREDENTIALS_FILE: '/run/keys.json' }, { environment: null, file: '/run/keys.json' }],
    [
      { TENCENTCLOUD_CREDENTIALS_FILE: '/etc/profile', HOME: '/home/me' },
      { profile: { path: '/etc/profile', isDefault: false } },
    ],
    [{ HOME: '/home/me' }, { profile: { path: '/home/me/.tencentcloud/credentials', isDefault: true } }],
    [
      {
        TKE_REGION: 'ap-hongkong',
        TKE_PROVIDER_ID: 'p',
        TKE_WEB_IDENTITY_TOKEN_FILE: '/t',
        TKE_ROLE_ARN: 'qcs::cam::uin/1:roleName/a',
      },
      {
        webIdentity: {
          region: 'ap-hongkong',
          providerId: 'p',
          tokenFile: '/t',
          roleArn: 'qcs::cam::uin/1:roleName/a',
        },
      },
    ],
    [
      { BESTFRAME_INSTANCE_ROLE: 'auto' },
      { instanceRole: { metadataUrl: 'http://metadata.tencentyun.com', role: null } },
    ],
    [
      { BESTFRAME_INSTANCE_ROLE: 'mine', BESTFRAME_MODE: 'test', BESTFRAME_METADATA_URL: 'http://127.0.0.1:80' },
      { instanceRole: { metadataUrl: 'http://127.0.0.1:80', role: 'mine' } },
    ],
    [
      { BESTFRAME_ROLE_ARN: 'qcs::cam::uin/1:role/2', BESTFRAME_ROLE_SECONDS: '900' },
      { role: { arn: 'qcs::cam::uin/1:role/2' }, session: { name: 'bestframe', durationS: 900 } },
    ],
  ])('reads credentials %#', (env, credentials) => {
    expect(readConfig(env as unknown as Env).credentials).toMatchObject(credentials);
  });

  it('stages files over HTTP in a folder, or in the own buckets', () => {
    const placeOf = (env: Env) => readConfig(env).api.staging;
    expect(placeOf({ BESTFRAME_STAGING_DIR: '/in/staged', BESTFRAME_FILE_ROOTS: '/in' })).toEqual({
      to: 'folder',
      dir: '/in/staged',
    });
    const BESTFRAME_BUCKETS = 'ap-singapore=faces-1250000000';
    expect(placeOf({ BESTFRAME_STAGING_DIR: 'cos:a/b', BESTFRAME_BUCKETS })).toEqual({ to: 'bucket', folder: 'a/b' });
    expect(faults({ BESTFRAME_STAGING_DIR: 'cos:staged' })).toEqual([
      'BESTFRAME_STAGING_DIR is in your own buckets, and BESTFRAME_BUCKETS names none: name them',
    ]);
    for (const folder of ['', '/a', 'a/', 'a//b'])
      expect(faults({ BESTFRAME_STAGING_DIR: `cos:${folder}`, BESTFRAME_BUCKETS })).toEqual([
        expect.stringMatching(/^BESTFRAME_STAGING_DIR (is not a folder|has a segment).*cos:bestframe-staged$/),
      ]);
    for (const folder of ['bestframe', 'bestframe/staged'])
      expect(faults({ BESTFRAME_STAGING_DIR: `cos:${folder}`, BESTFRAME_BUCKETS })).toEqual([
        expect.stringMatching(/^BESTFRAME_STAGING_DIR and BESTFRAME_OBJECT_FOLDER overlap/),
      ]);
  });

  it('ignores variables of other programs', () => {
    expect(() =>
      readConfig({ PATH: '/bin', BESTFRAMES: 'x', TENCENTCLOUD_REGION: 'x', HTTP_PROXY: 'x' }),
    ).not.toThrow();
  });

  it('returns a frozen object', () => {
    const config = readConfig({ TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key' });
    const { redis, regions, fileRoots, limits, dashboard, credentials } = config;
    for (const part of [config, redis, regions, fileRoots, limits, dashboard, credentials]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => Object.assign(config, { mode: 'test' })).toThrow(TypeError);
  });
});

/** Each row holds a variable, an invalid value, and the advice that the error must give. */
const INVALID: readonly (readonly [name: keyof typeof SETTINGS, value: string, advice: string])[] = [
  ['BESTFRAME_REDIS_URL', 'localhost:6379', 'write redis://host:port'],
  ['BESTFRAME_REDIS_URL', 'http://localhost:6379', 'write redis://host:port'],
  ['BESTFRAME_REDIS_URL', 'redis+sentinel://localhost', 'write redis+sentinel://host:port/name'],
  ['REDIS_URL', 'redis', 'write redis://host:port'],
  ['BESTFRAME_REDIS_CA_FILE', '/etc/redis-ca.pem', 'write rediss in the URL, or remove this setting'],
  ['BESTFRAME_PREFIX', 'bestframe', '{bestframe}'],
  ['BESTFRAME_PREFIX', '{a}:{b}', '{bestframe}'],
  ['BESTFRAME_NAMESPACE', 'n'.repeat(257), 'use a shorter one'],
  ['BESTFRAME_NAMESPACE', 'bestframe', 'use a random one'],
  ['BESTFRAME_NAMESPACE', 'shop-of-the-bestframe-deployment-1', 'can be guessed'],
  ['BESTFRAME_NAMESPACE', 'ab'.repeat(20), 'can be guessed'],
  ['BESTFRAME_NAMESPACE', '0123456789abcdefghijklmnopqrstuvwxyz', 'can be guessed'],
  ['BESTFRAME_NAMESPACE', 'q8m2Wn5xT0bJ4yRzq8m2Wn5xT0bJ4yRz', 'can be guessed'],
  ['BESTFRAME_NAMESPACE_FILE', '/nonexistent/namespace', 'write it with `bestframe init --file`'],
  ['BESTFRAME_MODE', 'prod', 'use one of test, live'],
  ['BESTFRAME_REGIONS', 'ap-singapore,ap-tokyo', 'use one of ap-singapore, ap-hongkong, ap-bangkok'],
  ['BESTFRAME_REGIONS', ' , ', 'use one or more of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'faces-1250000000', 'use one of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'ap-tokyo=faces-1250000000', 'use one of ap-singapore'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=faces', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=a-1250000000=b', 'write ap-singapore=name-appid'],
  ['BESTFRAME_BUCKETS', 'ap-singapore=a-1250000000,ap-singapore=b-1250000000', 'keep one'],
  ['BESTFRAME_OBJECT_FOLDER', '/faces/', 'write letters'],
  ['BESTFRAME_OBJECT_FOLDER', 'faces/../a', 'has a segment'],
  ['BESTFRAME_FACEID_ENDPOINT', 'https://faceid.tencentcloudapi.com', 'without https:// and without a path'],
  ['BESTFRAME_PROXY', 'proxy.example:3128', 'write host:port with http:// before it'],
  ['HTTPS_PROXY', 'socks5://proxy.example:1080', 'write host:port with http:// before it'],
  ['https_proxy', 'proxy', 'write host:port with http:// before it'],
  ['BESTFRAME_SLOTS', '0', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', '201', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', 'eight', 'from 1 to 200: write digits only'],
  ['BESTFRAME_SLOTS', '8.5', 'from 1 to 200: write digits only'],
  ['BESTFRAME_DRAIN_MS', '30s', 'from 0 to 600000: write digits only'],
  ['BESTFRAME_LEASE_MS', '499', 'from 500 to 60000: write digits only'],
  ['BESTFRAME_QPS_DETECT', '0', 'write calls per second'],
  ['BESTFRAME_QPS_VIDEO', '-1', 'write calls per second'],
  ['BESTFRAME_QPS_UPLOAD_URL', '1e9', 'write calls per second'],
  ['BESTFRAME_QPS_UPLOAD_URL', 'ap-mars=5', 'write calls per second'],
  ['BESTFRAME_QPS_DETECT', 'ap-jakarta=5', 'use one of ap-singapore, ap-hongkong, ap-bangkok'],
  ['BESTFRAME_QPS_LIVENESS_START', 'ap-bangkok=5', 'use one of ap-singapore, ap-hongkong, ap-jakarta'],
  ['BESTFRAME_LOG', 'xml', 'use one of json, pretty, silent'],
  ['BESTFRAME_LOG_LEVEL', 'trace', 'use one of debug, info, warn, error'],
  ['BESTFRAME_DASHBOARD_PORT', '65536', 'from 0 to 65535: write digits only'],
  ['BESTFRAME_DASHBOARD_PASSWORD', 'seven77', 'use a longer one'],
  ['BESTFRAME_ALLOW_PRIVATE_SOURCES', 'yes', 'use one of 0, 1, true, false'],
];

describe('an invalid value is reported by its variable and with advice', () => {
  it.each(INVALID)('%s=%s', (name, value, advice) => {
    const found = faults({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]?.split(' ')[0]).toBe(name);
    expect(found[0]).toContain(advice);
  });

  it.each([
    [{ TENCENTCLOUD_SECRET_ID: 'id' }, 'TENCENTCLOUD_SECRET_ID is set without TENCENTCLOUD_SECRET_KEY: set both'],
    [{ TENCENTCLOUD_SECRET_KEY: 'key' }, 'TENCENTCLOUD_SECRET_KEY is set without TENCENTCLOUD_SECRET_ID: set both'],
    [
      { TENCENTCLOUD_TOKEN: 'token' },
      'TENCENTCLOUD_TOKEN is set alone: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY too',
    ],
    [
      { BESTFRAME_CREDENTIALS_FILE: '/k', TENCENTCLOUD_SECRET_KEY: 'key' },
      'BESTFRAME_CREDENTIALS_FILE and TENCENTCLOUD_SECRET_KEY are both set: use the file or the variables, not both',
    ],
    [
      { TKE_WEB_IDENTITY_TOKEN_FILE: '/t', TKE_REGION: 'ap-singapore' },
      'TKE_WEB_IDENTITY_TOKEN_FILE is set without TKE_PROVIDER_ID and TKE_ROLE_ARN: set all four TKE_ variables',
    ],
    [
      { BESTFRAME_METADATA_URL: 'http://127.0.0.1:80' },
      'BESTFRAME_METADATA_URL is not Tencent’s, but BESTFRAME_MODE is live: remove it, or set test',
    ],
    [
      { BESTFRAME_INSTANCE_ROLE: 'auto', BESTFRAME_MODE: 'test' },
      'BESTFRAME_INSTANCE_ROLE would ask Tencent in test mode: set BESTFRAME_METADATA_URL to the emulator’s',
    ],
    [
      { BESTFRAME_METADATA_URL: 'http://169.254.0.99', BESTFRAME_MODE: 'test' },
      'BESTFRAME_METADATA_URL is neither metadata.tencentyun.com nor on loopback: write the address that `bestframe emulator` prints',
    ],
  ])('%j', (env, fault) => expect(faults(env as unknown as Env)).toEqual([fault]));

  it('reports all invalid values together', () => {
    const env = {
      BESTFRAME_SLOTS: 'x',
      BESTFRAME_BUCKETS: 'ap-tokyo=a,ap-singapore=b',
      TENCENTCLOUD_SECRET_ID: 'id',
    };
    expect(faults(env).map((fault) => fault.split(' ')[0])).toEqual([
      'BESTFRAME_BUCKETS',
      'BESTFRAME_BUCKETS',
      'BESTFRAME_SLOTS',
      'TENCENTCLOUD_SECRET_ID',
    ]);
  });

  it('never repeats a secret', () => {
    const secret = 'topsecret';
    const found = faults({
      BESTFRAME_REDIS_URL: `redis//:${secret}@redis.example`,
      BESTFRAME_PROXY: `proxy.example:${secret}`,
      BESTFRAME_DASHBOARD_PASSWORD: secret.slice(0, 7),
      TENCENTCLOUD_SECRET_KEY: secret,
    });
    expect(found).toHaveLength(4);
    expect(found.join()).not.toContain(secret.slice(0, 7));
  });
});
