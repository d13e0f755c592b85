/** Tests that docs/openapi.json equals the document that the API serves. A route that was added or removed is noticed here. */
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiKeys } from '../../../src/client/redis/api-keys.ts';
import { BestframeClient } from '../../../src/client/redis/client.ts';
import { LoginLimiter } from '../../../src/client/redis/login-limiter.ts';
import { DEFAULT_LOGIN_LIMITS } from '../../../src/domain/operations/login-limits.ts';
import { redisSettings } from '../../../src/redis/redis-url.ts';
import { DEFAULT_STREAM_LIMITS } from '../../../src/server/api/event-streams.ts';
import type { Api } from '../../../src/server/api/route-tools.ts';
import { buildApi } from '../../../src/server/api/server.ts';

/** These tests never connect to Redis. */
const NOWHERE = 'redis://127.0.0.1:1';

let api: Api;
let client: BestframeClient;
let keys: ApiKeys;
let limiter: LoginLimiter;

beforeAll(async () => {
  client = new BestframeClient({ redis: NOWHERE });
  keys = new ApiKeys(redisSettings(NOWHERE, 'redis'));
  limiter = new LoginLimiter(redisSettings(NOWHERE, 'redis'), DEFAULT_LOGIN_LIMITS);
  api = await buildApi({
    client,
    keys,
    limiter,
    redisTrouble: async () => null,
    audit: { write: async () => undefined, close: async () => undefined },
    sink: { open: async () => null },
    staging: null,
    sequences: null,
    mode: 'test',
    edge: { basePath: '', trustedProxies: [] },
    limits: {},
    streamLimits: DEFAULT_STREAM_LIMITS,
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await api.close();
  await client.close();
  await keys.close();
  await limiter.close();
});

it('docs/openapi.json is up to date (after a change: npx vitest run --project unit test/unit/server -u)', async () => {
  const text = `${JSON.stringify(api.swagger(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '..', '..', '..', 'docs', 'openapi.json'));
});

it('every route is listed with its problem responses', () => {
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
    'get /v1/costs',
    'get /v1/dead-notifications',
    'get /v1/gate',
    'get /v1/verifications',
    'get /v1/verifications/{id}',
    'get /v1/verifications/{id}/best-frame',
    'get /v1/verifications/{id}/events',
    'get /v1/verifications/{id}/media/{name}',
    'get /v1/verifications/{id}/receipt',
    'get /v1/webhook-endpoints',
    'head /v1/verifications/{id}/best-frame',
    'head /v1/verifications/{id}/media/{name}',
    'post /v1/dead-notifications/{id}/redeliver',
    'post /v1/gate',
    'post /v1/retries',
    'post /v1/sequences',
    'post /v1/sessions',
    'post /v1/sessions/{id}/finished',
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
