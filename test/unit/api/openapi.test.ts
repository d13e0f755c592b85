/** The API's description of itself: docs/openapi.json is what it serves; a route that comes or goes is seen here. */
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, buildApi } from '../../../src/api/server.ts';
import { ApiKeys } from '../../../src/client/api-keys.ts';
import { BestframeClient } from '../../../src/client/client.ts';
import { redisSettings } from '../../../src/queue/redis-url.ts';

/** Nothing of it is asked for anything here. */
const NOWHERE = 'redis://127.0.0.1:1';

let api: Api;
let client: BestframeClient;
let keys: ApiKeys;

beforeAll(async () => {
  client = new BestframeClient({ redis: NOWHERE });
  keys = new ApiKeys(redisSettings(NOWHERE, 'redis'));
  api = await buildApi({
    client,
    keys,
    audit: { write: async () => undefined, close: async () => undefined },
    sink: { open: async () => null },
    staging: null,
    sequences: null,
    mode: 'test',
    demands: [],
    limits: {},
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await api.close();
  await client.close();
  await keys.close();
});

it('is docs/openapi.json', async () => {
  const text = `${JSON.stringify(api.swagger(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '..', '..', '..', 'docs', 'openapi.json'));
});

it('has these routes, and what every one may answer', () => {
  const { paths = {} } = api.swagger() as unknown as { paths?: Record<string, Record<string, Operation>> };
  const described = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => `${verb} ${path}`),
  );
  expect(described.sort()).toEqual([
    'delete /v1/verifications/{id}',
    'delete /v1/webhook-endpoints/{name}',
    'get /healthz',
    'get /metrics',
    'get /readyz',
    'get /v1/dead-notifications',
    'get /v1/gate',
    'get /v1/verifications',
    'get /v1/verifications/{id}',
    'get /v1/verifications/{id}/best-frame',
    'get /v1/verifications/{id}/events',
    'get /v1/verifications/{id}/receipt',
    'get /v1/webhook-endpoints',
    'head /v1/verifications/{id}/best-frame',
    'post /v1/dead-notifications/{id}/redeliver',
    'post /v1/gate',
    'post /v1/sequences',
    'post /v1/verifications',
    'post /v1/verifications/{id}/acknowledge',
    'post /v1/verifications/{id}/cancel',
    'post /v1/verifications/{id}/resolve',
    'post /v1/verifications:batch',
    'post /v1/webhook-endpoints/{name}/enable',
    'post /v1/webhook-endpoints/{name}/rotate',
    'post /v1/webhook-endpoints/{name}/settle',
    'post /v1/webhook-endpoints/{name}/test',
    'put /v1/webhook-endpoints/{name}',
  ]);
  for (const [path, verbs] of Object.entries(paths)) {
    for (const { responses, operationId } of Object.values(verbs)) {
      expect(operationId).toMatch(/^[\w-]+$/);
      if (path.startsWith('/v1'))
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429', '503']));
    }
  }
});

interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, unknown>;
}
