/**
 * The HTTP API in a process of its own, with no worker behind it, under 200 connections; and the same for a route that only
 * calls `Queue.add`. That one runs first and last: what the machine does meanwhile is in its mean.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiKeys } from '../src/client/api-keys.ts';
import { readConfig } from '../src/config.ts';
import { SCOPES } from '../src/domain/api-keys.ts';
import type { VerificationRequest } from '../src/domain/verification.ts';
import { sampleImage, sampleLiveData } from '../src/emulator/samples.ts';
import { openClient } from '../src/open-client.ts';
import { startWorker } from '../src/world/processes.ts';
import { freePort } from '../src/world/redis.ts';
import { startProgram } from './child.ts';
import type { Ground } from './ground.ts';
import { type Load, load, type Target } from './load.ts';

export interface Row extends Load {
  readonly what: string;
  /** Requests a second over those of the bare queue; null for itself. */
  readonly ratio: number | null;
}

type Ask = Target['request'];

const BARE = 'Fastify and Queue.add';
/** So large that no request is refused: by the key's rate, or for what waits before it. */
const PER_SECOND = 100_000;
const KNOWN = 200;
const STOP_MS = 10_000;

export async function httpApi(seconds: number, ground: Ground, say: (line: string) => void): Promise<Row[]> {
  const dir = join(ground.dir, 'http');
  await mkdir(dir, { recursive: true });
  const sources = await filesIn(dir);
  const objects = {
    liveData: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'live.gz' },
    image: { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'photo.jpg' },
  } as const;
  const audited = { BESTFRAME_AUDIT: join(dir, 'audit.log') };
  const kinds: { what: string; asked: 'post' | 'get'; resources: Resources; settings: Record<string, string> }[] = [
    { what: 'POST, references to COS', asked: 'post', resources: objects, settings: audited },
    { what: 'POST, references to files', asked: 'post', resources: sources, settings: audited },
    { what: 'GET by id, audit to stdout', asked: 'get', resources: objects, settings: { BESTFRAME_AUDIT: 'stdout' } },
    { what: 'GET by id, audit to a file', asked: 'get', resources: objects, settings: audited },
  ];

  say(`${BARE}, before`);
  const before = await bareQueue(seconds, ground, objects);
  const loads: { what: string; load: Load }[] = [];
  for (const { what, asked, resources, settings } of kinds) {
    say(what);
    const prefix = `{http-${loads.length}}`;
    const env = { ...settings, BESTFRAME_FILE_ROOTS: dir, BESTFRAME_PREFIX: prefix };
    loads.push({ what, load: await api(seconds, ground, env, asked, resources) });
  }
  say(`${BARE}, after`);
  const after = await bareQueue(seconds, ground, objects);
  const bare = (before.perSecond + after.perSecond) / 2;
  return [
    { what: `${BARE}, before`, ratio: null, ...before },
    ...loads.map((each) => ({ what: each.what, ratio: each.load.perSecond / bare, ...each.load })),
    { what: `${BARE}, after`, ratio: null, ...after },
  ];
}

async function bareQueue(seconds: number, { redisUrl }: Ground, resources: Resources): Promise<Load> {
  const bare = await startProgram<string>('bare-queue', { REDIS_URL: redisUrl, PREFIX: `{bare-${Date.now()}}` });
  try {
    const request: Ask = (index) => ({ method: 'POST', path: '/jobs', body: verification(`key-${index}`, resources) });
    return await load({ url: bare.ready, pid: bare.pid, request }, seconds);
  } finally {
    await bare.stop();
  }
}

async function api(
  seconds: number,
  { redisUrl, workersDir }: Ground,
  settings: Readonly<Record<string, string>>,
  asked: 'post' | 'get',
  resources: Resources,
): Promise<Load> {
  const port = await freePort();
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_API_PORT: String(port),
    BESTFRAME_QPS_DETECT: String(PER_SECOND),
    ...settings,
  };
  const secret = await keyTo(env);
  const request = asked === 'post' ? submit(resources) : lookAt(await known(env, resources));
  const server = await startWorker('api', { env, dir: workersDir });
  try {
    const headers = { authorization: `Bearer ${secret}` };
    return await load({ url: `http://127.0.0.1:${port}`, pid: server.pid, headers, request }, seconds);
  } finally {
    await server.stop(STOP_MS);
  }
}

function submit(resources: Resources): Ask {
  return (index) => ({ method: 'POST', path: '/v1/verifications', body: verification(`key-${index}`, resources) });
}

function lookAt(ids: readonly string[]): Ask {
  return (index) => ({ method: 'GET', path: `/v1/verifications/${ids[index % ids.length]}` });
}

type Resources = VerificationRequest['resources'];

function verification(key: string, resources: Resources): VerificationRequest {
  return { key, region: 'ap-singapore', upload: 'own-bucket', resources };
}

async function keyTo(env: Readonly<Record<string, string>>): Promise<string> {
  const { redis, prefix, mode } = readConfig(env);
  const keys = new ApiKeys(redis, prefix);
  try {
    const wanted = { tenant: 'bench', mode, scopes: SCOPES, name: 'bench', perSecond: PER_SECOND, lifeMs: null };
    return (await keys.create(wanted)).secret;
  } finally {
    await keys.close();
  }
}

/** Verifications of the key's tenant that lie there. */
async function known(env: Readonly<Record<string, string>>, resources: Resources): Promise<string[]> {
  const client = openClient(readConfig(env));
  try {
    const wanted = Array.from({ length: KNOWN }, (_, index) => verification(`known-${index}`, resources));
    const results = await client.forTenant('bench').enqueueMany(wanted);
    return results.map((result) => {
      if (result.status === 'refused') throw result.error;
      return result.id;
    });
  } finally {
    await client.close();
  }
}

async function filesIn(dir: string): Promise<Resources> {
  const liveData = join(dir, 'live.gz');
  const image = join(dir, 'photo.jpg');
  await writeFile(liveData, sampleLiveData({ card: 'match' }));
  await writeFile(image, sampleImage());
  return { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } };
}
