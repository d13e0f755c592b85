/** The control port: plain HTTP and JSON. docs/emulator.md documents the routes; `control.ts` is the client. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import type { CallLog } from './call-log.ts';
import {
  BadRequest,
  HtmlPage,
  parseJson,
  type RouteInput,
  type Routes,
  readQuery,
  SeeOther,
  validate,
} from './control-route.ts';
import { type Faults, faultSchema } from './faults.ts';
import type { ObjectStore } from './object-store.ts';
import type { Origins, Page } from './origins.ts';
import { listen } from './proxy.ts';
import { sessionRoutes } from './session-routes.ts';
import type { Sessions } from './sessions.ts';
import { type Bucket, type Settings, settingsPatchSchema } from './settings.ts';

export interface ControlledParts {
  readonly log: CallLog;
  readonly faults: Faults;
  readonly objects: ObjectStore;
  readonly buckets: readonly Bucket[];
  readonly origins: Origins;
  readonly sessions: Sessions;
  readonly settings: Settings;
  reset(): void;
}

export interface ControlServerOptions extends ControlledParts {
  readonly host: string;
  readonly port: number;
}

export interface ControlServer {
  readonly url: string;
  close(): Promise<void>;
}

const MAX_WAIT_MS = 120_000;

const text = z.string().min(1);
const count = z.coerce.number().int().min(0);
const queries = {
  release: z.strictObject({ id: text }),
  calls: z.strictObject({
    event: z.enum(['call', 'held', 'attempt']).exactOptional(),
    service: z.enum(['faceid', 'cos', 'origin', 'sts', 'metadata']).exactOptional(),
    action: text.exactOptional(),
    code: text.exactOptional(),
    object: text.exactOptional(),
    session: text.exactOptional(),
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

export async function startControlServer({ host, port, ...parts }: ControlServerOptions): Promise<ControlServer> {
  const routes: Routes = {
    'GET /health': () => ({ ok: true }),
    ...settingsRoutes(parts),
    ...faultRoutes(parts),
    ...stateRoutes(parts),
    ...sessionRoutes(parts.sessions),
    'POST /reset': () => {
      parts.reset();
      return { reset: true };
    },
  };
  const server = createServer((request, response) => {
    handle(request, response, routes).catch(() => response.destroy());
  });
  await listen(server, port, host);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function settingsRoutes({ settings }: ControlledParts): Routes {
  return {
    'GET /settings': () => settings,
    'PATCH /settings': ({ body }) => {
      const { qps, resultTtlMs, latencyMs, ...rest } = validate(settingsPatchSchema, parseJson(body));
      Object.assign(settings, rest, {
        qps: { ...settings.qps, ...qps },
        resultTtlMs: { ...settings.resultTtlMs, ...resultTtlMs },
        latencyMs: { ...settings.latencyMs, ...latencyMs },
      });
      return settings;
    },
  };
}

function faultRoutes({ faults }: ControlledParts): Routes {
  return {
    'POST /faults': ({ body }) => ({ id: faults.add(validate(faultSchema, parseJson(body))) }),
    'POST /faults/release': ({ url }) => {
      const { id } = validate(queries.release, readQuery(url));
      if (!faults.release(id)) {
        throw new BadRequest(
          `there is no fault ${id}: use the id that POST /faults returned since the last clear or reset`,
        );
      }
      return { released: true };
    },
    'DELETE /faults': () => {
      faults.clear();
      return { cleared: true };
    },
  };
}

function stateRoutes({ log, objects, buckets, origins }: ControlledParts): Routes {
  return {
    'GET /calls': ({ url }) => {
      const { atLeast, timeoutMs, ...query } = validate(queries.calls, readQuery(url));
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
      const { bucket, key } = validate(queries.object, readQuery(url));
      if (!buckets.some(({ name }) => name === bucket)) {
        const names = buckets.map(({ name }) => name).join(', ');
        throw new BadRequest(`there is no bucket ${bucket}: use one of ${names}`);
      }
      const contentType = 'application/octet-stream';
      const { sizeBytes, md5 } = await objects.put({ bucket, key, content: body, contentType });
      return { sizeBytes, md5 };
    },
    'PUT /origins': ({ url, body, contentType = 'application/octet-stream' }) => {
      const { url: pageUrl, location, status } = validate(queries.origin, readQuery(url));
      const page: Page =
        location === undefined
          ? { kind: 'content', status: status ?? 200, body, contentType }
          : { kind: 'redirect', status: status ?? 302, body, contentType, location };
      origins.put(pageUrl, page);
      return { put: true };
    },
  };
}

async function handle(request: IncomingMessage, response: ServerResponse, routes: Routes): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://control');
  const body = Buffer.concat(await request.toArray());
  const input = { url, body, contentType: request.headers['content-type'] };
  const [status, value] = await runRoute(`${request.method} ${url.pathname}`, input, routes);
  if (value instanceof HtmlPage) {
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
    response.end(value.html);
  } else if (value instanceof SeeOther) {
    response.writeHead(303, { location: value.location });
    response.end();
  } else {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(value)}\n`);
  }
}

async function runRoute(name: string, input: RouteInput, routes: Routes): Promise<[status: number, value: unknown]> {
  const route = routes[name];
  if (route === undefined) return [404, { error: `there is no ${name}: use one of ${Object.keys(routes).join(', ')}` }];
  try {
    return [200, await route(input)];
  } catch (error) {
    if (error instanceof BadRequest) return [400, { error: error.message }];
    return [500, { error: 'the emulator failed' }];
  }
}
