/**
 * TLS sessions of earlier connections. A connection that resumes one needs no certificate and no signature, which is most of the work
 * of a handshake for both sides; with TLS 1.2 it also saves a round trip.
 *
 * What must hold:
 * 1. A session is resumed only at the host and port that it comes from, and only under the roots that trusted the host's certificate.
 * 2. A session that led to a failed handshake is not used again.
 */
import type { SecureContext, TLSSocket } from 'node:tls';

/** More hosts than a deployment calls: endpoints and buckets of its regions. */
const MAX_HOSTS = 100;

export interface HostSession {
  /** Undefined: there is none yet. */
  readonly session: Buffer | undefined;
  /** Keeps the sessions that the host offers on a connection that was accepted. */
  keepFrom(socket: TLSSocket): void;
  forget(): void;
}

export class TlsSessions {
  readonly #byRoots = new WeakMap<SecureContext, Map<string, Buffer>>();

  of(roots: SecureContext, host: string, port: number): HostSession {
    const name = `${host}:${port}`;
    const sessions = this.#byRoots.get(roots) ?? new Map<string, Buffer>();
    this.#byRoots.set(roots, sessions);
    const keep = (session: Buffer) => {
      sessions.delete(name); // the newest host stands last
      sessions.set(name, session);
      const [oldest] = sessions.keys();
      if (sessions.size > MAX_HOSTS && oldest !== undefined) sessions.delete(oldest);
    };
    return {
      session: sessions.get(name),
      keepFrom(socket) {
        // TLS 1.2 offers its session during the handshake, TLS 1.3 after it.
        const offered = socket.getProtocol() === 'TLSv1.3' ? undefined : socket.getSession();
        if (offered !== undefined) keep(offered);
        socket.on('session', keep);
      },
      forget: () => void sessions.delete(name),
    };
  }
}
