/**
 * How long one process of the operators' site takes to answer while 100,000 verifications are queued: the overview, the list, and the list
 * with a filter that nothing matches, which reads as many records as a page may. Requests are sent one after the other. On a busy machine
 * the times include waiting for a core; the core time does not.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../src/dev/free-port.ts';
import { newNamespace } from '../../src/domain/verification/namespace.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { cpuMs, redisCoreMs } from '../cpu.ts';
import { type BenchEnvironment, oncePerBuild } from '../environment.ts';
import { type Figure, median } from '../figure.ts';

const PAGES = {
  overview: '/',
  list: '/verifications',
  'list with a filter': '/verifications?decision=no_match',
} as const;
type PageName = keyof typeof PAGES;
const NAMES = Object.keys(PAGES) as PageName[];

const QUEUED = 100_000;
const QUEUED_IF_QUICK = 20_000;
const BULK = 500;
const WARM = 5;
const MIN_REQUESTS = 20;
const USER = { name: 'bench', password: 'only-for-this-benchmark' };

export const site: Figure = {
  name: 'site',
  about: `time of the operators' site to answer, ${QUEUED.toLocaleString('en-US')} queued`,
  values: [
    { name: 'queued', unit: '' },
    ...NAMES.flatMap((page) => [
      { name: `${page}, p50`, unit: 'ms' as const, goal: { atMost: 50 } },
      { name: `${page}, p95`, unit: 'ms' as const },
      { name: `${page}, core of the site`, unit: 'ms' as const, goal: { atMost: 50 } },
      { name: `${page}, core of Redis`, unit: 'ms' as const },
    ]),
  ],
  seconds: { usual: 3, quick: 2 },
  measure,
};

/** A deployment in which many are queued, as settings. */
const filled = oncePerBuild(async ({ redisUrl, build, isQuick }: BenchEnvironment) => {
  const env = {
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: newNamespace(),
    BESTFRAME_REDIS_URL: redisUrl,
    BESTFRAME_PREFIX: `{site-${Date.now()}}`,
  };
  const queued = isQuick ? QUEUED_IF_QUICK : QUEUED;
  const client = build.openClient(build.readConfig(env));
  try {
    for (let from = 0; from < queued; from += BULK) {
      const size = Math.min(BULK, queued - from);
      await client.enqueueMany(Array.from({ length: size }, (_, index) => request(`key-${from + index}`)));
    }
  } finally {
    await client.close();
  }
  return { env, queued };
});

async function measure(environment: BenchEnvironment, seconds: number) {
  const { redisUrl, dir, build } = environment;
  const port = await freePort();
  const { env, queued } = await filled(environment);
  const siteEnv = {
    ...env,
    BESTFRAME_AUDIT: join(dir, 'audit.log'),
    BESTFRAME_DASHBOARD_PORT: String(port),
    BESTFRAME_DASHBOARD_USER: USER.name,
    BESTFRAME_DASHBOARD_PASSWORD: USER.password,
    BESTFRAME_LOG: 'silent',
  };
  const redis = new Redis(redisUrl);
  const server = await startSite(build.cli, siteEnv);
  try {
    const url = `http://127.0.0.1:${port}`;
    const cookie = await logIn(url);
    const values: Record<string, number> = { queued };
    for (const page of NAMES) {
      const ask = () => answerMs(`${url}${PAGES[page]}`, cookie);
      for (let count = 0; count < WARM; count += 1) await ask();
      const [siteBefore, redisBefore] = [await cpuMs(server.pid ?? 0), await redisCoreMs(redis)];
      const times: number[] = [];
      const end = performance.now() + (seconds * 1_000) / NAMES.length;
      while (times.length < MIN_REQUESTS || performance.now() < end) times.push(await ask());
      const [siteAfter, redisAfter] = [await cpuMs(server.pid ?? 0), await redisCoreMs(redis)];
      values[`${page}, p50`] = median(times);
      values[`${page}, p95`] = times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? Number.NaN;
      values[`${page}, core of the site`] = (siteAfter - siteBefore) / times.length;
      values[`${page}, core of Redis`] = (redisAfter - redisBefore) / times.length;
    }
    return values;
  } finally {
    server.disconnect();
    if (server.exitCode === null) await once(server, 'exit');
    redis.disconnect();
  }
}

function request(key: string): VerificationRequest {
  const place = { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore' } as const;
  const resources = { liveData: { ...place, key: `${key}.gz` }, image: { ...place, key: `${key}.jpg` } };
  return { key, region: 'ap-singapore', upload: 'own-bucket', lane: 'batch', resources };
}

/** Starts the site in its own process. It ends when its IPC channel closes. */
async function startSite(cli: string, env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = fork(cli, ['dashboard'], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the site exited with code ${code}`)));
  await Promise.race([once(child, 'message'), exited]);
  exited.catch(() => undefined); // it is stopped at the end
  return child;
}

async function logIn(url: string): Promise<string> {
  const body = new URLSearchParams(USER);
  const answer = await fetch(`${url}/login`, { method: 'POST', body, redirect: 'manual' });
  const [cookie = ''] = (answer.headers.getSetCookie()[0] ?? '').split(';');
  if (answer.status !== 303) throw new Error(`the login was answered with ${answer.status}`);
  return cookie;
}

async function answerMs(url: string, cookie: string): Promise<number> {
  const startedAt = performance.now();
  const answer = await fetch(url, { headers: { cookie, accept: 'text/html' }, redirect: 'manual' });
  await answer.text();
  if (answer.status !== 200) throw new Error(`${url} was answered with ${answer.status}`);
  return performance.now() - startedAt;
}
