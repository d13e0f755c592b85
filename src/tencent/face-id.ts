/**
 * FaceID by Tencent's own SDK, which signs; connections, time limits and the truth about what was sent are ours.
 *
 * 1. `detect` is one request on a connection that was never used, with no retry inside and no redirect followed.
 * 2. A signal ends the wait at once and destroys the connection, whether it is being opened, written to or read from.
 * 3. The SDK reads `http_proxy` from the environment only where it has no agent: it always has one.
 */
import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { ACTIONS, type ActionName, type Region, resourcesOf } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { DetectInput, FaceId } from '../domain/ports.ts';
import { abortFailure } from '../transport/abort.ts';
import { type ConnectorOptions, createConnector } from '../transport/connector.ts';
import { type Limited, limited } from '../transport/limits.ts';
import { withQuickRetries } from '../transport/retry.ts';
import { CallAgent, ConnectorAgent } from './call-agent.ts';
import type { CredentialsProvider, Keys } from './credentials.ts';
import { callFailure, malformedReply } from './failures.ts';
import { parseDetectReply, parseUploadUrlReply } from './replies.ts';

export interface FaceIdOptions extends ConnectorOptions {
  readonly credentials: CredentialsProvider;
  readonly endpoint?: string | undefined;
  /** Limit of one call, beside what its signal says. */
  readonly callTimeoutMs?: number | undefined;
}

const ENDPOINT = 'faceid.intl.tencentcloudapi.com';
const VERSION = '2018-03-01';
const CALL_TIMEOUT_MS = 30_000;
/** Firewalls on the way forget silent connections; one that was forgotten costs a whole time limit. */
const IDLE_CONNECTION_MS = 10_000;
/** The SDK's own limit, in seconds: a net behind ours. */
const SDK_MARGIN_S = 5;

interface Call {
  readonly name: string;
  readonly region: Region;
  readonly parameters: Readonly<Record<string, string>>;
  /** A connection for this call alone, or one that is kept alive. */
  readonly connection: 'fresh' | 'kept';
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
  const kept = new ConnectorAgent(connector, { keepAlive: true, timeout: IDLE_CONNECTION_MS });
  const closed = new AbortController();
  setMaxListeners(0, closed.signal); // one for each call that is under way

  async function ask(call: Call): Promise<Answered> {
    const limit = limited([call.signal, closed.signal], limitMs, timedOut);
    try {
      if (limit.signal.aborted) throw abortFailure(limit.signal, 'no');
      return await send(call, await options.credentials.get(), limit);
    } finally {
      limit.release();
    }
  }

  async function send(call: Call, credential: Keys, { signal, abort }: Limited): Promise<Answered> {
    const own = call.connection === 'fresh' ? new ConnectorAgent(connector, {}, signal) : null;
    const agent = new CallAgent(own ?? kept, () => abort(brokenOff()));
    const client = new CommonClient(endpoint, VERSION, {
      credential: { ...credential },
      region: call.region,
      profile: { language: 'en-US', httpProfile: { agent, reqTimeout: Math.ceil(limitMs / 1000) + SDK_MARGIN_S } },
    });
    try {
      return { reply: await client.request(call.name, call.parameters, { signal }), agent };
    } catch (error) {
      agent.response?.destroy(); // the SDK leaves the body of an error status unread, and its connection occupied
      throw callFailure(error, agent, signal);
    } finally {
      if (agent.response !== null) call.onHeaders?.(agent.response.headers);
      own?.destroy();
    }
  }

  return {
    createUploadUrl(action, region, signal) {
      const parameters = { TargetAction: action };
      const call: Call = { name: 'CreateUploadUrl', region, parameters, connection: 'kept', signal };
      return withQuickRetries(async () => {
        const { reply, agent } = await ask(call);
        const link = parseUploadUrlReply(reply);
        if (link === null) throw malformedReply(reply, agent);
        return link;
      }, signal);
    },

    async detect(action, region, input, signal) {
      const parameters = detectParameters(action, input);
      const { reply, agent } = await ask({ name: action, region, parameters, connection: 'fresh', signal });
      const answer = parseDetectReply(reply, Date.now());
      if (answer === null) throw malformedReply(reply, agent);
      return answer;
    },

    async inspect(name, region, parameters, signal) {
      let clockAheadMs: number | null = null;
      const onHeaders = ({ date = '' }: IncomingHttpHeaders) => {
        // The header is cut to whole seconds: in the mean, the time is half of one later.
        const ahead = Date.parse(date) + 500 - Date.now();
        clockAheadMs = Number.isFinite(ahead) ? ahead : null;
      };
      try {
        const { reply } = await ask({ name, region, parameters, connection: 'fresh', signal, onHeaders });
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
      kept.destroy();
    },
  };
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
