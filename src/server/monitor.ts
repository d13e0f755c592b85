/**
 * The monitor port of a process: `/livez`, `/readyz` and `/metrics`, without a login. Nothing here contains a secret or anything
 * about a verification.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';

export interface MonitorOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** @returns why the process takes no work now, in words; empty if it does. */
  notReady(): Promise<readonly string[]>;
  /** The metrics of the process, with their content type. @param accept the Accept header of the request. */
  metrics(accept: string): Promise<{ readonly type: string; readonly text: string }>;
}

export interface Monitor {
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_MS = 10_000;

/** @throws Failure INVALID_SETTINGS if the address cannot be used */
export async function startMonitor({ host, port, ...options }: MonitorOptions): Promise<Monitor> {
  const server = createServer((request, response) => {
    answer(options, request)
      .catch(() => ({ status: 500, type: 'text/plain', text: 'internal error\n' }))
      .then((answered) => send(request, response, answered));
  });
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `the monitor port cannot listen at BESTFRAME_MONITOR_HOST and BESTFRAME_MONITOR_PORT (${cause.code}): choose others`;
      reject(inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_MONITOR_PORT', message));
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

async function answer(
  { notReady, metrics }: Pick<MonitorOptions, 'notReady' | 'metrics'>,
  { method = '', url = '', headers }: IncomingMessage,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: 'text/plain', text: 'only GET and HEAD\n' };
  switch (url.split('?')[0]) {
    case '/livez':
      return json(200, { status: 'ok' });
    case '/readyz': {
      const reasons = await notReady();
      return reasons.length === 0 ? json(200, { status: 'ok' }) : json(503, { status: 'not_ready', reasons });
    }
    case '/metrics':
      return { status: 200, ...(await metrics(headers.accept ?? '')) };
    default:
      return { status: 404, type: 'text/plain', text: 'there are /livez, /readyz and /metrics\n' };
  }
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, type, text }: Answer): void {
  const head = { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' };
  response.writeHead(status, head).end(method === 'HEAD' ? undefined : text);
}
