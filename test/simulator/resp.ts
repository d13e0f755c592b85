/** A connection to Redis that only sends commands in order and returns their replies in order. */
import { connect, type Socket } from 'node:net';

export type Reply = string | number | null | Error | Reply[];
/** Like ioredis, `undefined` and `null` are sent as an empty text. */
export type Argument = string | number | Buffer | null | undefined;

interface Pending {
  reply: Reply | undefined;
  resolve: ((reply: Reply) => void) | null;
  promise: Promise<Reply> | null;
  readonly onReply: ((reply: Reply) => void) | undefined;
}

/** A reply that is on its way, or has arrived. */
export type Sent = () => Reply | Promise<Reply>;

export class Connection {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #first = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #failure: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes));
    const fail = (error: Error) => {
      this.#failure ??= error;
      for (const each of this.#pending.slice(this.#first)) each.resolve?.(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('Redis closed the connection of the simulator')));
  }

  /** @param server a port on this machine, or the path of a Unix socket */
  static open(server: number | string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket =
        typeof server === 'string' ? connect(server) : connect({ port: server, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /**
   * Sends a command. @param onReply called as soon as the reply has arrived. @returns a function that gives the reply, or a promise
   * of it.
   */
  send(args: readonly Argument[], onReply?: (reply: Reply) => void): Sent {
    const pending: Pending = { reply: undefined, resolve: null, promise: null, onReply };
    this.#pending.push(pending);
    if (args.some(Buffer.isBuffer)) this.#socket.write(encodeBytes(args));
    else this.#socket.write(encodeText(args));
    return () => {
      if (pending.reply !== undefined) return pending.reply;
      if (this.#failure !== null) return this.#failure;
      pending.promise ??= new Promise((resolve) => {
        pending.resolve = resolve;
      });
      return pending.promise;
    };
  }

  close(): void {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#bytes = this.#at < this.#bytes.length ? Buffer.concat([this.#bytes.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
    for (;;) {
      const before = this.#at;
      const reply = this.#parse();
      if (reply === undefined) {
        this.#at = before;
        return;
      }
      const pending = this.#pending[this.#first] as Pending;
      this.#first += 1;
      if (this.#first > 4_096) {
        this.#pending.splice(0, this.#first);
        this.#first = 0;
      }
      pending.reply = reply;
      pending.onReply?.(reply);
      pending.resolve?.(reply);
    }
  }

  /** @returns undefined if the bytes of the next reply are not complete. */
  #parse(): Reply | undefined {
    const end = this.#bytes.indexOf(13, this.#at);
    if (end < 0 || end + 1 >= this.#bytes.length) return undefined;
    const kind = this.#bytes[this.#at];
    const line = this.#bytes.toString('latin1', this.#at + 1, end);
    this.#at = end + 2;
    if (kind === 36) {
      const length = Number(line);
      if (length < 0) return null;
      const from = this.#at;
      if (from + length + 2 > this.#bytes.length) return undefined;
      this.#at = from + length + 2;
      return this.#bytes.toString('utf8', from, from + length);
    }
    if (kind === 58) return Number(line);
    if (kind === 42) {
      const length = Number(line);
      if (length < 0) return null;
      const items: Reply[] = [];
      for (let i = 0; i < length; i += 1) {
        const item = this.#parse();
        if (item === undefined) return undefined;
        items.push(item);
      }
      return items;
    }
    return kind === 45 ? new Error(line) : line;
  }
}

function encodeText(args: readonly Argument[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) {
    const value = String(arg ?? '');
    text += `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
  }
  return text;
}

function encodeBytes(args: readonly Argument[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const value = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg ?? ''));
    pieces.push(Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n'));
  }
  return Buffer.concat(pieces);
}
