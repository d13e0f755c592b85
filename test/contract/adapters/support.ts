/**
 * Support for the contract tests of the adapters: an emulator with adapters in front of it, a scripted server for
 * behavior that the emulator does not have, and a check that a failure has the right facts and class and reveals no
 * secret.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { expect } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import type { ConnectorOptions } from '../../../src/adapters/http/connector.ts';
import { createTransport, type Transport } from '../../../src/adapters/http/transport.ts';
import { type CheckedBucket, createBucket } from '../../../src/adapters/storage/bucket.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { classify } from '../../../src/domain/errors/index.ts';
import { createAuthority } from '../../../src/emulator/ca.ts';
import { EmulatorControl } from '../../../src/emulator/control.ts';
import type { Emulator, EmulatorOptions } from '../../../src/emulator/index.ts';
import { startTestEmulator } from '../../support/emulator.ts';
import { REMOVE } from '../../support/remove.ts';

export const REGION = 'ap-singapore';
export const md5Hex = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');
/** Returns a signal that never fires. */
export const neverAborted = () => new AbortController().signal;

export async function* streamOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// ── failures ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Matches links and their parts, test folders and keys. A failure must contain none of them. */
const SECRET = /:\/\/|q-sign|q-ak|security-token|myqcloud|AKID|secret-key|bestframe-contract|\.example\.com/i;

/** Waits for a Failure and checks its facts, its class, and that it reveals nothing. */
export async function expectFailure(
  promise: Promise<unknown>,
  expected: Partial<
    Pick<Failure, 'service' | 'channel' | 'code' | 'sent' | 'field' | 'httpStatus' | 'requestId' | 'shape'>
  > & {
    readonly class: string;
  },
): Promise<Failure> {
  const failure = await promise.then(
    () => expect.fail('the call did not fail'),
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Failure);
  const { class: kind, ...facts } = expected;
  expect(failure).toMatchObject(facts);
  expect(classify(failure as Failure).class).toBe(kind);
  const { cause: _cause, stack: _stack, ...shown } = failure as Failure;
  expect(JSON.stringify({ ...shown, message: (failure as Failure).message })).not.toMatch(SECRET);
  return failure as Failure;
}

// ── the emulator ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface Bench {
  /** `close` removes this folder. */
  readonly dir: string;
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  readonly connectorOptions: ConnectorOptions;
  readonly transport: Transport;
  readonly bucket: CheckedBucket;
  close(): Promise<void>;
}

export const temporaryDir = () => mkdtemp(join(tmpdir(), 'bestframe-contract-'));

export async function openBench(options: Partial<EmulatorOptions> = {}): Promise<Bench> {
  const dir = await temporaryDir();
  const emulator = await startTestEmulator({
    dir: join(dir, 'emulator'),
    settings: { latencyMs: {}, qps: {} },
    ...options,
  });
  const connectorOptions = { mode: 'test', proxy: emulator.proxyUrl, caFile: emulator.caFile } as const;
  const transport = createTransport(connectorOptions);
  const credentials = staticCredentials(emulator.credentials);
  const name = emulator.buckets.find(({ region }) => region === REGION)?.name ?? '';
  return {
    dir,
    emulator,
    control: new EmulatorControl(emulator.controlUrl),
    connectorOptions,
    transport,
    bucket: createBucket({ name, region: REGION, credentials, transport }),
    async close() {
      await transport.close();
      await emulator.close();
      await rm(dir, REMOVE);
    },
  };
}

// ── a scripted server ──────────────────────────────────────────────────────────────────────────────────────────────

export interface ScriptedServer {
  /** The address of a proxy that connects every host to this server. */
  readonly proxyUrl: string;
  readonly caFile: string;
  /** The port on `localhost` where the server accepts TLS directly. That port accepts CONNECT requests, too. */
  readonly port: number;
  /** The CONNECT requests to the proxy, each with its connection. */
  readonly tunnels: { readonly request: IncomingMessage; readonly socket: Duplex }[];
  /** The number of TLS connections so far. */
  readonly connections: () => number;
  /** The server side of each connection that came through the proxy. */
  readonly tunnelled: TLSSocket[];
  /** The requests that have arrived. */
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

/** @param connect handles a CONNECT request. By default, the proxy opens a tunnel. */
export async function startScriptedServer(
  handler: RequestListener,
  connect?: (socket: Duplex, request: IncomingMessage) => void,
): Promise<ScriptedServer> {
  const dir = await temporaryDir();
  const authority = await createAuthority();
  const caFile = join(dir, 'ca.pem');
  await writeFile(caFile, authority.pem);
  const tunnels: ScriptedServer['tunnels'] = [];
  const tunnelled: ScriptedServer['tunnelled'] = [];
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Duplex>();
  let connections = 0;
  const counted: RequestListener = (request, response) => {
    requests.push(request);
    handler(request, response);
  };
  const plain = createServer(counted);
  const secureContext = await authority.contextFor('localhost');
  const direct = createTlsServer(
    { SNICallback: (_name, done) => done(null, secureContext), ALPNProtocols: ['http/1.1'] },
    counted,
  );
  for (const server of [plain, direct]) {
    server.on('connection', (socket: Duplex) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    });
  }
  direct.on('secureConnection', () => {
    connections += 1;
  });
  const tunnel = async (request: IncomingMessage, socket: Duplex) => {
    tunnels.push({ request, socket });
    if (connect !== undefined) return connect(socket, request);
    const context = await authority.contextFor((request.url ?? '').split(':')[0] ?? '');
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const secured = new TLSSocket(socket as never, { isServer: true, secureContext: context });
    secured.once('secure', () => {
      connections += 1;
      tunnelled.push(secured);
    });
    plain.emit('connection', secured);
  };
  plain.on('connect', tunnel);
  direct.on('connect', tunnel);
  const proxyPort = await listening(plain);
  const port = await listening(direct);
  return {
    proxyUrl: `http://127.0.0.1:${proxyPort}`,
    caFile,
    port,
    tunnels,
    connections: () => connections,
    tunnelled,
    requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([plain, direct].map((server) => new Promise((resolve) => server.close(resolve))));
      await rm(dir, REMOVE);
    },
  };
}

function listening(server: Server | ReturnType<typeof createTlsServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Returns a port without a listener. */
export async function unusedPort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
