/**
 * The floors of a durable POST and of a GET. The POST parses JSON and runs only the scripts that the promises need: the API key with its
 * rate, the claim, BullMQ's job. It validates and hashes nothing, builds no view, and answers only the id. The GET runs the script of the
 * API key and answers the record as it is in Redis: no audit log, no view, no check of the answer.
 */
import fastify from 'fastify';
import type { VerificationRequest } from '../src/domain/verification/request.ts';
import { writeKey } from '../src/redis/api-key-store.ts';
import { connectProducer, waitUntilReady } from '../src/redis/connection.ts';
import { createDeployment } from '../src/redis/deployment.ts';
import { redisSettings } from '../src/redis/redis-url.ts';
import { admitRequest } from '../src/redis/scripts/admit-request.ts';
import { openVerifyQueue } from '../src/redis/verify-queue.ts';
import { addClaimed, claimBare } from './durable-scripts.ts';

const { REDIS_URL: url = '', PREFIX: prefix = '' } = process.env;
/** How many records the GETs read. */
const STORED = 200;
const KEY = { id: 'bench', hash: 'hash' };
const redis = connectProducer(redisSettings(url, 'REDIS_URL'));
await waitUntilReady(redis, 5_000);
const deployment = createDeployment(redis, prefix);
const queue = openVerifyQueue(deployment, 'ap-singapore');
await queue.waitUntilReady();
const dates = { createdAt: new Date().toISOString(), expiresAt: null, revokedAt: null, lastUsedAt: null };
const rights = { tenant: 'default', mode: 'test', scopes: ['submit'], perSecond: 100_000 } as const;
await writeKey(deployment, { key: { id: KEY.id, name: 'bench', ...rights, ...dates }, hash: KEY.hash }, null);
const stored = await claimBare(
  deployment,
  Array.from({ length: STORED }, (_, index) => request(`stored-${index}`)),
);

const app = fastify();
app.post<{ Body: VerificationRequest }>('/jobs', async (request, reply) => {
  await admitRequest(deployment, KEY.id, { hash: KEY.hash, mode: 'test', tokens: 1 });
  const [claimed] = await claimBare(deployment, [request.body]);
  if (claimed === undefined) throw new Error('no answer to a claim');
  await addClaimed(queue, [claimed]);
  return reply.code(202).send({ id: claimed.id });
});
app.get<{ Params: { index: string } }>('/jobs/:index', async ({ params }) => {
  await admitRequest(deployment, KEY.id, { hash: KEY.hash, mode: 'test', tokens: 1 });
  return redis.hgetall(deployment.names.journal(stored[Number(params.index) % stored.length]?.id ?? ''));
});

function request(key: string): VerificationRequest {
  const place = { from: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore' } as const;
  const resources = { liveData: { ...place, key: 'live.gz' }, image: { ...place, key: 'photo.jpg' } };
  return { key, region: 'ap-singapore', upload: 'own-bucket', resources };
}

process.on('disconnect', () => process.exit());
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));
