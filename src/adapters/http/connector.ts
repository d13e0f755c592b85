/**
 * The only way to reach another host: opens TLS connections, directly or through a proxy's CONNECT. undici and the vendor's SDK
 * both use it, so the same proxy, NO_PROXY, CA, address guard and time limit apply to all requests.
 *
 * What must hold:
 * 1. Every failure here happens before the first byte of a request, so every Failure says `sent: 'no'`. An invalid setting fails
 *    when the connector is created.
 * 2. A guarded connection goes only to an address that was checked.
 * 3. In live mode, a peer whose certificate comes from the emulator's CA is refused.
 * 4. A host that a caller names is sent no TLS session: it could recognise this deployment by it.
 * 5. A connection that is still being opened is destroyed when its time is up, its signal fires or `close` is called.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import { type PeerCertificate, type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { abortFailure } from './abort-failure.ts';
import { type Address, lookupAddresses, lookupPublicAddresses, ProxiedHostGuard } from './address-guard.ts';
import { matchesHostList } from './host-list.ts';
import { TlsSessions } from './tls-sessions.ts';
import { TrustedRoots } from './trusted-roots.ts';

export interface ConnectorOptions {
  readonly mode: 'test' | 'live';
  /** `http://host:port`, with user and password if the proxy requires them. */
  readonly proxy?: string | undefined;
  readonly noProxy?: string | undefined;
  /** PEM file with roots that are trusted in addition to the usual ones. */
  readonly caFile?: string | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** Tests only: lets guarded connections reach loopback servers. */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** Private hosts that guarded connections may reach, in the format of NO_PROXY. */
  readonly allowedHosts?: string | undefined;
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** True if the host comes from a caller: then only public addresses may be reached. */
  readonly guarded: boolean;
}

export interface Connector {
  connect(target: Target, signal?: AbortSignal): Promise<TLSSocket>;
  /** Destroys connections that are still being opened. Open connections belong to the caller. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/**
 * How long one address of a host is tried before the next one. Node's default of 250 ms is too short for hosts on another
 * continent.
 */
const ADDRESS_TIMEOUT_MS = 1_500;
/** Part of the common name of the emulator's CA. */
const EMULATOR_CA = 'Bestframe Emulator';

type Step = 'dns' | 'proxy' | 'connect' | 'tls';

/** A connection that is being opened. */
class Opening {
  /** The step that the connection attempt has reached. Failure messages name it. */
  step: Step = 'dns';
  readonly #onEnd: (outcome: TLSSocket | Error) => void;
  #current: { destroy(): unknown } | null = null;
  #ended = false;

  /** @param onEnd called once, with the socket or the reason for the failure. */
  constructor(onEnd: (outcome: TLSSocket | Error) => void) {
    this.#onEnd = onEnd;
  }

  /** Registers a socket to be destroyed if opening the connection fails. If opening has already failed, destroys it at once. */
  own(socket: { destroy(): unknown }): void {
    this.#current = socket;
    if (this.#ended) socket.destroy();
  }

  end(outcome: TLSSocket | Error): void {
    if (this.#ended) return;
    this.#ended = true;
    if (outcome instanceof Error) this.#current?.destroy();
    this.#onEnd(outcome instanceof Error ? openingFailure(outcome, this.step) : outcome);
  }
}

interface Route {
  readonly options: ConnectorOptions;
  readonly roots: TrustedRoots;
  readonly sessions: TlsSessions;
  readonly proxy: URL | null;
  readonly guard: ProxiedHostGuard;
}

export function createConnector(options: ConnectorOptions): Connector {
  const route: Route = {
    options,
    roots: new TrustedRoots(options.caFile),
    sessions: new TlsSessions(),
    proxy: options.proxy === undefined ? null : parseProxy(options.proxy),
    guard: new ProxiedHostGuard(),
  };
  const openings = new Set<Opening>();
  const limitMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;

  return {
    connect(target, signal) {
      return new Promise<TLSSocket>((resolve, reject) => {
        const opening = new Opening((outcome) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          openings.delete(opening);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        });
        const timer = setTimeout(() => opening.end(timedOut(opening.step)), limitMs);
        const onAbort = () => signal !== undefined && opening.end(abortFailure(signal, 'no'));
        openings.add(opening);
        if (signal?.aborted === true) {
          onAbort();
          return;
        }
        signal?.addEventListener('abort', onAbort, { once: true });
        openConnection(target, opening, route).then(
          (socket) => opening.end(socket),
          (error: Error) => opening.end(error),
        );
      });
    },
    close() {
      for (const opening of [...openings]) opening.end(refused(CODES.ABORTED, 'the transport was closed'));
    },
  };
}

async function openConnection(target: Target, opening: Opening, route: Route): Promise<TLSSocket> {
  const { options, roots, sessions } = route;
  const socket = await openSocket(target, opening, route);
  opening.step = 'tls';
  const { context } = roots;
  const known = target.guarded ? null : sessions.of(context, target.host, target.port);
  let secured: TLSSocket;
  try {
    secured = await secure(socket, target, { context, session: known?.session }, opening);
  } catch (error) {
    known?.forget();
    throw error;
  }
  if (options.mode === 'live' && isEmulator(secured)) {
    throw refused(
      CODES.EMULATOR_IN_LIVE_MODE,
      'the peer is the emulator, but the mode is live: remove its proxy and CA settings',
    );
  }
  known?.keepFrom(secured);
  return secured;
}

async function openSocket(target: Target, opening: Opening, { options, roots, proxy, guard }: Route): Promise<Socket> {
  const { host, port } = target;
  const guarded = target.guarded && options.allowPrivateAddresses !== true;
  if (proxy !== null && !matchesHostList(host, port, options.noProxy)) {
    if (guarded && !matchesHostList(host, port, options.allowedHosts)) await guard.check(host);
    opening.step = 'proxy';
    return tunnel(proxy, target, roots.context, opening);
  }
  const addresses = await (guarded ? lookupPublicAddresses(host, port, options.allowedHosts) : lookupAddresses(host));
  opening.step = 'connect';
  return dial(target, addresses, opening);
}

function parseProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw invalidSetting('the proxy setting is not a proxy URL: give a full URL with http: or https:, host and port');
}

/** @param addresses the only addresses that are tried. */
function dial(target: Target, addresses: readonly Address[], opening: Opening): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({
      host: target.host,
      port: target.port,
      lookup: pinned(addresses),
      noDelay: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
    });
    opening.own(socket);
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
      // The Host header names the target, but the certificate must name the proxy.
      ...(secure ? { secureContext: context, servername: isIP(host) === 0 ? host : '' } : {}),
    });
    opening.own(request);
    request.once('error', reject);
    request.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      opening.own(socket);
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) return refuse(status);
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setNoDelay(true));
    });
    function refuse(httpStatus: number): void {
      const cure = httpStatus === 407 ? 'set user and password in its URL' : 'ask its operators to allow this host';
      reject(
        localFailure(CODES.PROXY_REFUSED, `the proxy refused the connection (${httpStatus}): ${cure}`, {
          service: 'http',
          httpStatus,
        }),
      );
    }
    request.end();
  });
}

function proxyCredentials(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function secure(
  socket: Socket,
  target: Target,
  { context, session }: { readonly context: SecureContext; readonly session: Buffer | undefined },
  opening: Opening,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = tlsConnect({
      socket,
      host: target.host,
      servername: isIP(target.host) === 0 ? target.host : '',
      secureContext: context,
      ALPNProtocols: ['http/1.1'],
      ...(session === undefined ? {} : { session }),
    });
    opening.own(secured);
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

const STEP_FAILURES: Readonly<Record<Step, readonly [code: string, message: string]>> = {
  dns: [CODES.DNS_FAILED, 'the host name could not be resolved: check the name and this machine’s DNS'],
  proxy: [CODES.PROXY_REFUSED, 'the proxy could not be reached: check its address and that it runs'],
  connect: [CODES.CONNECT_REFUSED, 'the connection was refused: check the host, the port and the firewall'],
  tls: [CODES.TLS_FAILED, 'no trusted TLS connection could be established: check the host and the CA file'],
};

function openingFailure(cause: Error, step: Step): Failure {
  if (cause instanceof Failure) return cause;
  const [code, message] = STEP_FAILURES[step];
  const reason = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
  return localFailure(code, `${message}${reason}`, { service: 'http', cause });
}

function timedOut(step: Step): Failure {
  const [code, words] =
    step === 'proxy' ? STEP_FAILURES.proxy : [CODES.CONNECT_TIMEOUT, 'the connection took too long to open'];
  return refused(code, step === 'proxy' ? `${words} (timed out)` : `${words} (${step})`);
}

function invalidSetting(message: string, cause?: unknown): Failure {
  return localFailure(CODES.INVALID_SETTINGS, message, { cause });
}

function refused(code: string, message: string): Failure {
  return localFailure(code, message, { service: 'http' });
}
