/**
 * The one error type of the product. Adapters turn every error of a vendor, a socket, a file or a schema into a Failure; the
 * classifier reads the facts of the Failure, and no other code inspects a message.
 *
 * A Failure never carries a link, a secret, a path or a picture: its message is ours, or consists of the vendor's own words
 * without links (`redact`). `cause` is for a debugger and is never logged.
 */
import { CODES } from './codes.ts';

export type Service = 'faceid' | 'cos' | 'http' | 'source' | 'sink' | 'bestframe';

/**
 * `no`: the request was provably not sent (connection refused, or an error in DNS, TLS or CONNECT), so nothing can have been
 * billed.
 * `maybe`: the request, or a part of it, may have been sent, and there is no answer.
 * `answered`: the vendor answered.
 */
export type Sent = 'no' | 'maybe' | 'answered';

/** `error`: an error answer. `result`: a normal answer whose Result is not Success. `local`: nobody answered. */
export type Channel = 'error' | 'result' | 'local';

/** Owner of the file, link or object that failed: the caller, who named it, or this deployment. */
export type About = 'caller' | 'deployment';

export interface FailureFacts {
  readonly service: Service;
  readonly channel: Channel;
  readonly code: string;
  readonly sent: Sent;
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** Field of the caller's input that is at fault, e.g. `resources.image.path`. */
  readonly field?: string;
  /** The vendor's Retry-After, converted to milliseconds from now. */
  readonly retryAfterMs?: number;
  /** Absent if the failure happened inside this process, and concerns neither the caller nor the deployment. */
  readonly about?: About;
  /** The service or host that was called; see `operations/breakers.ts`. */
  readonly dependency?: string;
  /** Field names and types of an answer that does not have the documented shape. */
  readonly shape?: string;
}

/** Evidence of what failed: the dependency, and the owner of the file, link or object. */
export type Evidence = Pick<FailureFacts, 'about' | 'dependency'>;

export class Failure extends Error {
  readonly service: Service;
  readonly channel: Channel;
  readonly code: string;
  readonly sent: Sent;
  readonly requestId: string | undefined;
  readonly httpStatus: number | undefined;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly about: About | undefined;
  readonly dependency: string | undefined;
  readonly shape: string | undefined;

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
    this.about = facts.about;
    this.dependency = facts.dependency;
    this.shape = facts.shape;
  }

  /**
   * @returns a copy with this evidence. A Failure that has evidence already stays unchanged: that evidence comes from nearer the
   * cause.
   */
  concerning(evidence: Evidence): Failure {
    if (this.about !== undefined || this.dependency !== undefined) return this;
    const { service, channel, code, sent, requestId, httpStatus, field, retryAfterMs, shape } = this;
    const known = Object.fromEntries(
      Object.entries({ requestId, httpStatus, field, retryAfterMs, shape }).filter(([, value]) => value !== undefined),
    );
    return new Failure({ service, channel, code, sent, ...evidence, ...known }, this.message, { cause: this.cause });
  }
}

/** Facts of a local failure that replace the defaults: `service: 'bestframe'`, `sent: 'no'`. */
interface LocalFacts extends Partial<Omit<FailureFacts, 'channel' | 'code'>> {
  readonly cause?: unknown;
}

/**
 * A failure that no vendor reported.
 *
 * @param more further facts. Defaults: `service: 'bestframe'`, `sent: 'no'`.
 */
export function localFailure(code: string, message: string, more: LocalFacts = {}): Failure {
  const { cause, ...facts } = more;
  const options = cause === undefined ? undefined : { cause };
  return new Failure({ service: 'bestframe', sent: 'no', ...facts, channel: 'local', code }, message, options);
}

/** The caller's input is at fault. The message says what is wrong and what to do. */
export function inputFailure(code: string, field: string, message: string): Failure {
  return localFailure(code, message, { field });
}

/** Returns a Failure unchanged; anything else is a bug and becomes `INTERNAL`. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return localFailure(CODES.INTERNAL, 'an unexpected error inside Bestframe', { cause: error });
}

const LINK = /\bhttps?:\/\/[^\s"'<>]+/gi;

/** Replaces each link by a word, because a pre-signed link in an error text would give access to somebody's face. */
export function redact(text: string): string {
  return text.replace(LINK, '<link>');
}
