/** What kind of request it is: a read or a change, from a browser or from a program. */
import type { FastifyRequest } from 'fastify';

export function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Whether the answer may be a page. */
export function acceptsPage({ headers }: FastifyRequest): boolean {
  return (headers.accept ?? '').includes('text/html');
}

/** Whether a browser asks for a page, and not for a picture or data. */
export function wantsPage(request: FastifyRequest): boolean {
  return isRead(request) && acceptsPage(request);
}
