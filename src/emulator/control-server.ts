/** The control port: plain HTTP and JSON. What it takes is in docs/emulator.md; `control.ts` is its client. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallLog, CallQuery } from './call-log.ts';
import type { Fault, Faults } from './faults.ts';
import type { Objects } from './objects.ts';
import type { Origins } from './origins.ts';
import { listen } from './proxy.ts';
import type { Settings } from './settings.ts';

export interface ControlOptions {
  readonly host: string;
  readonly port: number;
  readonly log: CallLog;
  readonly faults: Faults;
  readonly objects: Objects;
  readonly origins: Origins;
  readonly settings: Settings;
  reset(): void;
}

const MAX_WAIT_MS = 120_000;

type Route = (asked: { url: URL; body: Buffer; request: IncomingMessage }) => Promise<unknown> | unknown;

export async function startControl(options: ControlOptions): Promise<{ url: string; close(): Promise<void> }> {
  const { log, faults, objects, origins, settings } = options;
  const routes: Record<string, Route> = {
    'GET /health': () => ({ ok: true }),
    'GET /settings': () => settings,
    'PATCH /settings': ({ body }) => {
      const changes = json(body) as Partial<Settings>;
      for (const name of Object.keys(changes)) {
        if (!(name in settings))
          throw new BadRequest(`${name} is not a setting: use ${Object.keys(settings).join(', ')}`);
      }
      const { qps, latencyMs, ...rest } = changes;
      Object.assign(settings, rest, {
        qps: { ...settings.qps, ...qps },
        latencyMs: { ...settings.latencyMs, ...latencyMs },
      });
      return settings;
    },
    'POST /faults': ({ body }) => ({ id: faults.add(faultOf(json(body))) }),
    'POST /faults/release': ({ url }) => {
      const known = faults.release(url.searchParams.get('id') ?? '');
      if (!known) throw new BadRequest('id names no fault: it was cleared, or never was');
      return { released: true };
    },
    'DELETE /faults': () => {
      faults.clear();
      return { cleared: true };
    },
    'GET /calls': ({ url }) => {
      const { atLeast, timeoutMs, billed, ...rest } = Object.fromEntries(url.searchParams);
      const query: CallQuery = { ...rest, ...(billed === undefined ? {} : { billed: billed === 'true' }) };
      return log.wait(query, Number(atLeast ?? 0), Math.min(Number(timeoutMs ?? 30_000), MAX_WAIT_MS));
    },
    'GET /objects': () => objects.list().map(({ bucket, key, sizeBytes, md5 }) => ({ bucket, key, sizeBytes, md5 })),
    'PUT /objects': async ({ url, body }) => {
      const { sizeBytes, md5 } = await objects.put(
        needed(url, 'bucket'),
        needed(url, 'key'),
        body,
        'application/octet-stream',
      );
      return { sizeBytes, md5 };
    },
    'PUT /origins': ({ url, body, request }) => {
      const location = url.searchParams.get('location');
      const status = url.searchParams.get('status');
      origins.put(needed(url, 'url'), {
        body,
        contentType: request.headers['content-type'] ?? 'application/octet-stream',
        ...(location === null ? {} : { location }),
        ...(status === null ? {} : { status: Number(status) }),
      });
      return { put: true };
    },
    'POST /reset': () => {
      options.reset();
      return { reset: true };
    },
  };

  const server = createServer((request, response) => {
    answer(request, response, routes).catch(() => response.destroy());
  });
  await listen(server, options.port, options.host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class BadRequest extends Error {}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Record<string, Route>,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://control');
  const route = routes[`${request.method} ${url.pathname}`];
  const [status, value] = await (async (): Promise<[number, unknown]> => {
    const body = Buffer.concat(await request.toArray());
    if (route === undefined)
      return [
        404,
        { error: `there is no ${request.method} ${url.pathname}: use one of ${Object.keys(routes).join(', ')}` },
      ];
    try {
      return [200, await route({ url, body, request })];
    } catch (error) {
      if (error instanceof BadRequest) return [400, { error: error.message }];
      return [500, { error: 'the emulator failed' }];
    }
  })();
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

const KINDS = ['error', 'result', 'status', 'delay', 'drop', 'cut', 'hold'];

function faultOf(value: unknown): Fault {
  const fault = value as Record<string, unknown> | null;
  const kind = String(fault?.kind);
  if (!KINDS.includes(kind)) throw new BadRequest(`kind is not known: use one of ${KINDS.join(', ')}`);
  if ((kind === 'error' || kind === 'result') && typeof fault?.code !== 'string')
    throw new BadRequest(`code is missing: ${kind} needs one`);
  if (kind === 'status' && typeof fault?.status !== 'number') throw new BadRequest('status is missing: give a number');
  if (kind === 'delay' && typeof fault?.ms !== 'number') throw new BadRequest('ms is missing: give a number');
  return fault as unknown as Fault;
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString() || '{}');
  } catch {
    throw new BadRequest('the body is not JSON');
  }
}

function needed(url: URL, name: string): string {
  const value = url.searchParams.get(name);
  if (value === null || value === '') throw new BadRequest(`${name} is missing`);
  return value;
}
