/**
 * The baseline for the HTTP API: a server with two routes that do no more than BullMQ needs. One parses JSON, the other one writes the
 * files of a form to the disk; then both call `Queue.add`.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import multipart from '@fastify/multipart';
import { Queue } from 'bullmq';
import fastify from 'fastify';

const { REDIS_URL: url = '', PREFIX: prefix = '', FILES_DIR: dir = '' } = process.env;
const queue = new Queue('bare', { connection: { url }, prefix });
const app = fastify();
await app.register(multipart);
app.post('/jobs', async (request, reply) => {
  const job = await queue.add('verify', request.body);
  return reply.code(202).send({ id: job.id });
});
let written = 0;
app.post('/forms', async (request, reply) => {
  const data: Record<string, unknown> = {};
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      const path = join(dir, String(written++));
      await pipeline(part.file, createWriteStream(path));
      data[part.fieldname] = path;
    } else data[part.fieldname] = JSON.parse(String(part.value));
  }
  const job = await queue.add('verify', data);
  return reply.code(202).send({ id: job.id });
});
await queue.waitUntilReady();
process.on('disconnect', () => process.exit());
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));
