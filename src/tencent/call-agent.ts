/**
 * What the SDK cannot tell: how far a call came. The SDK keeps only the message of an error, follows redirects and reports a
 * status without its headers; but it sends through the agent it is given, and this one watches.
 *
 * 1. One agent is one call. `handed` is true from the moment a connection was given to the request: before that no byte of
 *    it can have left, after that it may have.
 * 2. A paid call gets a connection that was never used, and only one: what would need another is refused.
 * 3. No redirect is followed: the answer loses its `location` before the SDK sees it.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { Connector } from '../transport/connector.ts';

/** Node's own entry to an agent; it is not in the types, and every agent on npm builds on it. */
interface WithAddRequest {
  addRequest(request: ClientRequest, options: object): void;
}

interface Wanted {
  readonly host?: string | null;
  readonly port?: number | string | null;
}

type Created = (error: Error | null, socket: Duplex) => void;

/** Opens TLS connections by the product's own connector. */
export class ConnectorAgent extends Agent {
  readonly #connector: Connector;
  readonly #signal: AbortSignal | undefined;

  constructor(connector: Connector, options: AgentOptions, signal?: AbortSignal) {
    super(options);
    this.#connector = connector;
    this.#signal = signal;
  }

  override createConnection({ host, port }: Wanted, created?: Created): Duplex | null | undefined {
    this.#connector.connect({ host: host ?? '', port: Number(port ?? 443), guarded: false }, this.#signal).then(
      (socket) => created?.(null, socket),
      // Node hands an error on with no socket; its types ask for one.
      (error: Error) => created?.(error, undefined as unknown as Socket),
    );
    return undefined;
  }
}

export class CallAgent extends Agent {
  handed = false;
  /** Why there was no connection, or what broke it. */
  error: Error | null = null;
  response: IncomingMessage | null = null;
  readonly #pool: Agent;
  readonly #onCut: () => void;
  #requests = 0;

  /**
   * @param pool where the connection comes from: one for this call alone, or one that keeps connections alive.
   * @param onCut an answer that began has broken off: node-fetch does not notice, and waits for the rest.
   */
  constructor(pool: Agent, onCut: () => void) {
    super(pool.options); // a request looks here for whether it may keep its connection
    this.#pool = pool;
    this.#onCut = onCut;
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
    (this.#pool as unknown as WithAddRequest).addRequest(request, options);
  }
}

function redirected(): Failure {
  const message = 'the vendor’s answer is a redirect, which is not followed: check the endpoint and the proxy';
  return new Failure({ service: 'faceid', channel: 'local', code: CODES.REDIRECT_REFUSED, sent: 'answered' }, message);
}
