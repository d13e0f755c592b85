/** Measures the requests to a server, by route. */
import type { FastifyInstance } from 'fastify';
import type { Observer } from '../domain/operations/process-metrics.ts';

/** Of a request without a route, only that it had none is recorded: its path may be anything. */
export function observeRequests(
  app: Pick<FastifyInstance, 'addHook'>,
  { observer, service }: { readonly observer: Observer; readonly service: 'api' | 'site' },
): void {
  app.addHook('onResponse', ({ method, routeOptions }, reply, done) => {
    done();
    // A stream lasts as long as its reader stays.
    if (String(reply.getHeader('content-type') ?? '').startsWith('text/event-stream')) return;
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    observer.measure('httpRequest', { service, method, route: routeOptions.url ?? 'none', status }, reply.elapsedTime);
  });
}
