/** Puts load on one route with autocannon, and measures the CPU time and memory of the process that serves it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';

export interface LoadTarget {
  readonly url: string;
  readonly pid: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Builds the request with this index, starting at 0. */
  readonly request: (index: number) => {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body?: object;
  };
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answered: number;
  /** The number of broken connections, timeouts, and answers other than 2xx. */
  readonly errors: number;
  /** The CPU time per request, which does not depend on other load on the machine. Null if it cannot be measured. */
  readonly cpuMs: number | null;
  /**
   * The memory in MB: early (after 10 s, or a third of a test shorter than 30 s) and at the end. Null if it cannot be measured.
   */
  readonly rssMb: { readonly early: number | null; readonly end: number | null };
}

const CONNECTIONS = 200;
const EARLY_SECONDS = 10;

export async function measureLoad(
  { url, pid, headers = {}, request }: LoadTarget,
  seconds: number,
): Promise<LoadResult> {
  let index = 0;
  const setupRequest = (base: autocannon.Request): autocannon.Request => {
    const { method, path, body } = request(index++);
    return body === undefined ? { ...base, method, path } : { ...base, method, path, body: JSON.stringify(body) };
  };
  const json = request(0).body === undefined ? {} : { 'content-type': 'application/json' };
  const cpuBefore = await cpuMs(pid);
  const earlyRssMb = sleep(Math.min(EARLY_SECONDS, seconds / 3) * 1_000).then(() => rssMb(pid));
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [{ headers: { ...headers, ...json }, setupRequest }],
  });
  const cpuAfter = await cpuMs(pid);
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    answered: result['2xx'],
    errors: result.errors + result.non2xx,
    cpuMs:
      cpuBefore === null || cpuAfter === null
        ? null
        : (cpuAfter - cpuBefore) / Math.max(1, result['2xx'] + result.non2xx),
    rssMb: { early: await earlyRssMb, end: await rssMb(pid) },
  };
}

/**
 * Reads the user and system time from `/proc/<pid>/stat`, where they are fields 14 and 15, in hundredths of a second. Fields are
 * counted after the process's name (field 2), because the name may contain spaces.
 */
export async function cpuMs(pid: number): Promise<number | null> {
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
