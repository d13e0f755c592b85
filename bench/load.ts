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
  /** Time of a core that the process took for a request: a busy machine makes it no other. Null where nobody can tell. */
  readonly cpuMs: number | null;
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
  const before = await cpuMs(pid);
  const early = sleep(Math.min(EARLY_S, seconds / 3) * 1_000).then(() => rssMb(pid));
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [{ headers: { ...headers, ...json }, setupRequest }],
  });
  const after = await cpuMs(pid);
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    answered: result['2xx'],
    errors: result.errors + result.non2xx,
    cpuMs: before === null || after === null ? null : (after - before) / Math.max(1, result['2xx'] + result.non2xx),
    rssMb: { early: await early, end: await rssMb(pid) },
  };
}

/** By the kernel, in hundredths of a second: user and system time are the 14th and 15th field, the name is the second. */
async function cpuMs(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function rssMb(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
