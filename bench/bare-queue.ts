/** The baseline for the HTTP API: a server whose one route parses JSON and calls BullMQ's `Queue.add`, and does nothing else. */
import { Queue } from 'bullmq';
import fastify from 'fastify';

const { REDIS_URL: url = '', PREFIX: prefix = '' } = process.env;
const queue = new Queue('bare', { connection: { url }, prefix });
const app = fastify();
app.post('/jobs', async (request, reply) => {
  const job = await queue.add('verify', request.body);
  return reply.code(202).send({ id: job.id });
});
await queue.waitUntilReady();
process.on('disconnect', () => process.exit());
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));
