/**
 * How many requests per second one HTTP API process answers with 200 connections, compared with a route that only calls `Queue.add`.
 * The API runs in its own process, without workers. The bare route is measured before and after the API, and the mean is used. The floor
 * is a bare route that runs the scripts of a durable POST, or of a GET, and does nothing else.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { freePort } from '../../src/dev/free-port.ts';
import { startWorker } from '../../src/dev/worker-process.ts';
import { SCOPES } from '../../src/domain/operations/api-keys.ts';
import { newNamespace } from '../../src/domain/verification/namespace.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type BenchEnvironment, type Build, recordTestMode } from '../environment.ts';
import type { Figure } from '../figure.ts';
import { type LoadResult, type LoadTarget, measureLoad } from '../load.ts';
import { startProgram } from '../program.ts';

type BuildRequest = LoadTarget['request'];

/** The rate is so high that neither the key's limit nor the backlog refuses a request. */
const PER_SECOND = 100_000;
const STORED_VERIFICATIONS = 200;
const STOP_MS = 10_000;

export const httpApi: Figure = {
  name: 'http',
  about: 'requests per second of one API process, compared with Fastify and Queue.add; 200 connections',
  values: [
    { name: 'POST, references', unit: '×', goal: { atLeast: 0.5 } },
    { name: 'POST, files of the server', unit: '×' },
    { name: 'GET', unit: '×', goal: { atLeast: 0.9 } },
    { name: 'floor of a POST', unit: '×' },
    { name: 'floor of a GET', unit: '×' },
    { name: 'POST, references, per second', unit: '/s' },
    { name: 'bare route, per second', unit: '/s' },
    { name: 'CPU of a POST', unit: 'ms' },
    { name: 'CPU of a GET', unit: 'ms' },
    { name: 'CPU of the floor of a POST', unit: 'ms' },
    { name: 'CPU of the floor of a GET', unit: 'ms' },
    { name: 'CPU of the bare route', unit: 'ms' },
  ],
  seconds: { usual: 2, quick: 1 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const { dir } = environment;
  await mkdir(dir, { recursive: true });
  const files = await writeFiles(dir);
  const objects = {
    liveData: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'live.gz' },
    image: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'photo.jpg' },
  } as const;
  const add: BuildRequest = (index) => ({ method: 'POST', path: '/jobs', body: verification(`key-${index}`, objects) });
  const read: BuildRequest = (index) => ({ method: 'GET', path: `/jobs/${index}` });
  const before = await measureRouteOf('bare-queue', seconds, environment, add);
  const { post, withFiles, get } = await measureApi(environment, seconds, { objects, files });
  const floor = await measureRouteOf('durable-queue', seconds, environment, add);
  const getFloor = await measureRouteOf('durable-queue', seconds, environment, read);
  const after = await measureRouteOf('bare-queue', seconds, environment, add);
  for (const { errors, answered } of [before, post, withFiles, get, floor, getFloor, after])
    if (errors > 0 || answered === 0) throw new Error(`${errors} requests failed, ${answered} were answered`);
  const bare = (before.perSecond + after.perSecond) / 2;
  return {
    'POST, references': post.perSecond / bare,
    'POST, files of the server': withFiles.perSecond / bare,
    GET: get.perSecond / bare,
    'floor of a POST': floor.perSecond / bare,
    'floor of a GET': getFloor.perSecond / bare,
    'POST, references, per second': post.perSecond,
    'bare route, per second': bare,
    'CPU of a POST': post.cpuMs,
    'CPU of a GET': get.cpuMs,
    'CPU of the floor of a POST': floor.cpuMs,
    'CPU of the floor of a GET': getFloor.cpuMs,
    'CPU of the bare route': (before.cpuMs + after.cpuMs) / 2,
  };
}

async function measureRouteOf(
  program: 'bare-queue' | 'durable-queue',
  seconds: number,
  { redisUrl }: BenchEnvironment,
  request: BuildRequest,
): Promise<LoadResult> {
  const bare = await startProgram<string>(program, { REDIS_URL: redisUrl, PREFIX: `{bare-${Date.now()}}` });
  try {
    return await measureLoad({ url: bare.ready, pid: bare.pid, request }, seconds);
  } finally {
    await bare.stop();
  }
}

/** Measures three routes of one API process, one after the other. */
async function measureApi(
  { redisUrl, build, dir }: BenchEnvironment,
  seconds: number,
  { objects, files }: { readonly objects: Resources; readonly files: Resources },
) {
  const port = await freePort();
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_PREFIX: `{http-${Date.now()}}`,
    BESTFRAME_NAMESPACE: newNamespace(),
    BESTFRAME_API_PORT: String(port),
    BESTFRAME_QPS_DETECT: String(PER_SECOND),
    BESTFRAME_AUDIT: join(dir, 'audit.log'),
    BESTFRAME_FILE_ROOTS: dir,
  };
  await recordTestMode(redisUrl, build.readConfig(env).prefix);
  const headers = { authorization: `Bearer ${await createApiKey(env, build)}` };
  const stored = await storeVerifications(env, objects, build);
  const server = await startWorker('api', { env, dir: build.workersDir });
  const route = (request: BuildRequest) =>
    measureLoad({ url: `http://127.0.0.1:${port}`, pid: server.pid, headers, request }, seconds);
  try {
    return {
      post: await route(submit('post', objects)),
      withFiles: await route(submit('files', files)),
      get: await route(readById(stored)),
    };
  } finally {
    await server.stop(STOP_MS);
  }
}

function submit(name: string, resources: Resources): BuildRequest {
  return (index) => ({ method: 'POST', path: '/v1/verifications', body: verification(`${name}-${index}`, resources) });
}

function readById(ids: readonly string[]): BuildRequest {
  return (index) => ({ method: 'GET', path: `/v1/verifications/${ids[index % ids.length]}` });
}

type Resources = VerificationRequest['resources'];

function verification(key: string, resources: Resources): VerificationRequest {
  return { key, region: 'ap-singapore', upload: 'own-bucket', resources };
}

async function createApiKey(env: Readonly<Record<string, string>>, build: Build): Promise<string> {
  const { redis, prefix, mode } = build.readConfig(env);
  const keys = new ApiKeys(redis, prefix);
  try {
    const options = { tenant: 'default', mode, scopes: SCOPES, name: 'bench', perSecond: PER_SECOND, lifeMs: null };
    return (await keys.create(options)).secret;
  } finally {
    await keys.close();
  }
}

/** Stores verifications for the key's tenant. @returns their ids */
async function storeVerifications(
  env: Readonly<Record<string, string>>,
  resources: Resources,
  build: Build,
): Promise<string[]> {
  const client = build.openClient(build.readConfig(env));
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
