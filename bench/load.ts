/** Puts load on routes with autocannon, and measures the CPU time of the processes that serve them. */
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
    /** Sent as JSON, unless it is a form. */
    readonly body?: object | Form;
  };
}

/** A body of the type multipart/form-data. */
export class Form {
  static readonly type = 'multipart/form-data; boundary=bench';
  readonly bytes: Buffer;

  /** @param verification its part is the first one, as JSON; the files follow. */
  constructor(verification: object, files: Readonly<Record<string, Buffer>>) {
    const part = (about: string, content: Buffer | string) => [
      `--bench\r\ncontent-disposition: form-data; ${about}\r\n\r\n`,
      content,
      '\r\n',
    ];
    const parts = [
      ...part('name="verification"', JSON.stringify(verification)),
      ...Object.entries(files).flatMap(([name, bytes]) => part(`name="${name}"; filename="${name}"`, bytes)),
      '--bench--\r\n',
    ];
    this.bytes = Buffer.concat(parts.map((each) => Buffer.from(each as string)));
  }
}

export interface LoadResult {
  readonly perSecond: number;
  /** The CPU time per request, which does not depend on other load on the machine. NaN if it cannot be measured. */
  readonly cpuMs: number;
}

const CONNECTIONS = 200;
/** The load before the measurement, so that the code of a process that has just started is compiled. */
const WARM_SECONDS = 2;

/**
 * Puts load on some routes, one after the other.
 * @param seconds on each route
 * @throws Error if a connection breaks, a request takes too long, or an answer is not 2xx
 */
export async function measureLoads<Name extends string>(
  targets: Readonly<Record<Name, LoadTarget>>,
  seconds: number,
): Promise<Record<Name, LoadResult>> {
  const results: Partial<Record<Name, LoadResult>> = {};
  for (const name of Object.keys(targets) as Name[]) results[name] = await measureLoad(targets[name], seconds);
  return results as Record<Name, LoadResult>;
}

async function measureLoad({ url, pid, headers, request }: LoadTarget, seconds: number): Promise<LoadResult> {
  let index = 0;
  const setupRequest = (base: autocannon.Request): autocannon.Request => {
    const { method, path, body } = request(index++);
    if (body === undefined) return { ...base, method, path };
    const [type, bytes] = body instanceof Form ? [Form.type, body.bytes] : ['application/json', JSON.stringify(body)];
    return { ...base, method, path, body: bytes, headers: { ...headers, 'content-type': type } };
  };
  const load = { url, connections: CONNECTIONS, requests: [{ headers: { ...headers }, setupRequest }] };
  await autocannon({ ...load, duration: WARM_SECONDS });
  const before = await cpuMs(pid);
  const found = await autocannon({ ...load, duration: seconds });
  const cpu = (await cpuMs(pid)) - before;
  const [answered, failed] = [found['2xx'], found.errors + found.non2xx];
  if (failed > 0 || answered === 0) throw new Error(`${failed} requests failed, ${answered} were answered`);
  return { perSecond: found.requests.average, cpuMs: cpu / answered };
}
