/**
 * FaceID by Tencent's own SDK, which signs; connections, time limits and the truth about what was sent are ours.
 *
 * 1. A call is one request on a connection that was never used, with no redirect followed; but for CreateUploadUrl
 *    there is no retry inside.
 * 2. The connection is opened before the call's turn is waited for; one that did not last until then was sent nothing. A turn
 *    that was missed when the request would leave is waited for again.
 * 3. A signal ends the wait at once and destroys the connection, whether it is being opened, written to or read from.
 * 4. The SDK reads `http_proxy` from the environment only where it has no agent: it always has one.
 */
import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { ACTIONS, type ActionName, type Region, resourcesOf, SEQUENCE, SEQUENCE_CALL } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { DetectInput, FaceId, SequenceInput, Turn } from '../domain/ports.ts';
import { abortFailure } from '../transport/abort.ts';
import { type ConnectorOptions, createConnector } from '../transport/connector.ts';
import { limited } from '../transport/limits.ts';
import { withQuickRetries } from '../transport/retry.ts';
import { CallAgent } from './call-agent.ts';
import type { CredentialsProvider, Keys } from './credentials.ts';
import { callFailure, malformedReply } from './failures.ts';
import { parseDetectReply, parseSequenceReply, parseUploadUrlReply } from './replies.ts';

export interface FaceIdOptions extends ConnectorOptions {
  readonly credentials: CredentialsProvider;
  readonly endpoint?: string | undefined;
  /** Limit of one call, beside what its signal says. */
  readonly callTimeoutMs?: number | undefined;
}

const ENDPOINT = 'faceid.intl.tencentcloudapi.com';
const VERSION = '2018-03-01';
const CALL_TIMEOUT_MS = 30_000;
/** The SDK's own limit, in seconds: a net behind ours. */
const SDK_MARGIN_S = 5;

interface Asked extends Turn {
  readonly parameters: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

interface Call {
  readonly name: string;
  readonly region: Region;
  /** Waited for on the open connection: what is sent, and what ends it from then on. */
  readonly turn: () => Promise<Asked>;
  /** Ends opening and waiting. */
  readonly signal: AbortSignal;
  /** Told the headers of an answer, whatever it says. */
  readonly onHeaders?: (headers: IncomingHttpHeaders) => void;
}

interface Answered {
  readonly reply: unknown;
  readonly agent: CallAgent;
}

/** One call, looked at: for checks, which want to know more than whether it went well. */
export interface Inspected {
  /** The normal answer as it came; null where there is none. */
  readonly reply: Readonly<Record<string, unknown>> | null;
  readonly failure: Failure | null;
  /** The vendor's clock minus this machine's, by the Date header and so to a second; null where there was no answer. */
  readonly clockAheadMs: number | null;
}

export interface FaceIdClient extends FaceId {
  /** Any call, once, on a connection of its own. A Failure is returned, not thrown. */
  inspect(
    name: string,
    region: Region,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Inspected>;
  close(): Promise<void>;
}

export function createFaceId(options: FaceIdOptions): FaceIdClient {
  const endpoint = options.endpoint ?? ENDPOINT;
  const limitMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  const connector = createConnector(options);
  const { hostname, port } = new URL(`https://${endpoint}`);
  const closed = new AbortController();
  setMaxListeners(0, closed.signal); // one for each call that is under way

  async function ask(call: Call): Promise<Answered> {
    const credential = await options.credentials.get();
    const target = { host: hostname, port: Number(port || 443), guarded: false };
    const socket = await connector.connect(target, call.signal);
    socket.on('error', () => undefined); // one that breaks while it waits is found destroyed
    try {
      for (;;) {
        const asked = await call.turn();
        if (socket.destroyed) throw hungUp();
        const answered = await send(call, asked, credential, socket);
        if (answered !== 'missed') return answered;
      }
    } finally {
      socket.destroy();
    }
  }

  async function send(
    { name, region, onHeaders }: Call,
    { parameters, signal, missed }: Asked,
    credential: Keys,
    socket: TLSSocket,
  ): Promise<Answered | 'missed'> {
    const limit = limited([signal, closed.signal], limitMs, timedOut);
    const agent = new CallAgent(socket, { missed }, () => limit.abort(brokenOff()));
    const client = new CommonClient(endpoint, VERSION, {
      credential: { ...credential },
      region,
      profile: { language: 'en-US', httpProfile: { agent, reqTimeout: Math.ceil(limitMs / 1000) + SDK_MARGIN_S } },
    });
    try {
      if (limit.signal.aborted) throw abortFailure(limit.signal, 'no');
      return { reply: await client.request(name, parameters, { signal: limit.signal }), agent };
    } catch (error) {
      if (agent.missed) return 'missed';
      throw callFailure(error, agent, limit.signal);
    } finally {
      limit.release();
      if (agent.response !== null) onHeaders?.(agent.response.headers);
    }
  }

  return {
    createUploadUrl(action, region, turn, signal) {
      const parameters = { TargetAction: action };
      const inTurn = async () => ({ ...(await turn()), parameters, signal });
      return withQuickRetries(async () => {
        const { reply, agent } = await ask({ name: 'CreateUploadUrl', region, turn: inTurn, signal });
        const link = parseUploadUrlReply(reply);
        if (link === null) throw malformedReply(reply, agent);
        return link;
      }, signal);
    },

    async detect(action, region, turn, signal) {
      const inTurn = async () => {
        const { input, ...own } = await turn();
        return { ...own, parameters: detectParameters(action, input) };
      };
      const { reply, agent } = await ask({ name: action, region, turn: inTurn, signal });
      const answer = parseDetectReply(reply, Date.now());
      if (answer === null) throw malformedReply(reply, agent);
      return answer;
    },

    async generateSequence(region, input, turn, signal) {
      const inTurn = async () => ({ ...(await turn()), parameters: sequenceParameters(input), signal });
      const { reply, agent } = await ask({ name: SEQUENCE_CALL, region, turn: inTurn, signal });
      const link = parseSequenceReply(reply);
      if (link === null) throw malformedReply(reply, agent);
      return link;
    },

    async inspect(name, region, parameters, signal) {
      let clockAheadMs: number | null = null;
      const onHeaders = ({ date = '' }: IncomingHttpHeaders) => {
        // The header is cut to whole seconds: in the mean, the time is half of one later.
        const ahead = Date.parse(date) + 500 - Date.now();
        clockAheadMs = Number.isFinite(ahead) ? ahead : null;
      };
      try {
        const turn = async () => ({ parameters, signal, missed: () => false });
        const { reply } = await ask({ name, region, turn, signal, onHeaders });
        return { reply: reply as Readonly<Record<string, unknown>>, failure: null, clockAheadMs };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return { reply: null, failure: error, clockAheadMs };
      }
    },

    async close() {
      closed.abort(
        new Failure(
          { service: 'faceid', channel: 'local', code: CODES.ABORTED, sent: 'maybe' },
          'the FaceID client was closed',
        ),
      );
      connector.close();
    },
  };
}

function hungUp(): Failure {
  return new Failure(
    { service: 'faceid', channel: 'local', code: CODES.RESET, sent: 'no' },
    'the vendor closed the connection before the call’s turn came',
  );
}

function brokenOff(): Failure {
  return new Failure(
    { service: 'faceid', channel: 'local', code: CODES.RESET, sent: 'maybe' },
    'the connection broke in the middle of the vendor’s answer',
  );
}

function timedOut(): Failure {
  return new Failure(
    { service: 'faceid', channel: 'local', code: CODES.TIMEOUT, sent: 'maybe' },
    'the vendor took longer than the limit of a call',
  );
}

function detectParameters(action: ActionName, input: DetectInput): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, rule] of resourcesOf(action)) {
    const resource = input.links[name];
    if (resource === undefined) throw new Error(`${action} was called without its ${name}`);
    parameters[rule.urlParameter] = resource.link;
    parameters[rule.md5Parameter] = resource.md5;
  }
  if (ACTIONS[action].takesLiveness && input.liveness !== undefined) {
    parameters.LivenessType = input.liveness.type;
    if (input.liveness.validateData !== undefined) parameters.ValidateData = input.liveness.validateData;
  }
  return parameters;
}

function sequenceParameters({ link, md5, securityLevel }: SequenceInput): Record<string, string> {
  const { urlParameter, md5Parameter, levelParameter } = SEQUENCE;
  const level = securityLevel === undefined ? {} : { [levelParameter]: securityLevel };
  return { [urlParameter]: link, [md5Parameter]: md5, ...level };
}
