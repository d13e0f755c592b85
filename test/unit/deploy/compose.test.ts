/** Compares docker-compose.yml and the Dockerfile with the settings, and with each other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../../src/app/settings.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly stop_grace_period?: string;
}
const { services, volumes } = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const ours = Object.entries(services).filter(([, { image }]) => image === 'bestframe');
const environments = ours.map(([, { environment = {} }]) => environment);

/** Settings that the file sets itself. The base path has two variables, because the API and the dashboard have different paths. */
const SET_HERE = [
  ...['BESTFRAME_REDIS_URL', 'BESTFRAME_NAMESPACE_FILE', 'BESTFRAME_LOG', 'BESTFRAME_BASE_PATH'],
  ...['BESTFRAME_FRAMES_DIR', 'BESTFRAME_FILE_ROOTS', 'BESTFRAME_SPOOL_DIR'],
  ...['BESTFRAME_API_HOST', 'BESTFRAME_API_PORT', 'BESTFRAME_DASHBOARD_HOST', 'BESTFRAME_DASHBOARD_PORT'],
];
/** Settings that the image sets. */
const SET_BY_IMAGE = ['BESTFRAME_MONITOR_HOST', 'BESTFRAME_MONITOR_PORT'];
/** Settings that no container needs, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  REDIS_URL: 'BESTFRAME_REDIS_URL is set',
  https_proxy: 'HTTPS_PROXY is passed',
  no_proxy: 'NO_PROXY is passed',
  BESTFRAME_NAMESPACE: 'the namespace is in a file',
  TENCENTCLOUD_CREDENTIALS_FILE: 'BESTFRAME_CREDENTIALS_FILE names the same file',
  OTEL_SERVICE_NAME: 'each process has its own name',
  HOME: 'the user of a container has no profile file',
  TKE_REGION: 'set by TKE, in Kubernetes',
  TKE_PROVIDER_ID: 'set by TKE, in Kubernetes',
  TKE_WEB_IDENTITY_TOKEN_FILE: 'set by TKE, in Kubernetes',
  TKE_ROLE_ARN: 'set by TKE, in Kubernetes',
};

it('every setting reaches a service, from .env or from this file', () => {
  const passed = Object.keys(SETTINGS).filter((name) =>
    environments.some(({ [name]: value }) => value?.startsWith(`\${${name}:`)),
  );
  const expected = Object.keys(SETTINGS).filter(
    (name) => ![...SET_HERE, ...SET_BY_IMAGE, ...Object.keys(LEFT_OUT)].includes(name),
  );
  expect(passed.sort()).toEqual(expected.sort());
  const set = SET_HERE.filter((name) => environments.some((environment) => environment[name] !== undefined));
  expect(set).toEqual(SET_HERE);
  for (const name of SET_BY_IMAGE) expect(dockerfile).toMatch(new RegExp(`^ENV .*${name}=`, 'm'));
});

it('every variable of a service is a setting', () => {
  const names = ours.flatMap(([, { environment = {} }]) => Object.keys(environment));
  expect([...new Set(names)].filter((name) => !(name in SETTINGS))).toEqual([]);
});

it('only services that call Tencent Cloud get its keys, and only the dashboard gets passwords', () => {
  const holders = (name: string) =>
    ours.flatMap(([service, { environment }]) => (environment?.[name] ? [service] : []));
  expect(holders('TENCENTCLOUD_SECRET_KEY')).toEqual(['verify', 'erase', 'api']);
  expect(holders('BESTFRAME_DASHBOARD_PASSWORD')).toEqual(['dashboard']);
  expect(holders('BESTFRAME_WEBHOOK_SECRETS')).toEqual(['notify']);
});

describe.each(Object.entries(services))('%s', (_name, service) => {
  it('has a read-only root, no capability, no way to gain one, and a memory limit', () => {
    expect(service).toMatchObject({ read_only: true, tmpfs: ['/tmp'], cap_drop: ['ALL'] });
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.mem_limit).toMatch(/^\dg$/);
  });

  it('writes only to declared volumes, which belong to the group 0 in the image', () => {
    const mounts = (service.volumes ?? []).map((volume) => volume.split(':'));
    const [, folders = ''] =
      /^RUN install --directory --owner=node --group=root --mode=0770 (.*)$/m.exec(dockerfile) ?? [];
    for (const [source = '', target = '', mode] of mounts) {
      if (mode === 'ro') continue;
      expect(volumes).toHaveProperty(source);
      if (service.image === 'bestframe') expect(folders.split(' ')).toContain(target);
    }
    const used = Object.values(service.environment ?? {}).filter((value) => /^\/\w+$/.test(value));
    expect(used.filter((folder) => !mounts.some(([, target]) => target === folder))).toEqual([]);
  });
});

it('a worker may drain before it is killed', () => {
  const draining = ours.filter(([, { command }]) => command?.[0] === 'start');
  expect(draining.map(([name]) => name)).toEqual(['verify', 'erase', 'api', 'notify']);
  for (const [, { stop_grace_period: grace = '' }] of draining) {
    expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(SETTINGS.BESTFRAME_DRAIN_MS.parse(undefined));
  }
});

it('Redis has a password, which is no argument of a command', () => {
  expect(services.verify?.environment?.BESTFRAME_REDIS_URL).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:\?/);
  expect(services.redis?.command?.join(' ')).toContain('requirepass');
  expect(services.redis?.command?.join(' ')).not.toContain('--requirepass');
});

it('the image says its version and revision, and lists what it contains', () => {
  const { version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(dockerfile).toContain(`org.opencontainers.image.version=${version} `);
  expect(dockerfile).toContain(`org.opencontainers.image.licenses=${license} `);
  expect(dockerfile).toContain('org.opencontainers.image.revision=$REVISION');
  expect(dockerfile).toMatch(/^RUN .*npm sbom .* > sbom\.cdx\.json$/m);
  expect(dockerfile).toMatch(/^COPY --from=modules \/app\/sbom\.cdx\.json \.\/$/m);
});

it('the image runs as a user of the group 0', () => {
  expect(dockerfile).toMatch(/^USER 1000:0$/m);
});

it('the profile for monitoring mounts the alerts and dashboards of this repository, and Grafana asks this Prometheus', () => {
  const { prometheus, grafana } = services;
  expect(prometheus?.volumes).toContain('./deploy/prometheus:/etc/prometheus:ro');
  expect(grafana?.volumes).toContain('./deploy/grafana:/etc/grafana/dashboards:ro');
  const provisioning = join(ROOT, 'deploy', 'compose', 'grafana');
  const provided = (...path: string[]) => parse(readFileSync(join(provisioning, ...path), 'utf8'));
  expect(provided('datasources', 'prometheus.yml').datasources[0].url).toBe('http://prometheus:9090');
  expect(provided('dashboards', 'bestframe.yml').providers[0].options.path).toBe('/etc/grafana/dashboards');
  const scraped = parse(readFileSync(join(ROOT, 'deploy', 'prometheus', 'prometheus.yml'), 'utf8'));
  const { names } = scraped.scrape_configs[0].dns_sd_configs[0];
  expect(ours.map(([name]) => name)).toEqual(expect.arrayContaining(names));
});
