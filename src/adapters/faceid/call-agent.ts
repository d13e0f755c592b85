/**
 * An HTTPS agent that observes how far a call got. The SDK sends its request through this agent, but does not report how far the
 * request got: it keeps only the message of an error, follows redirects, and reports a status without its headers.
 *
 * What must hold:
 * 1. One agent serves one call, on one open connection that was never used. `connected` becomes true when the request gets the
 *    connection: before this moment no byte can have left; from then on, bytes may have left.
 * 2. The call's turn (its rate-limit slot) is checked immediately before the request gets the connection. If the turn was missed,
 *    the request gets no connection.
 * 3. A request that would need a second connection is refused.
 * 4. No redirect is followed: `location` is removed from the answer before the SDK sees it.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Turn } from '../../domain/ports.ts';

/** Node's entry point to an agent. It is missing from the types, although every agent on npm builds on it. */
interface WithAddRequest {
  addRequest(request: ClientRequest, options: object): void;
}

type CreateCallback = (error: Error | null, socket: Duplex) => void;

export class CallAgent extends Agent {
  connected = false;
  /** True as long as the last byte of the request has not left: the vendor cannot have carried out such a request. */
  isIncomplete = false;
  /** True if the turn was over before the request could leave. Then nothing was sent. */
  missedTurn = false;
  /** The error that broke the connection. */
  error: Error | null = null;
  response: IncomingMessage | null = null;
  readonly #socket: Duplex;
  readonly #turn: Turn;
  readonly #onCut: () => void;
  #requests = 0;

  /** @param onCut called if an answer breaks off after its headers: node-fetch does not notice this and would keep waiting. */
  constructor(socket: Duplex, turn: Turn, onCut: () => void) {
    super();
    this.#socket = socket;
    this.#turn = turn;
    this.#onCut = onCut;
  }

  override createConnection(_options: object, created?: CreateCallback): Duplex | undefined {
    this.missedTurn = this.#turn.missed();
    if (!this.missedTurn) return this.#socket;
    // Node passes an error without a socket, although its types require one.
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
      this.connected = true;
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
  return localFailure(CODES.REDIRECT_REFUSED, message, { service: 'faceid', sent: 'answered' });
}
