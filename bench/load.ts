/** So many connections against one route for so long, by autocannon, beside a look at the memory of the process behind it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';

export interface Target {
  readonly url: string;
  readonly pid: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked for each request in turn, from 0. */
  readonly request: (index: number) => {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body?: object;
  };
}

export interface Load {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answered: number;
  /** Broken connections, times that ran out, and answers that are no success. */
  readonly errors: number;
  /** Of the process: after 10 s, or a third of the time where that is sooner, and at the end. Null where nobody can tell. */
  readonly rssMb: { readonly early: number | null; readonly end: number | null };
}

const CONNECTIONS = 200;
const EARLY_S = 10;

export async function load({ url, pid, headers = {}, request }: Target, seconds: number): Promise<Load> {
  let index = 0;
  const setupRequest = (given: autocannon.Request): autocannon.Request => {
    const { method, path, body } = request(index++);
    return body === undefined ? { ...given, method, path } : { ...given, method, path, body: JSON.stringify(body) };
  };
  const json = request(0).body === undefined ? {} : { 'content-type': 'application/json' };
  const early = sleep(Math.min(EARLY_S, seconds / 3) * 1_000).then(() => rssMb(pid));
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [{ headers: { ...headers, ...json }, setupRequest }],
  });
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    answered: result['2xx'],
    errors: result.errors + result.non2xx,
    rssMb: { early: await early, end: await rssMb(pid) },
  };
}

async function rssMb(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
