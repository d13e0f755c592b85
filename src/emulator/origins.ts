/** Third-party web servers, on which tests publish pages that `https` sources read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from './exchange.ts';
import type { Arrival } from './stall-detector.ts';

interface PageBase {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string;
}

export type Page =
  | (PageBase & { readonly kind: 'content' })
  | (PageBase & { readonly kind: 'redirect'; readonly location: string });

export class Origins {
  readonly #pages = new Map<string, Page>();

  /** @param url `https://host/path`. A query is ignored. */
  put(url: string, page: Page): void {
    const { host, pathname } = new URL(url);
    this.#pages.set(`${host}${pathname}`, page);
  }

  hasHost(host: string): boolean {
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
        const { status, body, contentType } = page;
        const headers = {
          'content-type': contentType,
          ...(page.kind === 'redirect' ? { location: page.location } : {}),
        };
        return { status, headers, body, facts: { code: String(status), bytes: body.length } };
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
