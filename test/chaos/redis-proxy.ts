/**
 * A proxy between one process and Redis. It can hold back all data, cut the connections, or lose the reply of one script. Each
 * worker has its own proxy, so that a fault affects only that worker.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  /** Whether the proxy waits for the reply to a script, in order to lose it. */
  losing: boolean;
}

/** The time between the script's reply and the cut of the connection. */
const CUT_DELAY_MS = 30;

export class RedisProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #port: number;
  readonly #connections = new Set<Connection>();
  #frozen = false;
  #refusing = false;
  #losing: { readonly sha: string; left: number } | null = null;
  /** The number of lost replies. */
  lost = 0;
  /** The `host:port` of each connection to Redis through this proxy. */
  readonly sources: string[] = [];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (near) => this.#accept(near));
  }

  /** @param port the port of Redis on this machine */
  static async open(port: number): Promise<RedisProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RedisProxy(server, port);
  }

  /** Holds back all data in both directions and keeps the connections open. */
  freeze(): void {
    this.#frozen = true;
    for (const { near, far } of this.#connections) {
      near.pause();
      far.pause();
    }
  }

  thaw(): void {
    this.#frozen = false;
    for (const { near, far } of this.#connections) {
      near.resume();
      far.resume();
    }
  }

  /** Breaks all connections. New ones are refused until `mend`. */
  cut(): void {
    this.#refusing = true;
    this.#drop();
  }

  mend(): void {
    this.#refusing = false;
  }

  /** Does this `times` times: lets the script run, and breaks the connection before the script's reply arrives. */
  loseReplies(sha: string, times = 1): void {
    this.#losing = { sha, left: times };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#drop();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    // Broken connections are expected here; the `close` handler cleans up.
    near.on('error', () => undefined);
    if (this.#refusing) {
      near.destroy();
      return;
    }
    const far = connect(this.#port, '127.0.0.1');
    far.on('error', () => undefined);
    far.once('connect', () => this.sources.push(`127.0.0.1:${far.localPort}`));
    const connection: Connection = { near, far, losing: false };
    this.#connections.add(connection);
    const closeBoth = () => {
      near.destroy();
      far.destroy();
      this.#connections.delete(connection);
    };
    near.on('close', closeBoth);
    far.on('close', closeBoth);
    near.on('data', (bytes) => {
      far.write(bytes);
      if (this.#mustLoseReply(bytes)) this.#lose(connection);
    });
    far.on('data', (bytes) => {
      if (!connection.losing) near.write(bytes);
    });
    if (this.#frozen) {
      near.pause();
      far.pause();
    }
  }

  #mustLoseReply(bytes: Buffer): boolean {
    if (this.#losing === null || this.#losing.left === 0 || !bytes.includes(this.#losing.sha)) return false;
    this.#losing.left -= 1;
    return true;
  }

  #lose(connection: Connection): void {
    connection.losing = true;
    this.lost += 1;
    connection.far.once('data', () => {
      setTimeout(() => connection.near.destroy(), CUT_DELAY_MS);
    });
  }

  #drop(): void {
    for (const { near, far } of this.#connections) {
      near.destroy();
      far.destroy();
    }
  }
}
