/**
 * Checks the example for Traefik, which no test can run: each key is one that Traefik's file provider (version 2 or 3) documents, and
 * each name that a router uses is defined.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const FILE = join(import.meta.dirname, '..', '..', '..', 'deploy', 'proxies', 'traefik.yml');

const router = z.strictObject({
  rule: z.string().regex(/^Host\(`[\w.]+`\) && PathPrefix\(`\/[\w/]+`\)$/),
  entryPoints: z.array(z.string()).min(1),
  service: z.string(),
  middlewares: z.array(z.string()).min(1),
  tls: z.strictObject({ certResolver: z.string() }),
});
const dynamicFile = z.strictObject({
  http: z.strictObject({
    routers: z.record(z.string(), router),
    // An empty value removes the header from the request.
    middlewares: z.record(
      z.string(),
      z.strictObject({ headers: z.strictObject({ customRequestHeaders: z.record(z.string(), z.literal('')) }) }),
    ),
    services: z.record(
      z.string(),
      z.strictObject({
        loadBalancer: z.strictObject({
          servers: z.tuple([z.strictObject({ url: z.url() })]),
          responseForwarding: z.strictObject({ flushInterval: z.literal('-1ms') }).optional(),
        }),
      }),
    ),
  }),
});

it('the example for Traefik has documented keys, and its routers use defined names', () => {
  const { http } = dynamicFile.parse(parse(readFileSync(FILE, 'utf8')));
  const routers = Object.values(http.routers);
  expect(routers.map(({ service }) => service).sort()).toEqual(Object.keys(http.services).sort());
  expect([...new Set(routers.flatMap(({ middlewares }) => middlewares))]).toEqual(Object.keys(http.middlewares));
  const removed = Object.values(http.middlewares).flatMap(({ headers }) => Object.keys(headers.customRequestHeaders));
  expect(removed).toEqual(['X-Forwarded-User', 'X-Bestframe-Proxy-Secret']);
});
