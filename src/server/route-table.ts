/** The routes of a server with their rules of access, for tests that try every route. */
import type { FastifyContextConfig, FastifyInstance } from 'fastify';

export interface Route {
  readonly method: string;
  /** With parameters, as `/v1/verifications/:id`. */
  readonly url: string;
  readonly config: FastifyContextConfig;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly routeTable: readonly Route[];
  }
}

/** Records every route that is registered from now on. */
export function recordRoutes(app: FastifyInstance): void {
  const routes: Route[] = [];
  app.decorate('routeTable', routes);
  app.addHook('onRoute', ({ method, url, config = {} }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, config });
  });
}
