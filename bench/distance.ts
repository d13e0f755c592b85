/** A relay that stands for the distance to the vendor: each direction takes half of a round trip, and a connection takes one more. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Distance {
  readonly url: string;
  close(): Promise<void>;
}

export async function startDistance(port: number, roundTripMs: number): Promise<Distance> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    const openAt = performance.now() + roundTripMs;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      const late = (act: () => void) => setTimeout(act, Math.max(openAt - performance.now(), 0) + roundTripMs / 2); // timers of one length keep their order
      from.on('data', (bytes) => late(() => to.write(bytes)));
      from.on('end', () => late(() => to.end()));
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
