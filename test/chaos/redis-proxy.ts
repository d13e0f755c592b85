/**
 * A line between one process and Redis that can be frozen, cut, or made to lose the reply of one script. One for each
 * worker, so that a fault hits one and leaves the others alone.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Line {
  readonly near: Socket;
  readonly far: Socket;
  /** A script was sent whose reply is to be lost. */
  losing: boolean;
}

/** How long the far side has to do what it was told before the line is cut. */
const DONE_MS = 30;

export class RedisProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #port: number;
  readonly #lines = new Set<Line>();
  #frozen = false;
  #refusing = false;
  #losing: { readonly sha: string; left: number } | null = null;
  /** How many replies were lost. */
  lost = 0;
  /** `host:port`s under which Redis has known whoever is at this line. */
  readonly sources: string[] = [];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (near) => this.#join(near));
  }

  /** @param port of Redis on this machine. */
  static async open(port: number): Promise<RedisProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RedisProxy(server, port);
  }

  /** Nothing goes through, in either direction; nobody is told. */
  freeze(): void {
    this.#frozen = true;
    for (const { near, far } of this.#lines) {
      near.pause();
      far.pause();
    }
  }

  thaw(): void {
    this.#frozen = false;
    for (const { near, far } of this.#lines) {
      near.resume();
      far.resume();
    }
  }

  /** Breaks all lines; new ones are refused until `mend`. */
  cut(): void {
    this.#refusing = true;
    this.#drop();
  }

  mend(): void {
    this.#refusing = false;
  }

  /** The script is done, and the line breaks before its reply comes: so many times. */
  loseReplies(sha: string, times = 1): void {
    this.#losing = { sha, left: times };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#drop();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    // A line that breaks is what this is for: whoever was at its end hears of it by `close`.
    near.on('error', () => undefined);
    if (this.#refusing) {
      near.destroy();
      return;
    }
    const far = connect(this.#port, '127.0.0.1');
    far.on('error', () => undefined);
    far.once('connect', () => this.sources.push(`127.0.0.1:${far.localPort}`));
    const line: Line = { near, far, losing: false };
    this.#lines.add(line);
    const part = () => {
      near.destroy();
      far.destroy();
      this.#lines.delete(line);
    };
    near.on('close', part);
    far.on('close', part);
    near.on('data', (bytes) => {
      far.write(bytes);
      if (this.#takes(bytes)) this.#lose(line);
    });
    far.on('data', (bytes) => {
      if (!line.losing) near.write(bytes);
    });
    if (this.#frozen) {
      near.pause();
      far.pause();
    }
  }

  #takes(bytes: Buffer): boolean {
    if (this.#losing === null || this.#losing.left === 0 || !bytes.includes(this.#losing.sha)) return false;
    this.#losing.left -= 1;
    return true;
  }

  #lose(line: Line): void {
    line.losing = true;
    this.lost += 1;
    line.far.once('data', () => {
      setTimeout(() => line.near.destroy(), DONE_MS);
    });
  }

  #drop(): void {
    for (const { near, far } of this.#lines) {
      near.destroy();
      far.destroy();
    }
  }
}
