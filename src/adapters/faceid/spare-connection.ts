/**
 * A connection that is opened before a call needs it, so that the call does not wait for the handshake.
 *
 * What must hold: nothing was ever sent on the connection, and it is not used if it has been idle for so long that the vendor may
 * be about to close it. In that case, nobody would know whether the call was made.
 */
import type { TLSSocket } from 'node:tls';

/** A connection that waited longer is not used. Servers and proxies close idle connections after ten seconds or more. */
const MAX_IDLE_MS = 5_000;

interface Opened {
  readonly socket: TLSSocket;
  readonly at: number;
}

export class SpareConnection {
  readonly #connect: () => Promise<TLSSocket>;
  #opening: Promise<Opened | null> | null = null;

  /** @param connect its failures are ignored: without a spare connection, the call opens its own. */
  constructor(connect: () => Promise<TLSSocket>) {
    this.#connect = connect;
  }

  /** Opens the connection, unless it is open and fresh. Returns at once. */
  open(): void {
    this.#opening = this.#refresh(this.#opening);
  }

  /** Hands over the connection. Null: there is none. */
  async take(): Promise<TLSSocket | null> {
    const opening = this.#opening;
    this.#opening = null;
    return usable(await opening)?.socket ?? null;
  }

  /** Closes the connection if it was not taken. */
  close(): void {
    this.#opening?.then((opened) => opened?.socket.destroy());
    this.#opening = null;
  }

  async #refresh(earlier: Promise<Opened | null> | null): Promise<Opened | null> {
    const opened = usable(await earlier);
    if (opened !== null) return opened;
    try {
      const socket = await this.#connect();
      socket.on('error', () => undefined); // a broken connection is destroyed, and `usable` finds that
      return { socket, at: performance.now() };
    } catch {
      return null;
    }
  }
}

function usable(opened: Opened | null): Opened | null {
  if (opened === null) return null;
  if (!opened.socket.destroyed && performance.now() - opened.at < MAX_IDLE_MS) return opened;
  opened.socket.destroy();
  return null;
}
