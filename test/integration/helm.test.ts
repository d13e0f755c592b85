/**
 * Renders the Helm chart with three sets of values, compares the results with stored ones, and checks what must hold for all of them.
 * `npx vitest run test/integration/helm.test.ts -u` renews the stored results.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/app/config.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import { REGIONS } from '../../src/domain/verification/regions.ts';
import { findHelm, type Helm } from '../support/helm.ts';
import { findFaults } from '../support/kubernetes-schemas.ts';
import { createRig } from '../support/rig.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CHART = join(ROOT, 'deploy', 'helm', 'bestframe');
const FIXTURES = join(ROOT, 'test', 'fixtures', 'helm');
const SETS = ['minimal', 'production', 'openshift'] as const;

/** Secrets, which the chart takes only by reference. */
const SECRETS = [
  ...['BESTFRAME_REDIS_URL', 'BESTFRAME_NAMESPACE', 'BESTFRAME_KEY_RING', 'BESTFRAME_PROXY'],
  ...['TENCENTCLOUD_SECRET_ID', 'TENCENTCLOUD_SECRET_KEY', 'TENCENTCLOUD_TOKEN'],
  ...['BESTFRAME_WEBHOOKS', 'BESTFRAME_WEBHOOK_SECRETS', 'BESTFRAME_DASHBOARD_USER', 'BESTFRAME_DASHBOARD_PASSWORD'],
  ...['BESTFRAME_DASHBOARD_USERS', 'BESTFRAME_DASHBOARD_IDENTITY_SECRET', 'OTEL_EXPORTER_OTLP_HEADERS'],
];
/** Settings that the chart itself sets. */
const SET_BY_CHART = [
  ...['BESTFRAME_REGIONS', 'BESTFRAME_LOG', 'BESTFRAME_MONITOR_HOST', 'BESTFRAME_MONITOR_PORT', 'BESTFRAME_SLOTS'],
  ...['BESTFRAME_FRAMES_DIR', 'BESTFRAME_FILE_ROOTS', 'BESTFRAME_SPOOL_DIR', 'BESTFRAME_STAGING_DIR'],
  ...['BESTFRAME_API_HOST', 'BESTFRAME_API_PORT', 'BESTFRAME_DASHBOARD_HOST', 'BESTFRAME_DASHBOARD_PORT'],
  'BESTFRAME_BASE_PATH',
];
/** Other spellings of settings, variables that the platform sets, and the name of a service, which each process has itself. */
const OTHERS = [
  ...['REDIS_URL', 'HTTPS_PROXY', 'https_proxy', 'no_proxy', 'TENCENTCLOUD_CREDENTIALS_FILE', 'HOME'],
  ...['OTEL_SERVICE_NAME', 'TKE_REGION', 'TKE_PROVIDER_ID', 'TKE_WEB_IDENTITY_TOKEN_FILE', 'TKE_ROLE_ARN'],
];

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Labels };
  readonly data?: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the parts of a resource that the tests look at differ by kind
  readonly spec: any;
}
type Labels = Readonly<Record<string, string>>;

let helm: Helm;
/** What the chart gives with each set of values: as text, and its resources. */
const rendered = new Map<string, { readonly text: string; readonly resources: readonly Resource[] }>();

const render = (...args: string[]) => helm('template', 'bestframe', CHART, '--namespace', 'faces', ...args);
const valuesOf = (name: string) => join(FIXTURES, `${name}.values.yaml`);

beforeAll(async () => {
  helm = await findHelm();
  for (const name of SETS) {
    const text = await render('-f', valuesOf(name));
    const documents = parseAllDocuments(text, { uniqueKeys: true });
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    const resources = documents.flatMap((each) => (each.contents === null ? [] : [each.toJS() as Resource]));
    rendered.set(name, { text, resources });
  }
}, 600_000); // the first run downloads Helm

const resourcesOf = (name: string) => rendered.get(name)?.resources ?? [];
const ofKind = (name: string, kind: string) => resourcesOf(name).filter((each) => each.kind === kind);
const selects = (selector: Labels, labels: Labels) =>
  Object.entries(selector).every(([label, value]) => labels[label] === value);

describe.each(SETS)('with the values "%s", the chart', (name) => {
  it('has no fault that Helm finds, and gives the stored resources', async () => {
    expect(await helm('lint', '--strict', '-f', valuesOf(name), CHART)).toContain('0 chart(s) failed');
    await expect(rendered.get(name)?.text).toMatchFileSnapshot(join(FIXTURES, `${name}.golden.yaml`));
    const names = resourcesOf(name).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('gives resources that match the schemas of their kinds', () => {
    const faults = resourcesOf(name).flatMap((resource) =>
      findFaults(resource).map((fault) => `${resource.kind} ${resource.metadata.name}: ${fault}`),
    );
    expect(faults).toEqual([]);
  });

  it('runs every pod without privileges, with probes, and longer than it drains', () => {
    const deployments = ofKind(name, 'Deployment');
    expect(deployments.length).toBeGreaterThan(2);
    const [settings] = ofKind(name, 'ConfigMap');
    const drainMs = Number(settings?.data?.BESTFRAME_DRAIN_MS ?? SETTINGS.BESTFRAME_DRAIN_MS.parse(undefined));
    for (const { spec } of deployments) {
      const pod = spec.template.spec;
      const [container] = pod.containers;
      expect(pod).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'monitor' });
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'monitor' });
      expect(container.ports).toContainEqual({ name: 'monitor', containerPort: 9464 });
      expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainMs);
      expect(container.resources.limits.memory).toMatch(/^\d+Mi$/);
      const mounts = container.volumeMounts.map((mount: { name: string }) => mount.name);
      expect(pod.volumes.map((volume: { name: string }) => volume.name).sort()).toEqual(mounts.sort());
    }
  });

  it('gives secrets by reference only, and each only to the pods that need it', () => {
    for (const { metadata, spec } of ofKind(name, 'Deployment')) {
      const variables: Variable[] = spec.template.spec.containers[0].env;
      const component = metadata.labels['app.kubernetes.io/component'] ?? '';
      for (const { name: variable, value, valueFrom } of variables) {
        expect(SETTINGS).toHaveProperty(variable);
        if (SECRETS.includes(variable))
          expect([variable, value, valueFrom]).toEqual([variable, undefined, expect.anything()]);
        if (variable.startsWith('TENCENTCLOUD_')) expect(component).toMatch(/^(verify-.*|erase|api)$/);
        if (variable.startsWith('BESTFRAME_DASHBOARD_')) expect(component).toBe('dashboard');
        if (variable.startsWith('BESTFRAME_WEBHOOK')) expect(component).toBe('notify');
      }
    }
    const [settings] = ofKind(name, 'ConfigMap');
    expect(Object.keys(settings?.data ?? {}).filter((key) => !(key in SETTINGS) || SECRETS.includes(key))).toEqual([]);
  });

  it('has settings with which every process starts', () => {
    const secrets = {
      BESTFRAME_NAMESPACE: randomBytes(32).toString('hex'),
      BESTFRAME_REDIS_URL: 'rediss://redis.example',
    };
    const [settings] = ofKind(name, 'ConfigMap');
    for (const { spec } of ofKind(name, 'Deployment')) {
      const variables: Variable[] = spec.template.spec.containers[0].env;
      const plain = variables.flatMap(({ name: key, value }) => (value === undefined ? [] : [[key, value]]));
      const config = readConfig({ ...secrets, ...settings?.data, ...Object.fromEntries(plain) });
      expect(config).toMatchObject({ mode: 'live', monitor: { host: '0.0.0.0', port: 9_464 } });
    }
  });

  it('selects pods that exist: by services, budgets, policies, monitors and autoscalers', () => {
    const deployments = ofKind(name, 'Deployment');
    const pods = deployments.map(({ spec }) => spec.template.metadata.labels as Labels);
    const matching = (selector: Labels) => pods.filter((labels) => selects(selector, labels)).length;
    for (const { spec } of deployments) expect(matching(spec.selector.matchLabels)).toBe(1);
    for (const { spec } of ofKind(name, 'PodDisruptionBudget')) expect(matching(spec.selector.matchLabels)).toBe(1);
    for (const { metadata, spec } of ofKind(name, 'Service')) {
      expect(matching(spec.selector)).toBe(metadata.name.endsWith('-monitor') ? deployments.length : 1);
    }
    for (const { metadata, spec } of ofKind(name, 'NetworkPolicy')) {
      expect(matching(spec.podSelector.matchLabels)).toBe(metadata.name === 'bestframe' ? deployments.length : 1);
    }
    for (const { spec } of ofKind(name, 'ServiceMonitor')) {
      const services = ofKind(name, 'Service').filter(({ metadata }) =>
        selects(spec.selector.matchLabels, metadata.labels),
      );
      expect(services.map(({ metadata }) => metadata.name)).toEqual(['bestframe-monitor']);
    }
    for (const { spec } of ofKind(name, 'ScaledObject')) {
      const [scaled] = deployments.filter(({ metadata }) => metadata.name === spec.scaleTargetRef.name);
      expect(scaled?.spec).not.toHaveProperty('replicas');
    }
  });
});

it('a resource with a wrong type or an unknown field does not match its schema, which proves that the check can fail', () => {
  const [deployment] = ofKind('minimal', 'Deployment');
  const wrong = structuredClone(deployment) as Resource;
  wrong.spec.template.spec.enableServiceLinks = 'no';
  expect(findFaults(wrong)).toEqual([expect.stringContaining('enableServiceLinks must be boolean')]);
  const unknown = structuredClone(deployment) as Resource;
  unknown.spec.template.spec.enableServiceLink = false;
  expect(findFaults(unknown)).toEqual(['spec/template/spec/enableServiceLink is in no schema']);
});

it('files over HTTP need no volume that pods share, unless a claim is given', async () => {
  const stagedIn = (resources: readonly Resource[]) => {
    const claims = resources.flatMap(({ kind, spec }) => (kind === 'Deployment' ? spec.template.spec.volumes : []));
    const [settings] = resources.filter(({ kind }) => kind === 'ConfigMap');
    return [settings?.data?.BESTFRAME_STAGING_DIR, JSON.stringify(claims).includes('persistentVolumeClaim')];
  };
  expect(stagedIn(resourcesOf('minimal'))).toEqual(['cos:bestframe-staged', false]);
  const parsed = async (...args: string[]) =>
    parseAllDocuments(await render('-f', valuesOf('minimal'), ...args)).map((each) => each.toJS() as Resource);
  expect(stagedIn(await parsed('--set', 'staging.existingClaim=files'))).toEqual(['/staging', true]);
  expect(stagedIn(await parsed('--set', 'staging.bucketFolder='))).toEqual([undefined, false]);
});

it('as many pods run as the vendor’s rate keeps busy, and no more', () => {
  const most = ofKind('production', 'ScaledObject').map(({ metadata, spec }) => [metadata.name, spec.maxReplicaCount]);
  // 10 and 5 calls a second, 6 s for a verification, 10 at a time in a pod
  expect(most).toEqual([
    ['bestframe-verify-ap-singapore', 6],
    ['bestframe-verify-ap-hongkong', 3],
  ]);
});

it.each([
  ['a secret in clear', 'settings: { BESTFRAME_KEY_RING: "k1:abc" }', /BESTFRAME_KEY_RING/],
  ['a setting that does not exist', 'settings: { BESTFRAME_SLOT: 3 }', /BESTFRAME_SLOT/],
  ['a value that does not exist', 'verify: { slot: 3 }', /slot/],
  ['a region that does not exist', 'verify: { regions: [{ name: eu-frankfurt }] }', /regions/],
  [
    'autoscaling without a process that reports the backlog',
    'verify: { autoscaling: { enabled: true } }\napi: { enabled: false }',
    /report the backlog/,
  ],
])('the chart refuses %s', async (_name, values, message) => {
  const rig = await createRig();
  const file = join(rig.dir, 'values.yaml');
  await writeFile(file, values);
  await expect(render('-f', file)).rejects.toThrow(message);
  await rig.dispose();
});

it('the schema knows every setting and region, and the chart has the version of the program', () => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
  const { settings } = schema.definitions;
  const expected = Object.keys(SETTINGS).filter((name) => ![...SECRETS, ...SET_BY_CHART, ...OTHERS].includes(name));
  expect(settings.propertyNames.enum.toSorted()).toEqual(expected.sort());
  expect(schema.properties.secretSettings.propertyNames.enum.toSorted()).toEqual(SECRETS.toSorted());
  expect(schema.properties.verify.properties.regions.items.properties.name.enum.toSorted()).toEqual(
    [...REGIONS].sort(),
  );
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version });
});
