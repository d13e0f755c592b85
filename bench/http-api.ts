/**
 * Measures the HTTP API with 200 connections. The API runs in its own process, without workers. The baseline is a route that only
 * calls `Queue.add`. The baseline is measured once before and once after the API, and the mean of these two measurements is used,
 * because the load on the machine may change.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openClient } from '../src/app/client.ts';
import { readConfig } from '../src/app/config.ts';
import { ApiKeys } from '../src/client/redis/api-keys.ts';
import { freePort } from '../src/dev/free-port.ts';
import { startWorker } from '../src/dev/worker-process.ts';
import { SCOPES } from '../src/domain/operations/api-keys.ts';
import type { VerificationRequest } from '../src/domain/verification/request.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import type { BenchEnvironment } from './environment.ts';
import { type LoadResult, type LoadTarget, measureLoad } from './load.ts';
import { startProgram } from './program.ts';

export interface RouteResult extends LoadResult {
  readonly name: string;
  /** Requests per second relative to the bare queue; null for the bare queue itself. */
  readonly ratio: number | null;
}

type BuildRequest = LoadTarget['request'];

const BASELINE = 'Fastify and Queue.add';
/** The rate is so high that neither the key's limit nor the backlog refuses a request. */
const PER_SECOND = 100_000;
const STORED_VERIFICATIONS = 200;
const STOP_MS = 10_000;

export async function measureHttpApi(
  seconds: number,
  environment: BenchEnvironment,
  log: (line: string) => void,
): Promise<RouteResult[]> {
  const dir = join(environment.dir, 'http');
  await mkdir(dir, { recursive: true });
  const files = await writeFiles(dir);
  const objects = {
    liveData: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'live.gz' },
    image: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'photo.jpg' },
  } as const;
  const auditToFile = { BESTFRAME_AUDIT: join(dir, 'audit.log') };
  const routes: Route[] = [
    { name: 'POST, references to COS', method: 'POST', resources: objects, settings: auditToFile },
    { name: 'POST, references to files', method: 'POST', resources: files, settings: auditToFile },
    { name: 'GET by id, audit to stdout', method: 'GET', resources: objects, settings: { BESTFRAME_AUDIT: 'stdout' } },
    { name: 'GET by id, audit to a file', method: 'GET', resources: objects, settings: auditToFile },
  ];

  log(`${BASELINE}, before`);
  const before = await measureBareQueue(seconds, environment, objects);
  const results: { name: string; load: LoadResult }[] = [];
  for (const route of routes) {
    log(route.name);
    const prefix = `{http-${results.length}}`;
    const settings = { ...route.settings, BESTFRAME_FILE_ROOTS: dir, BESTFRAME_PREFIX: prefix };
    results.push({ name: route.name, load: await measureRoute(seconds, environment, { ...route, settings }) });
  }
  log(`${BASELINE}, after`);
  const after = await measureBareQueue(seconds, environment, objects);
  const baselinePerSecond = (before.perSecond + after.perSecond) / 2;
  return [
    { name: `${BASELINE}, before`, ratio: null, ...before },
    ...results.map(({ name, load }) => ({ name, ratio: load.perSecond / baselinePerSecond, ...load })),
    { name: `${BASELINE}, after`, ratio: null, ...after },
  ];
}

async function measureBareQueue(
  seconds: number,
  { redisUrl }: BenchEnvironment,
  resources: Resources,
): Promise<LoadResult> {
  const bare = await startProgram<string>('bare-queue', { REDIS_URL: redisUrl, PREFIX: `{bare-${Date.now()}}` });
  try {
    const request: BuildRequest = (index) => ({
      method: 'POST',
      path: '/jobs',
      body: verification(`key-${index}`, resources),
    });
    return await measureLoad({ url: bare.ready, pid: bare.pid, request }, seconds);
  } finally {
    await bare.stop();
  }
}

interface Route {
  readonly name: string;
  readonly method: 'POST' | 'GET';
  readonly resources: Resources;
  readonly settings: Readonly<Record<string, string>>;
}

async function measureRoute(
  seconds: number,
  { redisUrl, workersDir }: BenchEnvironment,
  { method, resources, settings }: Route,
): Promise<LoadResult> {
  const port = await freePort();
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_API_PORT: String(port),
    BESTFRAME_QPS_DETECT: String(PER_SECOND),
    ...settings,
  };
  const secret = await createApiKey(env);
  const request = method === 'POST' ? submit(resources) : readById(await storeVerifications(env, resources));
  const server = await startWorker('api', { env, dir: workersDir });
  try {
    const headers = { authorization: `Bearer ${secret}` };
    return await measureLoad({ url: `http://127.0.0.1:${port}`, pid: server.pid, headers, request }, seconds);
  } finally {
    await server.stop(STOP_MS);
  }
}

function submit(resources: Resources): BuildRequest {
  return (index) => ({ method: 'POST', path: '/v1/verifications', body: verification(`key-${index}`, resources) });
}

function readById(ids: readonly string[]): BuildRequest {
  return (index) => ({ method: 'GET', path: `/v1/verifications/${ids[index % ids.length]}` });
}

type Resources = VerificationRequest['resources'];

function verification(key: string, resources: Resources): VerificationRequest {
  return { key, region: 'ap-singapore', upload: 'own-bucket', resources };
}

async function createApiKey(env: Readonly<Record<string, string>>): Promise<string> {
  const { redis, prefix, mode } = readConfig(env);
  const keys = new ApiKeys(redis, prefix);
  try {
    const options = { tenant: 'default', mode, scopes: SCOPES, name: 'bench', perSecond: PER_SECOND, lifeMs: null };
    return (await keys.create(options)).secret;
  } finally {
    await keys.close();
  }
}

/** Stores verifications for the key's tenant. @returns their ids */
async function storeVerifications(env: Readonly<Record<string, string>>, resources: Resources): Promise<string[]> {
  const client = openClient(readConfig(env));
  try {
    const requests = Array.from({ length: STORED_VERIFICATIONS }, (_, index) =>
      verification(`stored-${index}`, resources),
    );
    const results = await client.forTenant('default').enqueueMany(requests);
    return results.map((result) => {
      if (result.status === 'refused') throw result.error;
      return result.id;
    });
  } finally {
    await client.close();
  }
}

async function writeFiles(dir: string): Promise<Resources> {
  const liveData = join(dir, 'live.gz');
  const image = join(dir, 'photo.jpg');
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  return { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } };
}
