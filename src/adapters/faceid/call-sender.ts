/**
 * Makes one call to FaceID through Tencent's SDK, which only signs: the connection and the time limits are ours. A call with a body
 * that carries files is signed here (`stream-request.ts`).
 *
 * What must hold:
 * 1. A call is one request on a connection that was never used. No redirect is followed.
 * 2. The connection is opened before the call waits for its turn (its rate-limit slot), or earlier (`SpareConnection`). If the
 *    connection breaks during the wait, nothing was sent. If the turn is missed when the request is about to leave, the call waits
 *    for another turn.
 * 3. A signal destroys the connection and ends the call at once, at every stage: opening, waiting for the turn, writing, reading.
 * 4. The SDK always gets an agent. Without one, it would take a proxy from the environment (`http_proxy`).
 */
import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Turn } from '../../domain/ports.ts';
import type { CallBody } from '../../domain/verification/call-body.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { CredentialsProvider, Keys } from '../credentials/keys.ts';
import { abortFailure } from '../http/abort-failure.ts';
import { type ConnectorOptions, createConnector } from '../http/connector.ts';
import { limitSignal } from '../http/limit-signal.ts';
import { CallAgent } from './call-agent.ts';
import { callFailure } from './call-failures.ts';
import { SpareConnection } from './spare-connection.ts';
import { type RequestHead, streamRequest } from './stream-request.ts';

export interface FaceIdOptions extends ConnectorOptions {
  readonly credentials: CredentialsProvider;
  readonly endpoint?: string | undefined;
  /** The time limit of one call, in addition to its signal. */
  readonly callTimeoutMs?: number | undefined;
}

const ENDPOINT = 'faceid.intl.tencentcloudapi.com';
const VERSION = '2018-03-01';
const LANGUAGE = 'en-US';
const CALL_TIMEOUT_MS = 30_000;
/** How much longer the SDK's own time limit is than ours, in seconds. The SDK's limit is only a safety net. */
const SDK_MARGIN_S = 5;

/** A turn together with the content of the request. The content is built only when the turn has come. */
export interface TurnWithRequest extends Turn {
  readonly parameters: Readonly<Record<string, unknown>> | CallBody;
  /** Aborts the call after its turn has come. Before that, `Call.signal` aborts it. */
  readonly signal: AbortSignal;
}

/** The start of an answer, before its body. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface Call {
  readonly name: string;
  readonly region: Region;
  /** Called when the connection is open. Resolves when the call's turn has come. */
  readonly turn: () => Promise<TurnWithRequest>;
  /** Ends the attempt to open the connection, and the wait for the turn. */
  readonly signal: AbortSignal;
  /** Receives status and headers of every answer, including error answers. */
  readonly onAnswer?: (answer: AnswerHead) => void;
}

export interface CallAnswer {
  readonly reply: unknown;
  readonly agent: CallAgent;
}

export class CallSender {
  readonly #options: FaceIdOptions;
  readonly #endpoint: string;
  readonly #target: { readonly host: string; readonly port: number; readonly guarded: boolean };
  readonly #limitMs: number;
  readonly #connector: ReturnType<typeof createConnector>;
  readonly #closed = new AbortController();
  /** Connections that were opened ahead, by the signal of their call. */
  readonly #spares = new WeakMap<AbortSignal, SpareConnection>();

  constructor(options: FaceIdOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint ?? ENDPOINT;
    this.#limitMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#connector = createConnector(options);
    const { hostname, port } = new URL(`https://${this.#endpoint}`);
    this.#target = { host: hostname, port: Number(port || 443), guarded: false };
    setMaxListeners(0, this.#closed.signal); // one listener for each pending call
  }

  /** @throws Failure */
  async send(call: Call): Promise<CallAnswer> {
    await this.#options.credentials.get(this.#limitMs); // before the turn: a renewal during the turn might outlast it
    const socket =
      (await this.#spares.get(call.signal)?.take()) ?? (await this.#connector.connect(this.#target, call.signal));
    socket.on('error', () => undefined); // the check of `destroyed` below finds a connection that broke while waiting
    try {
      for (;;) {
        const turn = await call.turn();
        if (socket.destroyed) throw closedWhileWaiting();
        const credential = await this.#options.credentials.get(); // the wait may have been longer than the keys' life
        const answer = await this.#sendInTurn(call, turn, credential, socket);
        if (answer !== 'missed_turn') return answer;
      }
    } finally {
      socket.destroy();
    }
  }

  /** See `FaceId.prepareCall`. */
  prepare(signal: AbortSignal): void {
    const spare = this.#spares.get(signal) ?? new SpareConnection(() => this.#connector.connect(this.#target, signal));
    this.#spares.set(signal, spare);
    spare.open();
  }

  forget(signal: AbortSignal): void {
    this.#spares.get(signal)?.close();
  }

  close(): void {
    const reason = localFailure(CODES.ABORTED, 'the FaceID client was closed', { service: 'faceid', sent: 'maybe' });
    this.#closed.abort(reason);
    this.#connector.close();
  }

  async #sendInTurn(
    { name, region, onAnswer }: Call,
    { parameters, signal, missed }: TurnWithRequest,
    credential: Keys,
    socket: TLSSocket,
  ): Promise<CallAnswer | 'missed_turn'> {
    const limit = limitSignal([signal, this.#closed.signal], this.#limitMs, timedOut);
    const agent = new CallAgent(socket, { missed }, () => limit.abort(answerCut()));
    const head = { endpoint: this.#endpoint, version: VERSION, name, region, credential, language: LANGUAGE } as const;
    try {
      if (limit.signal.aborted) throw abortFailure(limit.signal, 'no');
      const reply = isBody(parameters)
        ? await streamRequest(head, parameters, agent, limit.signal)
        : await this.#viaSdk(head, parameters, agent, limit.signal);
      return { reply, agent };
    } catch (error) {
      if (agent.missedTurn) return 'missed_turn';
      throw callFailure(error, agent, limit.signal);
    } finally {
      limit.release();
      if (agent.response !== null)
        onAnswer?.({ status: agent.response.statusCode ?? 0, headers: agent.response.headers });
    }
  }

  #viaSdk(
    { endpoint, version, name, region, credential, language }: RequestHead,
    parameters: Readonly<Record<string, unknown>>,
    agent: CallAgent,
    signal: AbortSignal,
  ): Promise<unknown> {
    const reqTimeout = Math.ceil(this.#limitMs / 1000) + SDK_MARGIN_S;
    const client = new CommonClient(endpoint, version, {
      credential: { ...credential },
      region,
      profile: { language, httpProfile: { agent, reqTimeout } },
    });
    return client.request(name, { ...parameters }, { signal });
  }
}

/** Only a body has a function under this name. */
function isBody(parameters: TurnWithRequest['parameters']): parameters is CallBody {
  return typeof parameters.stream === 'function';
}

function closedWhileWaiting(): Failure {
  const message = 'the vendor closed the connection before the call’s turn came';
  return localFailure(CODES.RESET, message, { service: 'faceid' });
}

function answerCut(): Failure {
  const message = 'the connection broke in the middle of the vendor’s answer';
  return localFailure(CODES.RESET, message, { service: 'faceid', sent: 'maybe' });
}

function timedOut(): Failure {
  const message = 'the vendor took longer than the limit of a call';
  return localFailure(CODES.TIMEOUT, message, { service: 'faceid', sent: 'maybe' });
}
