/** A proxy in front of Redis that counts round trips and commands. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CountedRedis {
  readonly url: string;
  /**
   * How often a client sent something after Redis had answered, over all connections. Commands that are sent together, or before
   * the answer to an earlier one, share a trip.
   */
  readonly trips: number;
  /** Commands over all connections; those inside scripts are not counted. */
  readonly commands: number;
  close(): Promise<void>;
}

/** How a client's command begins: an array whose first element is a bulk string. */
const COMMAND = /\*\d+\r\n\$\d+\r\n/g;

export async function countTrips(redisUrl: string): Promise<CountedRedis> {
  const target = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let trips = 0;
  let commands = 0;
  let isAnswered = true;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (isAnswered) trips += 1;
      isAnswered = false;
      commands += bytes.toString('latin1').match(COMMAND)?.length ?? 0;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      isAnswered = true;
      client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get trips() {
      return trips;
    },
    get commands() {
      return commands;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
