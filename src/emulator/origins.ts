/** Other people's web servers, so far as a test puts them there: what an `https` source points at. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from './exchange.ts';
import type { Arrival } from './stops.ts';

export interface Page {
  readonly body: Buffer;
  readonly contentType: string;
  /** Answers with a redirect to there. */
  readonly location?: string;
  readonly status?: number;
}

export class Origins {
  readonly #pages = new Map<string, Page>();

  /** @param url without a query: `https://host/path`. */
  put(url: string, page: Page): void {
    const { host, pathname } = new URL(url);
    this.#pages.set(`${host}${pathname}`, page);
  }

  knows(host: string): boolean {
    return [...this.#pages.keys()].some((name) => name.startsWith(`${host}/`));
  }

  clear(): void {
    this.#pages.clear();
  }

  exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Exchange {
    const name = `${url.host}${url.pathname}`;
    return {
      request,
      response,
      call: { service: 'origin', action: request.method ?? 'GET', objects: [name] },
      arrival,
      perform: async () => {
        request.resume();
        const page = this.#pages.get(name);
        if (page === undefined)
          return { status: 404, headers: {}, body: Buffer.from('not found'), facts: { code: '404' } };
        const status = page.status ?? (page.location === undefined ? 200 : 302);
        const headers = {
          'content-type': page.contentType,
          ...(page.location === undefined ? {} : { location: page.location }),
        };
        return { status, headers, body: page.body, facts: { code: String(status), bytes: page.body.length } };
      },
      refuse: (fault) => ({
        status: (fault.kind === 'error' ? fault.status : undefined) ?? 503,
        headers: {},
        body: Buffer.from(fault.code),
        facts: { code: fault.code },
      }),
    };
  }
}
