/**
 * An HTTP(S) forward proxy that answers in place of the real hosts. It accepts CONNECT with a certificate of the
 * emulator's CA for the requested host, then serves the decrypted requests itself.
 *
 * What must hold: nothing is ever sent to the real hosts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Authority } from './ca.ts';

export interface ProxyOptions {
  readonly host: string;
  readonly port: number;
  readonly authority: Authority;
  /** Whether the emulator serves this host name. */
  isKnownHost(host: string): boolean;
  serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
  onError(error: unknown): void;
  /** The vendor's clock, for Date headers. */
  now(): number;
}

export interface Proxy {
  readonly url: string;
  /** Drops all connections and waits for the calls being served. */
  close(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const sockets = new Set<Socket | TLSSocket>();
  /** The host that each decrypted connection is for. */
  const tunnelHosts = new WeakMap<object, string>();
  const activeCalls = new Set<Promise<void>>();
  let isClosing = false;

  const server = createServer((request, response) => {
    const tunnelHost = tunnelHosts.get(request.socket);
    const target = tunnelHost === undefined ? (request.url ?? '') : `https://${tunnelHost}${request.url ?? '/'}`;
    response.sendDate = false;
    response.setHeader('Date', new Date(options.now()).toUTCString());
    if (!URL.canParse(target)) return refuse(response, 400, 'This is a proxy: ask it for a whole URL, or CONNECT.');
    const url = new URL(target);
    if (!options.isKnownHost(url.hostname)) return refuse(response, 502, 'The emulator does not know this host.');
    const call = options
      .serve(request, response, url)
      .catch((error) => {
        if (!response.headersSent) refuse(response, 500, 'The emulator failed.');
        else response.destroy();
        if (!isClosing) options.onError(error);
      })
      .finally(() => activeCalls.delete(call));
    activeCalls.add(call);
  });
  // COS's page of response headers has no Keep-Alive, and no page says when Tencent closes an idle connection. With a timeout, Node would
  // send the header, and clients would close connections that they can keep in production.
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const [host = '', port = ''] = (request.url ?? '').toLowerCase().split(':');
    if (!options.isKnownHost(host) || port !== '443') {
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    options.authority.contextFor(host).then((secureContext) => {
      const secured = acceptTunnel(socket, head, secureContext);
      tunnelHosts.set(secured, host);
      server.emit('connection', secured);
    }, options.onError);
  });
  await listen(server, options.port, options.host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: async () => {
      isClosing = true;
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      await Promise.all(activeCalls);
    },
  };
}

/** Accepts a CONNECT and starts TLS on its connection. */
function acceptTunnel(socket: Duplex, head: Buffer, secureContext: SecureContext): TLSSocket {
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) socket.unshift(head);
  const secured = new TLSSocket(socket as Socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
  secured.on('error', () => secured.destroy());
  return secured;
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
