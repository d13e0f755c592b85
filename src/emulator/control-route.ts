/** What the routes of the control port share: their form, and how they read input and refuse it. */
import type { z } from 'zod';

export interface RouteInput {
  readonly url: URL;
  readonly body: Buffer;
  readonly contentType: string | undefined;
}

/** Returns a value that is answered as JSON, an HtmlPage or a SeeOther. */
export type Route = (input: RouteInput) => Promise<unknown> | unknown;
export type Routes = Readonly<Record<string, Route>>;

/** Input that is refused with 400. */
export class BadRequest extends Error {}

export class HtmlPage {
  readonly html: string;

  constructor(html: string) {
    this.html = html;
  }
}

/** Sends a browser to another page. */
export class SeeOther {
  readonly location: string;

  constructor(location: string) {
    this.location = location;
  }
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString() || '{}');
  } catch {
    throw new BadRequest('the body is not JSON: send a JSON object');
  }
}

export function readQuery(url: URL): Record<string, string> {
  return Object.fromEntries(url.searchParams);
}

/** @throws BadRequest with one message per invalid field. */
export function validate<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const messages = result.error.issues.map(({ path, message }) => [...path, message].join(': '));
  throw new BadRequest(messages.join('; '));
}
