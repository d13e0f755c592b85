/**
 * An HTTP(S) forward proxy that is the far end itself: CONNECT is answered with a certificate of the emulator's CA for the
 * host that was asked for, and what then comes is served here. Nothing ever goes out to the real hosts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Authority } from './ca.ts';

export interface ProxyOptions {
  readonly host: string;
  readonly port: number;
  readonly authority: Authority;
  knows(host: string): boolean;
  serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
  onFault(error: unknown): void;
  /** The vendor's clock, for Date headers. */
  now(): number;
}

export interface Proxy {
  readonly url: string;
  close(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const sockets = new Set<Socket | TLSSocket>();
  /** Which host a decrypted connection is for. */
  const hosts = new WeakMap<object, string>();
  let closing = false;

  /** Being served: `close` waits for them. */
  const served = new Set<Promise<void>>();

  const server = createServer((request, response) => {
    const tunnelled = hosts.get(request.socket);
    const text = tunnelled === undefined ? (request.url ?? '') : `https://${tunnelled}${request.url ?? '/'}`;
    response.sendDate = false;
    response.setHeader('date', new Date(options.now()).toUTCString());
    if (!URL.canParse(text)) return refuse(response, 400, 'This is a proxy: ask it for a whole URL, or CONNECT.');
    const url = new URL(text);
    if (!options.knows(url.hostname)) return refuse(response, 502, 'The emulator does not know this host.');
    const serving = options
      .serve(request, response, url)
      .catch((error) => {
        if (!response.headersSent) refuse(response, 500, 'The emulator failed.');
        else response.destroy();
        if (!closing) options.onFault(error);
      })
      .finally(() => served.delete(serving));
    served.add(serving);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const [host = '', port = ''] = (request.url ?? '').split(':');
    if (!options.knows(host) || port !== '443') {
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    options.authority.contextFor(host).then((secureContext) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) socket.unshift(head);
      const secured = new TLSSocket(socket as Socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
      secured.on('error', () => secured.destroy());
      hosts.set(secured, host);
      server.emit('connection', secured);
    }, options.onFault);
  });
  await listen(server, options.port, options.host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: async () => {
      closing = true;
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      await Promise.all(served);
    },
  };
}

export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
}
