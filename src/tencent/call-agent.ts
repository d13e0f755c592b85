/**
 * What the SDK cannot tell: how far a call came. The SDK keeps only the message of an error, follows redirects and reports a
 * status without its headers; but it sends through the agent it is given, and this one watches.
 *
 * 1. One agent is one call, on one open connection that was never used. `handed` is true from the moment it was given to
 *    the request: before that no byte can have left, after that it may have.
 * 2. The call's turn is looked at right before that: where it was missed, the request gets no connection.
 * 3. What would need another connection is refused.
 * 4. No redirect is followed: the answer loses its `location` before the SDK sees it.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { Turn } from '../domain/ports.ts';

/** Node's own entry to an agent; it is not in the types, and every agent on npm builds on it. */
interface WithAddRequest {
  addRequest(request: ClientRequest, options: object): void;
}

type Created = (error: Error | null, socket: Duplex) => void;

export class CallAgent extends Agent {
  handed = false;
  /** The turn was over: nothing was sent. */
  missed = false;
  /** What broke the connection. */
  error: Error | null = null;
  response: IncomingMessage | null = null;
  readonly #socket: Duplex;
  readonly #turn: Turn;
  readonly #onCut: () => void;
  #requests = 0;

  /** @param onCut an answer that began has broken off: node-fetch does not notice, and waits for the rest. */
  constructor(socket: Duplex, turn: Turn, onCut: () => void) {
    super();
    this.#socket = socket;
    this.#turn = turn;
    this.#onCut = onCut;
  }

  override createConnection(_wanted: object, created?: Created): Duplex | undefined {
    this.missed = this.#turn.missed();
    if (!this.missed) return this.#socket;
    // Node hands an error on with no socket; its types ask for one.
    created?.(new Error('the turn was missed'), undefined as unknown as Duplex);
    return undefined;
  }

  addRequest(request: ClientRequest, options: object): void {
    this.#requests += 1;
    if (this.#requests > 1) {
      request.destroy(redirected());
      return;
    }
    request.once('socket', () => {
      this.handed = true;
    });
    request.once('error', (error) => {
      this.error = error;
    });
    request.prependOnceListener('response', (response: IncomingMessage) => {
      this.response = response;
      delete response.headers.location;
      response.once('error', this.#onCut);
    });
    (Agent.prototype as unknown as WithAddRequest).addRequest.call(this, request, options);
  }
}

function redirected(): Failure {
  const message = 'the vendor’s answer is a redirect, which is not followed: check the endpoint and the proxy';
  return new Failure({ service: 'faceid', channel: 'local', code: CODES.REDIRECT_REFUSED, sent: 'answered' }, message);
}
