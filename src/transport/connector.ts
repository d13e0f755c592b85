/**
 * The one way out: opens TLS connections, straight or through a proxy's CONNECT. undici's bytes and the vendor SDK's
 * calls both use it, so that proxy, NO_PROXY, CA, address guard and time limit are the same for all.
 *
 * 1. Whatever fails in here fails before the first byte of a request: every Failure says `sent: 'no'`. A setting that is
 *    wrong fails when the connector is made.
 * 2. A guarded connection goes to an address that was judged, and to no other.
 * 3. In live mode, a peer whose certificate comes from the emulator's CA is refused.
 * 4. A connection that is still being opened when its time is up, its signal fires or `close` is called is destroyed.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import {
  createSecureContext,
  type PeerCertificate,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import { abortFailure } from './abort.ts';
import { type Address, isAllowed, lookupAll, ProxiedGuard, publicAddresses } from './lookup.ts';
import { bypassesProxy } from './no-proxy.ts';

export interface ConnectorOptions {
  readonly mode: 'test' | 'live';
  /** `http://host:port`, with user and password where the proxy wants them. */
  readonly proxy?: string | undefined;
  readonly noProxy?: string | undefined;
  /** PEM file of further roots, beside the usual ones. */
  readonly caFile?: string | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** Tests only: lets guarded connections reach loopback servers. */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** Private hosts that guarded connections may reach: names, addresses and CIDR blocks, as in NO_PROXY. */
  readonly allowedHosts?: string | undefined;
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** True where the host comes from a caller: public addresses only. */
  readonly guarded: boolean;
}

export interface Connector {
  connect(target: Target, signal?: AbortSignal): Promise<TLSSocket>;
  /** Destroys what is still being opened. Connections that were handed out belong to whoever has them. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Before the next address of a host is tried. Node's default of 250 ms gives up on hosts on the other side of the earth. */
const ADDRESS_TIMEOUT_MS = 1_500;
/** In the common name of the emulator's CA. */
const EMULATOR_CA = 'Bestframe Emulator';

type Step = 'dns' | 'proxy' | 'connect' | 'tls';

/** One connection on its way. */
interface Opening {
  /** Where it stands, for the words of a failure. */
  step: Step;
  /** What is to be destroyed from now on where it fails; at once, where it has failed. */
  hold(socket: { destroy(): unknown }): void;
  fail(error: Error): void;
}

export function createConnector(options: ConnectorOptions): Connector {
  const context = secureContext(options.caFile);
  const proxy = options.proxy === undefined ? null : parseProxy(options.proxy);
  const guard = new ProxiedGuard();
  const openings = new Set<Opening>();
  const limitMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;

  async function open(target: Target, opening: Opening): Promise<TLSSocket> {
    const throughProxy = proxy !== null && !bypassesProxy(target.host, target.port, options.noProxy);
    const guarded = target.guarded && options.allowPrivateAddresses !== true;
    let socket: Socket;
    if (throughProxy) {
      if (guarded && !isAllowed(target.host, target.port, options.allowedHosts ?? '')) await guard.check(target.host);
      opening.step = 'proxy';
      socket = await tunnel(proxy, target, context, opening);
    } else {
      const { host, port } = target;
      const addresses = await (guarded ? publicAddresses(host, port, options.allowedHosts) : lookupAll(host));
      opening.step = 'connect';
      socket = await dial(target, addresses, opening);
    }
    opening.step = 'tls';
    const secured = await secure(socket, target, context, opening);
    if (options.mode === 'live' && isEmulator(secured)) {
      throw refused(
        CODES.EMULATOR_IN_LIVE_MODE,
        'the peer is the emulator, but the mode is live: remove its proxy and CA settings',
      );
    }
    return secured;
  }

  return {
    connect(target, signal) {
      return new Promise<TLSSocket>((resolve, reject) => {
        let held: { destroy(): unknown } | null = null;
        const opening: Opening = {
          step: 'dns',
          hold(socket) {
            held = socket;
            if (done) socket.destroy();
          },
          fail: settle,
        };
        const timer = setTimeout(() => settle(timedOut(opening.step)), limitMs);
        const onAbort = () => signal !== undefined && settle(abortFailure(signal, 'no'));
        let done = false;
        function settle(outcome: TLSSocket | Error): void {
          if (done) return;
          done = true;
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          openings.delete(opening);
          if (outcome instanceof Error) {
            held?.destroy();
            reject(outcome instanceof Failure ? outcome : describe(outcome, opening.step));
          } else resolve(outcome);
        }
        openings.add(opening);
        if (signal?.aborted === true) {
          onAbort();
          return;
        }
        signal?.addEventListener('abort', onAbort, { once: true });
        open(target, opening).then(settle, settle);
      });
    },
    close() {
      for (const opening of [...openings]) opening.fail(refused(CODES.ABORTED, 'the transport was closed'));
    },
  };
}

/** Made once: building a store of 140 roots for each connection costs more than the handshake. */
function secureContext(caFile: string | undefined): SecureContext {
  if (caFile === undefined) return createSecureContext();
  try {
    const pem = readFileSync(caFile, 'utf8');
    new X509Certificate(pem); // TLS would take a file without a certificate, and trust nothing new
    return createSecureContext({ ca: [...rootCertificates, pem] });
  } catch (cause) {
    throw wrongSetting('the CA file is no readable PEM certificate: correct its path, permissions or content', cause);
  }
}

function parseProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw wrongSetting('the proxy setting is no proxy URL: write it whole, with http: or https:, host and port');
}

/** @param addresses the only ones that are tried. */
function dial(target: Target, addresses: readonly Address[], opening: Opening): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({
      host: target.host,
      port: target.port,
      lookup: pinned(addresses),
      noDelay: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
    });
    opening.hold(socket);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

function pinned(addresses: readonly Address[]): LookupFunction {
  return (_host, options, callback) => {
    if (options.all === true) return callback(null, [...addresses]);
    const [first] = addresses;
    if (first === undefined) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
    else callback(null, first.address, first.family);
  };
}

function tunnel(proxy: URL, target: Target, context: SecureContext, opening: Opening): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const authority = `${isIP(target.host) === 6 ? `[${target.host}]` : target.host}:${target.port}`;
    const secure = proxy.protocol === 'https:';
    const host = proxy.hostname.replace(/^\[|\]$/g, '');
    const request = (secure ? httpsRequest : httpRequest)({
      host,
      port: proxy.port === '' ? (secure ? 443 : 80) : Number(proxy.port),
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyCredentials(proxy) },
      agent: false,
      // The name in the header is the target's; it is the proxy that must prove who it is.
      ...(secure ? { secureContext: context, servername: isIP(host) === 0 ? host : '' } : {}),
    });
    opening.hold(request);
    request.once('error', reject);
    request.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      opening.hold(socket);
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) return refuse(status);
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setNoDelay(true));
    });
    function refuse(httpStatus: number): void {
      const cure = httpStatus === 407 ? 'set user and password in its URL' : 'ask its keepers to let this host through';
      const facts = { service: 'http', channel: 'local', code: CODES.PROXY_REFUSED, sent: 'no', httpStatus } as const;
      reject(new Failure(facts, `the proxy refused the connection (${httpStatus}): ${cure}`));
    }
    request.end();
  });
}

function proxyCredentials(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function secure(socket: Socket, target: Target, context: SecureContext, opening: Opening): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = tlsConnect({
      socket,
      host: target.host,
      servername: isIP(target.host) === 0 ? target.host : '',
      secureContext: context,
      ALPNProtocols: ['http/1.1'],
    });
    opening.hold(secured);
    secured.once('error', reject);
    secured.once('secureConnect', () => {
      secured.removeListener('error', reject);
      resolve(secured);
    });
  });
}

function isEmulator(socket: TLSSocket): boolean {
  const seen = new Set<string>();
  let certificate: PeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.fingerprint256 !== undefined && !seen.has(certificate.fingerprint256)) {
    seen.add(certificate.fingerprint256);
    const names = [certificate.issuer?.CN, certificate.subject?.CN].flat();
    if (names.some((name) => name?.includes(EMULATOR_CA) === true)) return true;
    certificate = 'issuerCertificate' in certificate ? (certificate.issuerCertificate as PeerCertificate) : undefined;
  }
  return false;
}

// ── failures ───────────────────────────────────────────────────────────────────────────────────────────────────────

const WORDS: Readonly<Record<Step, readonly [code: string, message: string]>> = {
  dns: [CODES.DNS_FAILED, 'the host name could not be looked up: check the name and this machine’s DNS'],
  proxy: [CODES.PROXY_REFUSED, 'the proxy could not be reached: check its address and that it runs'],
  connect: [CODES.CONNECT_REFUSED, 'the connection was refused: check the host, the port and the firewall'],
  tls: [CODES.TLS_FAILED, 'no trusted TLS connection could be made: check the host and the CA file'],
};

function describe(cause: Error, step: Step): Failure {
  const [code, words] = WORDS[step];
  const reason = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
  return new Failure({ service: 'http', channel: 'local', code, sent: 'no' }, `${words}${reason}`, { cause });
}

function timedOut(step: Step): Failure {
  const [code, words] =
    step === 'proxy' ? WORDS.proxy : [CODES.CONNECT_TIMEOUT, 'the connection took too long to open'];
  return refused(code, step === 'proxy' ? `${words} (timed out)` : `${words} (${step})`);
}

function wrongSetting(message: string, cause?: unknown): Failure {
  const facts = { service: 'bestframe', channel: 'local', code: CODES.INVALID_SETTINGS, sent: 'no' } as const;
  return new Failure(facts, message, { cause });
}

function refused(code: string, message: string): Failure {
  return new Failure({ service: 'http', channel: 'local', code, sent: 'no' }, message);
}
