/**
 * How many requests per second one HTTP API process answers with 200 connections, compared with a bare route that calls `Queue.add`. For a
 * form, the bare route first writes its files to the disk. The API and the bare routes are processes of their own, without workers. The
 * floor is a route that runs the scripts of a durable POST, or of a GET, and does nothing else.
 */
import { mkdtemp } from 'node:fs/promises';
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
import { Form, type LoadResult, type LoadTarget, measureLoads } from '../load.ts';
import { startProgram } from '../program.ts';

type BuildRequest = LoadTarget['request'];
type Resources = VerificationRequest['resources'];

/** The rate is so high that neither the key's limit nor the backlog refuses a request. */
const PER_SECOND = 100_000;
const STORED_VERIFICATIONS = 200;
const STOP_MS = 10_000;
const VERIFICATIONS = '/v1/verifications';
/** With the photo, a form has 50 kB. */
const LIVE_DATA_BYTES = 48_000;
const OBJECTS: Resources = {
  liveData: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'live.gz' },
  image: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'photo.jpg' },
};

export const httpApi: Figure = {
  name: 'http',
  about: 'requests per second of one API process, compared with Fastify and Queue.add; 200 connections',
  values: [
    { name: 'POST, references', unit: '×', goal: { atLeast: 0.5 } },
    { name: 'POST, form with 50 kB', unit: '×', goal: { atLeast: 0.5 } },
    { name: 'GET', unit: '×', goal: { atLeast: 0.9 } },
    { name: 'floor of a POST', unit: '×' },
    { name: 'floor of a GET', unit: '×' },
    { name: 'POST, references, per second', unit: '/s' },
    { name: 'POST, form, per second', unit: '/s' },
    { name: 'bare route, per second', unit: '/s' },
    { name: 'bare route, form, per second', unit: '/s' },
    { name: 'CPU of a POST', unit: 'ms' },
    { name: 'CPU of a POST with a form', unit: 'ms' },
    { name: 'CPU of a GET', unit: 'ms' },
    { name: 'CPU of the floor of a POST', unit: 'ms' },
    { name: 'CPU of the floor of a GET', unit: 'ms' },
    { name: 'CPU of the bare route', unit: 'ms' },
    { name: 'CPU of the bare route with a form', unit: 'ms' },
  ],
  seconds: { usual: 2, quick: 1 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const form = { liveData: sampleLiveData({ card: 'match', padBytes: LIVE_DATA_BYTES }), image: sampleImage() };
  const [api, bare, durable] = [
    await startApi(environment),
    await startRoutes('bare-queue', environment),
    await startRoutes('durable-queue', environment),
  ];
  try {
    const addJob = add('/jobs', (index) => referring(`job-${index}`));
    const fill = (index: number) => new Form(verification(`form-${index}`), form);
    const found = await measureLoads(
      {
        post: { ...api, request: add(VERIFICATIONS, (index) => referring(`post-${index}`)) },
        bare: { ...bare, request: addJob },
        get: { ...api, request: (index) => read(`${VERIFICATIONS}/${api.stored[index % api.stored.length]}`) },
        postFloor: { ...durable, request: addJob },
        getFloor: { ...durable, request: (index) => read(`/jobs/${index}`) },
        form: { ...api, request: add(VERIFICATIONS, fill) },
        bareForm: { ...bare, request: add('/forms', fill) },
      },
      seconds,
    );
    const ratio = (one: LoadResult, other: LoadResult) => one.perSecond / other.perSecond;
    return {
      'POST, references': ratio(found.post, found.bare),
      'POST, form with 50 kB': ratio(found.form, found.bareForm),
      GET: ratio(found.get, found.bare),
      'floor of a POST': ratio(found.postFloor, found.bare),
      'floor of a GET': ratio(found.getFloor, found.bare),
      'POST, references, per second': found.post.perSecond,
      'POST, form, per second': found.form.perSecond,
      'bare route, per second': found.bare.perSecond,
      'bare route, form, per second': found.bareForm.perSecond,
      'CPU of a POST': found.post.cpuMs,
      'CPU of a POST with a form': found.form.cpuMs,
      'CPU of a GET': found.get.cpuMs,
      'CPU of the floor of a POST': found.postFloor.cpuMs,
      'CPU of the floor of a GET': found.getFloor.cpuMs,
      'CPU of the bare route': found.bare.cpuMs,
      'CPU of the bare route with a form': found.bareForm.cpuMs,
    };
  } finally {
    for (const server of [api, bare, durable]) await server.stop();
  }
}

interface Server extends Pick<LoadTarget, 'url' | 'pid'> {
  stop(): Promise<void>;
}

async function startRoutes(
  program: 'bare-queue' | 'durable-queue',
  { redisUrl, dir }: BenchEnvironment,
): Promise<Server> {
  const filesDir = await mkdtemp(join(dir, 'files-'));
  const env = { REDIS_URL: redisUrl, PREFIX: `{${program}-${Date.now()}}`, FILES_DIR: filesDir };
  const { ready: url, pid, stop } = await startProgram<string>(program, env);
  return { url, pid, stop };
}

/** Starts the API. Some verifications are `stored`. */
async function startApi({ redisUrl, build, dir }: BenchEnvironment) {
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
    BESTFRAME_STAGING_DIR: join(dir, 'staging'),
  };
  await recordTestMode(redisUrl, build.readConfig(env).prefix);
  const headers = { authorization: `Bearer ${await createApiKey(env, build)}` };
  const stored = await storeVerifications(env, build);
  const { pid, stop } = await startWorker('api', { env, dir: build.workersDir });
  return { url: `http://127.0.0.1:${port}`, pid, headers, stored, stop: () => stop(STOP_MS) };
}

function add(path: string, bodyOf: (index: number) => object): BuildRequest {
  return (index) => ({ method: 'POST', path, body: bodyOf(index) });
}

function read(path: string): ReturnType<BuildRequest> {
  return { method: 'GET', path };
}

function verification(key: string) {
  return { key, region: 'ap-singapore', upload: 'own-bucket' } as const;
}

function referring(key: string): VerificationRequest {
  return { ...verification(key), resources: OBJECTS };
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
async function storeVerifications(env: Readonly<Record<string, string>>, build: Build): Promise<string[]> {
  const client = build.openClient(build.readConfig(env));
  try {
    const requests = Array.from({ length: STORED_VERIFICATIONS }, (_, index) => referring(`stored-${index}`));
    const results = await client.forTenant('default').enqueueMany(requests);
    return results.map((result) => {
      if (result.status === 'refused') throw result.error;
      return result.id;
    });
  } finally {
    await client.close();
  }
}
