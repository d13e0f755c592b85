/**
 * Runs the services of docker-compose.yml as processes of this machine, with the file's commands and variables: all become ready, a
 * verification with uploaded files goes through them, and all drain. Folders of containers become folders of this test.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { cli, type RunningCli, startCli } from '../support/cli.ts';
import { formOf } from '../support/http.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const FILE = join(import.meta.dirname, '..', '..', 'docker-compose.yml');
const PASSWORD = 'letters0and1digits';
const SOON = { timeout: 60_000, interval: 100 };
const FOLDERS = ['deployment', 'frames', 'staging', 'spool', 'emulator'];

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
}
const services: Readonly<Record<string, Service>> = parse(readFileSync(FILE, 'utf8'), { merge: true }).services;
const ours = Object.entries(services).filter(([, each]) => each.image === 'bestframe' && each.profiles === undefined);
const serviceOf = (name: string) => services[name] as Service;

let redis: Server;
let rig: Rig;

beforeAll(async () => {
  rig = await createRig();
  redis = await startServer({
    dir: join(rig.dir, 'redis'),
    close: (admin) => admin.config('SET', 'requirepass', PASSWORD),
  });
  for (const folder of FOLDERS) await mkdir(join(rig.dir, folder), { recursive: true, mode: 0o700 });
}, 60_000);
afterAll(async () => {
  await redis?.stop();
  await rig?.dispose();
});

/** What a person writes to `.env`. */
function dotEnv(): Record<string, string> {
  const { BESTFRAME_MODE = '', BESTFRAME_PROXY = '', BESTFRAME_CA_FILE = '', BESTFRAME_BUCKETS = '' } = rig.env;
  const { TENCENTCLOUD_SECRET_ID = '', TENCENTCLOUD_SECRET_KEY = '' } = rig.env;
  return {
    ...{ REDIS_PASSWORD: PASSWORD, BESTFRAME_MODE, BESTFRAME_PROXY, BESTFRAME_CA_FILE, BESTFRAME_BUCKETS },
    ...{ TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY },
    ...{ BESTFRAME_DASHBOARD_USER: 'ana', BESTFRAME_DASHBOARD_PASSWORD: 'ana-may-do-all' },
  };
}

/** The variables of a service, as Compose fills them in, with this machine's places and free ports. */
function environmentOf({ environment = {} }: Service): Record<string, string> {
  const given = dotEnv();
  const filled = Object.entries(environment).map(([name, value]) => {
    const text = value.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_all, variable: string, kind: string, rest: string) => {
      const found = given[variable] ?? '';
      if (found === '' && kind === '?') throw new Error(`.env lacks ${variable}: ${rest}`);
      return found === '' && kind === '-' ? rest : found;
    });
    return [name, hereOf(text)];
  });
  const ports = { BESTFRAME_API_PORT: '0', BESTFRAME_DASHBOARD_PORT: '0', BESTFRAME_MONITOR_PORT: '0' };
  const hosts = { BESTFRAME_API_HOST: '127.0.0.1', BESTFRAME_DASHBOARD_HOST: '127.0.0.1' };
  return { ...Object.fromEntries(filled), ...ports, ...hosts };
}

/** A text of a container, with its folders and its host of Redis on this machine. */
function hereOf(text: string): string {
  const [, folder] = /^\/(\w+)/.exec(text) ?? [];
  if (folder !== undefined && FOLDERS.includes(folder)) return join(rig.dir, text);
  return text.replace('@redis:6379', `@127.0.0.1:${redis.port}`);
}

interface Started {
  readonly name: string;
  readonly running: RunningCli;
  /** The lines of its log. */
  readonly lines: Record<string, unknown>[];
}

function start(name: string): Started {
  const service = serviceOf(name);
  const running = startCli(service.command.map(hereOf), environmentOf(service));
  const lines: Record<string, unknown>[] = [];
  running.onErrorLine((line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line));
  });
  return { name, running, lines };
}

const addressIn = ({ lines }: Started, event: string) => {
  const line = lines.find((each) => each.event === event);
  return line === undefined ? undefined : String(line.address);
};

it('its services become ready, carry a verification from upload to frame, and drain', async () => {
  const init = await cli(serviceOf('init').command.map(hereOf), environmentOf(serviceOf('init')));
  expect([init.code, init.stderr]).toEqual([0, '']);
  const created = await cli(['keys', 'create', '--scopes', 'submit,read'], environmentOf(serviceOf('api')));
  const [key = ''] = /bf_test_[\w-]+/.exec(created.stdout) ?? [];
  expect(created.code).toBe(0);

  const started = ours.flatMap(([name]) => (name === 'init' ? [] : [start(name)]));
  expect(started.map(({ name }) => name)).toEqual(['verify', 'erase', 'api', 'notify', 'dashboard']);
  for (const each of started) {
    await expect.poll(() => addressIn(each, 'monitor_ready'), SOON).toBeDefined();
    const readiness = async () => (await fetch(`${addressIn(each, 'monitor_ready')}/readyz`)).status;
    await expect.poll(readiness, SOON).toBe(200);
  }

  const [api] = started.filter(({ name }) => name === 'api');
  const url = new URL('/v1/verifications', (api && addressIn(api, 'ready')) ?? '');
  const headers = { authorization: `Bearer ${key}` };
  const files = { liveData: sampleLiveData({ card: 'match' }), image: sampleImage('compose') };
  const body = formOf({ key: 'compose', region: 'ap-singapore', upload: 'own-bucket' }, files);
  const submitted = await fetch(url, { method: 'POST', headers, body });
  const { id, ...answer } = (await submitted.json()) as { id: string };
  expect([submitted.status, answer]).toMatchObject([202, { mode: 'test' }]);
  const view = async () => (await fetch(`${url}/${id}`, { headers })).json();
  await expect.poll(view, SOON).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored' });

  for (const { running } of started) running.child.kill('SIGTERM');
  const codes = await Promise.all(started.map(async ({ name, running }) => [name, (await running.result).code]));
  expect(codes).toEqual(started.map(({ name }) => [name, 0]));
}, 180_000);
