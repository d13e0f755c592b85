/**
 * A verification as it goes on, as server-sent events: `history` for each entry, `verification` whenever it has changed, `end`
 * when it has ended.
 *
 * What must hold: whoever comes back with `Last-Event-ID` misses no entry that is still kept; after `end` nobody is kept
 * coming back (204).
 */
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import type { BestframeClient } from '../../client/client.ts';
import { isTerminal } from '../../domain/states.ts';
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { answerOf, historyOf, idParams } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { goneSignal } from '../waiting.ts';
import { actOf, there } from './verifications.ts';

const BEAT_MS = 15_000;
/** Then the client comes again by itself: no connection is for ever. */
const STREAM_MS = 15 * 60_000;
const END = 'end';

export function eventRoutes(app: Api, { audit, closing, log }: RouteTools): void {
  app.route({
    method: 'GET',
    url: '/verifications/:id/events',
    config: { scope: 'read' },
    schema: {
      operationId: 'events',
      summary: 'The verification as it goes on, as server-sent events',
      description:
        'Events `history`, `verification` and `end`. Send `Last-Event-ID` to go on where you were; after `end` that is a 204.',
      tags: ['verifications'],
      params: idParams,
      response: {
        200: {
          description: 'Until it has ended.',
          content: { 'text/event-stream': { schema: z.custom<PassThrough>().meta({ type: 'string' }) } },
        },
        204: z.null().describe('The stream had ended.'),
        ...errors(400, 401, 403, 404, 410, 429, 503),
      },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { id } = request.params;
      const last = request.headers['last-event-id'];
      const view = await there(caller, id);
      if (last === END && isTerminal(view.state)) return reply.code(204).send(null);
      await audit.write({ act: 'timeline.read', ...actOf(caller, request.id), on: id });
      const stream = new PassThrough();
      const signal = AbortSignal.any([closing, goneSignal(reply), AbortSignal.timeout(STREAM_MS)]);
      const beat = setInterval(() => stream.write(': still there\n\n'), BEAT_MS);
      pour(stream, caller.client, id, typeof last === 'string' ? last : null, signal)
        .catch((error: unknown) => {
          if (!signal.aborted)
            log.warn({ event: 'stream broke', requestId: request.id, err: error }, 'an event stream broke');
        })
        .finally(() => {
          clearInterval(beat);
          stream.end();
        });
      return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream);
    },
  });
}

async function pour(
  stream: PassThrough,
  client: BestframeClient,
  id: string,
  last: string | null,
  signal: AbortSignal,
): Promise<void> {
  let seen = last;
  stream.write('retry: 1000\n\n');
  for await (const view of client.watch(id, signal)) {
    const entries = historyOf(view).map((entry, index, all) => ({ entry, id: entryId(all, index) }));
    const from = entries.findIndex((each) => each.id === seen) + 1; // one that is not kept any more: from the oldest
    for (const { entry, id: eventId } of entries.slice(from)) {
      stream.write(eventOf('history', eventId, entry));
      seen = eventId;
    }
    stream.write(eventOf('verification', seen ?? '', answerOf(view)));
    if (isTerminal(view.state)) stream.write(eventOf('end', END, { id, state: view.state, next: view.next }));
  }
}

/** By its time, and its place among those of the same millisecond: the oldest entries are dropped, and places move. */
function entryId(all: readonly { at: string }[], index: number): string {
  const at = all[index]?.at ?? '';
  return `${Date.parse(at)}-${all.slice(0, index).filter((each) => each.at === at).length}`;
}

function eventOf(event: string, id: string, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
