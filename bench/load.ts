/** Puts load on one route with autocannon, and measures the CPU time of the process that serves it. */
import autocannon from 'autocannon';
import { cpuMs } from './cpu.ts';

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
  /** The CPU time per request, which does not depend on other load on the machine. NaN if it cannot be measured. */
  readonly cpuMs: number;
}

const CONNECTIONS = 200;
/** Sent before the measurement, so that the code of a process that has just started is compiled. */
const WARM = 1_500;

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
  const requests = [{ headers: { ...headers, ...json }, setupRequest }];
  await autocannon({ url, connections: CONNECTIONS, amount: WARM, requests });
  const cpuBefore = await cpuMs(pid);
  const result = await autocannon({ url, connections: CONNECTIONS, duration: seconds, requests });
  const cpuAfter = await cpuMs(pid);
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    answered: result['2xx'],
    errors: result.errors + result.non2xx,
    cpuMs: (cpuAfter - cpuBefore) / Math.max(1, result['2xx'] + result.non2xx),
  };
}
