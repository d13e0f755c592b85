import { once } from 'node:events';
import { createServer } from 'node:net';

/** A free port on 127.0.0.1. Another process may take it first, so a caller that starts a server must be able to retry. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system did not assign a port');
  return address.port;
}
