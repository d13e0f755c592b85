/**
 * The stream of changes, for the site's script: it says that something has changed, and the script asks for its page again. A
 * stream ends after a while and the browser opens a new one, so a session that has ended sees nothing for longer than that.
 */
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { subscribeToChanges } from '../../../redis/deployment.ts';
import { type Fields, type SiteTools, sendMessage, wordsFor } from '../site-tools.ts';

/** A busy deployment changes all the time: readers are told at most this often. */
const LEAST_MS = 2_000;
/** Ages, gates and queues change without an announcement. */
const MOST_MS = 10_000;
const LONGEST_S = 25;
const MAX_STREAMS = 200;

export function liveRoute(app: FastifyInstance, { deployment, ...tools }: SiteTools): void {
  const open = new Set<PassThrough>();
  let unsubscribe: (() => void) | null = null;
  let toldAt = 0;
  let timer: NodeJS.Timeout | null = null;
  const tell = () => {
    timer = null;
    toldAt = Date.now();
    for (const stream of open) stream.write('event: change\ndata: \n\n');
  };
  const change = () => {
    if (open.size > 0 && timer === null) timer = setTimeout(tell, Math.max(0, toldAt + LEAST_MS - Date.now())).unref();
  };
  const pulse = setInterval(change, MOST_MS).unref();

  app.get<{ Querystring: Fields }>('/live', async (request, reply) => {
    if (open.size >= MAX_STREAMS)
      return sendMessage({ deployment, ...tools }, request, reply, {
        status: 503,
        text: wordsFor(request).tooManyReaders,
      });
    unsubscribe ??= subscribeToChanges(deployment, change);
    const asked = Number(request.query.for ?? LONGEST_S);
    const stream = new PassThrough();
    open.add(stream);
    const end = setTimeout(() => stream.end(), 1_000 * Math.min(LONGEST_S, asked >= 0 ? asked : LONGEST_S));
    stream.once('close', () => {
      clearTimeout(end);
      open.delete(stream);
    });
    stream.write('retry: 1000\n\n');
    return reply.header('x-accel-buffering', 'no').type('text/event-stream').send(stream);
  });

  app.addHook('preClose', async () => {
    clearInterval(pulse);
    if (timer !== null) clearTimeout(timer);
    for (const stream of open) stream.end();
    unsubscribe?.();
  });
}
