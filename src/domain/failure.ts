/**
 * The one error type of the product. Adapters turn whatever a vendor, a socket, a file or a schema throws into a Failure;
 * the classifier reads its facts, and nothing else ever inspects a message.
 *
 * A Failure never carries a link, a secret, a path or a picture: messages are written by us, or are the vendor's own words
 * with links cut out (`redact`). `cause` is for a debugger and is never logged.
 */

export type Service = 'faceid' | 'cos' | 'http' | 'source' | 'sink' | 'bestframe';

/**
 * `no`: request bytes provably never left (refused, DNS, TLS, CONNECT): nothing can have been billed.
 * `maybe`: they may have left, and there is no answer.
 * `answered`: the vendor answered.
 */
export type Sent = 'no' | 'maybe' | 'answered';

/** `error`: an error answer. `result`: a normal answer whose Result is not Success. `local`: nobody answered. */
export type Channel = 'error' | 'result' | 'local';

export interface FailureFacts {
  readonly service: Service;
  readonly channel: Channel;
  readonly code: string;
  readonly sent: Sent;
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** Field of the caller's input that is at fault, e.g. `resources.image.path`. */
  readonly field?: string;
  /** Seconds or a date that the vendor asked us to wait, as milliseconds from now. */
  readonly retryAfterMs?: number;
}

export class Failure extends Error {
  readonly service: Service;
  readonly channel: Channel;
  readonly code: string;
  readonly sent: Sent;
  readonly requestId: string | undefined;
  readonly httpStatus: number | undefined;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(facts: FailureFacts, message: string, options?: { cause?: unknown }) {
    super(redact(message), options);
    this.name = 'Failure';
    this.service = facts.service;
    this.channel = facts.channel;
    this.code = facts.code;
    this.sent = facts.sent;
    this.requestId = facts.requestId;
    this.httpStatus = facts.httpStatus;
    this.field = facts.field;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** The caller's input is at fault: which field, what is wrong, what to do. */
export function inputFailure(code: string, field: string, message: string): Failure {
  return new Failure({ service: 'bestframe', channel: 'local', code, sent: 'no', field }, message);
}

const LINK = /\bhttps?:\/\/[^\s"'<>]+/gi;

/** Cuts links down to a word: a pre-signed link in an error text is a key to somebody's face. */
export function redact(text: string): string {
  return text.replace(LINK, '<link>');
}
