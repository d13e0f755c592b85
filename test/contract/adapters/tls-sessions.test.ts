/** Tests which connections resume the TLS session of an earlier one. */
import { once } from 'node:events';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, rootCertificates, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Connector, createConnector } from '../../../src/adapters/http/connector.ts';
import { createAuthority } from '../../../src/emulator/ca.ts';
import { temporaryDir } from './support.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

let dir: string;
let caFile: string;
let authority: Awaited<ReturnType<typeof createAuthority>>;
let server: Server | null = null;
let connector: Connector | null = null;

beforeAll(async () => {
  dir = await temporaryDir();
  authority = await createAuthority();
  caFile = join(dir, 'ca.pem');
  await writeFile(caFile, authority.pem);
});
afterEach(async () => {
  connector?.close();
  await close();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function listen(options: TlsOptions = {}, port = 0): Promise<number> {
  const secureContext = await authority.contextFor('localhost');
  server = createServer({ ...options, SNICallback: (_name, done) => done(null, secureContext) }, (socket) => {
    socket.on('error', () => undefined);
    socket.end('hello'); // a client gets its session with the first bytes
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(): Promise<void> {
  if (server === null) return;
  server.close();
  await once(server, 'close');
  server = null;
}

/** Connects, reads to the end, and returns whether the connection resumed a session. */
async function resumes(port: number, more: { guarded?: boolean } = {}): Promise<boolean> {
  connector ??= open();
  const socket: TLSSocket = await connector.connect({ host: 'localhost', port, guarded: more.guarded ?? false });
  const isReused = socket.isSessionReused();
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  return isReused;
}

function open(): Connector {
  return createConnector({ mode: 'test', caFile, allowPrivateAddresses: true });
}

it.each(VERSIONS)('a second connection to a host resumes the session of the first, with %s', async (version) => {
  connector = open();
  const port = await listen({ minVersion: version, maxVersion: version });
  expect([await resumes(port), await resumes(port), await resumes(port)]).toEqual([false, true, true]);
});

it.each(VERSIONS)('a server that has forgotten the session gets a whole handshake, with %s', async (version) => {
  connector = open();
  const port = await listen({ minVersion: version, maxVersion: version });
  await resumes(port);
  await close();
  await listen({ minVersion: version, maxVersion: version }, port);
  expect([await resumes(port), await resumes(port)]).toEqual([false, true]);
});

it('a host that a caller names is sent no session, and neither is another port', async () => {
  connector = open();
  const port = await listen();
  await resumes(port);
  expect([await resumes(port, { guarded: true }), await resumes(port, { guarded: true })]).toEqual([false, false]);
  const first = server;
  const other = await listen();
  expect(await resumes(other)).toBe(false);
  first?.close();
});

it('with other roots, the certificate is checked again', async () => {
  connector = open();
  const port = await listen();
  await resumes(port);
  await copyFile(caFile, `${caFile}.new`);
  await rename(`${caFile}.new`, caFile);
  expect(await resumes(port)).toBe(true); // a new file, but the same roots
  await writeFile(`${caFile}.new`, `${await readFile(caFile, 'utf8')}${rootCertificates[0]}\n`);
  await rename(`${caFile}.new`, caFile);
  expect([await resumes(port), await resumes(port)]).toEqual([false, true]);
});
