/**
 * Every command that a Redis executes, in its order (MONITOR). ioredis has a monitor, but it fails on a busy machine: lines that
 * arrive together with the answer to MONITOR count as answers to nobody.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';

export interface MonitoredCommand {
  /** Milliseconds since 1970, by the clock of Redis. */
  readonly at: number;
  /** `host:port` of the sender; `lua` for a command of a script. */
  readonly source: string;
  readonly args: readonly string[];
}

/** The lower-case names of the commands that write, as Redis itself says. */
export async function writingCommands(redis: Redis): Promise<ReadonlySet<string>> {
  return new Set((await redis.acl('CAT', 'write')) as string[]);
}

const LINE = /^\+(?<time>[\d.]+) \[\d+ (?<source>[^\]]+)\] "(?<args>.*)"$/;

export class RedisMonitor {
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined); // `close` follows
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()));
  }

  /**
   * Resolves when Redis reports its commands.
   * @throws Error if Redis cannot be reached or refuses
   */
  static async open(host: string, port: number, onCommand: (command: MonitoredCommand) => void): Promise<RedisMonitor> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    const monitor = new RedisMonitor(socket);
    const answer = new Promise<string>((resolve) => {
      createInterface({ input: socket }).on('line', (line) => {
        const { time, source = '', args = '' } = LINE.exec(line)?.groups ?? {};
        if (time === undefined) resolve(line);
        else onCommand({ at: Number(time) * 1_000, source, args: unquote(args) });
      });
    });
    socket.write('MONITOR\r\n');
    const line = await Promise.race([answer, monitor.closed]);
    if (line !== '+OK') throw new Error(`Redis does not monitor: ${line ?? 'it closed the connection'}`);
    return monitor;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function unquote(args: string): string[] {
  return args.split('" "').map((arg) => arg.replaceAll('\\"', '"'));
}
