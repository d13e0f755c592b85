/** The control port: plain HTTP and JSON. What it takes is in docs/emulator.md; `control.ts` is its client. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import type { CallLog } from './call-log.ts';
import { type Faults, faultSchema } from './faults.ts';
import type { Objects } from './objects.ts';
import type { Origins } from './origins.ts';
import { listen } from './proxy.ts';
import { type Bucket, changesSchema, type Settings } from './settings.ts';

export interface ControlOptions {
  readonly host: string;
  readonly port: number;
  readonly log: CallLog;
  readonly faults: Faults;
  readonly objects: Objects;
  readonly buckets: readonly Bucket[];
  readonly origins: Origins;
  readonly settings: Settings;
  reset(): void;
}

const MAX_WAIT_MS = 120_000;

const text = z.string().min(1);
const count = z.coerce.number().int().min(0);
const queries = {
  release: z.strictObject({ id: text }),
  calls: z.strictObject({
    event: z.enum(['call', 'held']).exactOptional(),
    service: z.enum(['faceid', 'cos', 'origin']).exactOptional(),
    action: text.exactOptional(),
    code: text.exactOptional(),
    object: text.exactOptional(),
    billed: z
      .enum(['true', 'false'])
      .transform((word) => word === 'true')
      .exactOptional(),
    atLeast: count.default(0),
    timeoutMs: count.max(MAX_WAIT_MS).default(30_000),
  }),
  object: z.strictObject({ bucket: text, key: text }),
  origin: z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    location: z.url().exactOptional(),
    status: z.coerce.number().int().min(200).max(599).exactOptional(),
  }),
};

type Route = (asked: { url: URL; body: Buffer; request: IncomingMessage }) => Promise<unknown> | unknown;

export async function startControl(options: ControlOptions): Promise<{ url: string; close(): Promise<void> }> {
  const { log, faults, objects, buckets, origins, settings } = options;
  const routes: Record<string, Route> = {
    'GET /health': () => ({ ok: true }),
    'GET /settings': () => settings,
    'PATCH /settings': ({ body }) => {
      const { qps, latencyMs, ...rest } = parsed(changesSchema, json(body));
      Object.assign(settings, rest, {
        qps: { ...settings.qps, ...qps },
        latencyMs: { ...settings.latencyMs, ...latencyMs },
      });
      return settings;
    },
    'POST /faults': ({ body }) => ({ id: faults.add(parsed(faultSchema, json(body))) }),
    'POST /faults/release': ({ url }) => {
      const known = faults.release(parsed(queries.release, given(url)).id);
      if (!known) throw new BadRequest('id names no fault: it was cleared, or never was');
      return { released: true };
    },
    'DELETE /faults': () => {
      faults.clear();
      return { cleared: true };
    },
    'GET /calls': ({ url }) => {
      const { atLeast, timeoutMs, ...query } = parsed(queries.calls, given(url));
      return log.wait(query, atLeast, timeoutMs);
    },
    'GET /objects': () => objects.list().map(({ bucket, key, sizeBytes, md5 }) => ({ bucket, key, sizeBytes, md5 })),
    'GET /versions': () =>
      objects.histories().flatMap((versions) =>
        versions.map(({ bucket, key, versionId, kind }, index) => ({
          bucket,
          key,
          versionId,
          latest: index === 0,
          deleted: kind === 'marker',
        })),
      ),
    'PUT /objects': async ({ url, body }) => {
      const { bucket, key } = parsed(queries.object, given(url));
      if (!buckets.some(({ name }) => name === bucket)) throw new BadRequest(`there is no bucket ${bucket}`);
      const { sizeBytes, md5 } = await objects.put(bucket, key, body, 'application/octet-stream');
      return { sizeBytes, md5 };
    },
    'PUT /origins': ({ url, body, request }) => {
      const { url: at, ...page } = parsed(queries.origin, given(url));
      origins.put(at, { body, contentType: request.headers['content-type'] ?? 'application/octet-stream', ...page });
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

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString() || '{}');
  } catch {
    throw new BadRequest('the body is not JSON');
  }
}

function given(url: URL): Record<string, string> {
  return Object.fromEntries(url.searchParams);
}

/** @throws BadRequest that names each thing that is not meant so. */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const words = result.error.issues.map(({ path, message }) => [...path, message].join(': '));
  throw new BadRequest(words.join('; '));
}
