/**
 * Streams a verification as server-sent events: `history` for each new entry, `verification` after each change, and `end` when it
 * has ended.
 *
 * What must hold:
 * 1. A client that reconnects with `Last-Event-ID` misses no entry that is still kept.
 * 2. A stream ends when its API key is not valid any more.
 * 3. A client that reconnects after `end` is answered with 204, so that it does not reconnect again.
 */
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import { isTerminal } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { historyAnswer, verificationAnswer } from '../answers.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { type Api, auditActor, getOrThrow, type RouteTools } from '../route-tools.ts';
import { idParams } from '../schemas.ts';
import { disconnectSignal } from '../waiting.ts';

const KEEP_ALIVE_MS = 15_000;
/** The stream ends after this time, and the client reconnects by itself. */
const MAX_STREAM_MS = 15 * 60_000;
const END_ID = 'end';

export function eventRoutes(app: Api, { audit, closing, log, streams }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/events',
    config: { scope: 'read' },
    schema: {
      operationId: 'events',
      summary: 'Follow a verification by server-sent events',
      description:
        'The events are `history`, `verification` and `end`. Send `Last-Event-ID` to continue after that event. After `end`, the answer is 204.',
      tags: ['verifications'],
      params: idParams,
      response: {
        200: {
          description: 'The events until the verification has ended.',
          content: { 'text/event-stream': { schema: z.custom<PassThrough>().meta({ type: 'string' }) } },
        },
        204: z.null().describe('The verification has ended, and `Last-Event-ID` is its last event.'),
        ...problems(400, 401, 403, 404, 410, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const header = request.headers['last-event-id'];
      const lastEventId = typeof header === 'string' ? header : null;
      const view = await getOrThrow(caller, id);
      if (lastEventId === END_ID && isTerminal(view.state)) return reply.code(204).send(null);
      await audit.write({ act: 'timeline.read', ...auditActor(caller, request.id), on: id });
      const place = await streams.enter(caller.key);
      const stream = new PassThrough();
      const ends = [closing, disconnectSignal(reply), place.signal, AbortSignal.timeout(MAX_STREAM_MS)];
      const signal = AbortSignal.any(ends);
      const keepAlive = setInterval(() => stream.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
      writeEvents(stream, caller.client.watch(id, signal), lastEventId)
        .catch((error: unknown) => {
          if (signal.aborted) return;
          log.warn({ event: 'event_stream_failed', requestId: request.id, err: error }, 'an event stream failed');
        })
        .finally(() => {
          clearInterval(keepAlive);
          place.leave();
          stream.end();
        });
      return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream);
    },
  });
}

async function writeEvents(
  stream: PassThrough,
  views: AsyncIterable<VerificationView>,
  lastEventId: string | null,
): Promise<void> {
  let seenId = lastEventId;
  stream.write('retry: 1000\n\n');
  for await (const view of views) {
    const entries = historyAnswer(view).map((entry, index, all) => ({ entry, id: entryIdOf(all, index) }));
    // If the last entry that the client saw is no longer kept, the stream starts with the oldest kept entry.
    const start = entries.findIndex((each) => each.id === seenId) + 1;
    for (const { entry, id } of entries.slice(start)) {
      stream.write(formatEvent('history', id, entry));
      seenId = id;
    }
    stream.write(formatEvent('verification', seenId ?? '', verificationAnswer(view)));
    const { id, state, next } = view;
    if (isTerminal(state)) stream.write(formatEvent('end', END_ID, { id, state, next }));
  }
}

/**
 * The id of an entry: its time, and its position among the entries of the same millisecond. A position in the whole list would
 * change when old entries are dropped.
 */
function entryIdOf(entries: readonly { at: string }[], index: number): string {
  const at = entries[index]?.at ?? '';
  return `${Date.parse(at)}-${entries.slice(0, index).filter((each) => each.at === at).length}`;
}

function formatEvent(event: string, id: string, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
