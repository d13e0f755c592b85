/**
 * The FaceID port: what each call sends, and what its answer means.
 *
 * What must hold: a paid call is sent once. Only CreateUploadUrl, which costs nothing, is retried here.
 */
import { Failure } from '../../domain/errors/failure.ts';
import type { DetectInput, FaceId, SequenceInput } from '../../domain/ports.ts';
import {
  type CheckName,
  livenessParameters,
  OPINION_CALL,
  resourcesOf,
  SEQUENCE,
  SEQUENCE_CALL,
} from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import { replyShapeFailure } from './call-failures.ts';
import { type AnswerHead, CallSender, type FaceIdOptions } from './call-sender.ts';
import { flowCalls } from './flow-calls.ts';
import { parseDetectReply, parseOpinionReply, parseSequenceReply, parseUploadUrlReply } from './replies.ts';

/** Everything about one call, for checks that must know more than whether the call succeeded. */
export interface Inspection {
  /** The vendor's normal answer, unparsed. Null if there was none. */
  readonly reply: Readonly<Record<string, unknown>> | null;
  readonly failure: Failure | null;
  /** The vendor's clock minus this machine's, from the Date header, precise to a second. Null if there was no answer. */
  readonly clockAheadMs: number | null;
  /** Status and headers. Null if there was no answer. */
  readonly answer: AnswerHead | null;
}

export interface FaceIdClient extends FaceId {
  /** Makes any call once, on its own connection. Returns a Failure instead of throwing it. */
  inspect(
    name: string,
    region: Region,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Inspection>;
  close(): Promise<void>;
}

export function createFaceId(options: FaceIdOptions): FaceIdClient {
  const sender = new CallSender(options);
  return {
    createUploadUrl(action, region, turn, signal) {
      const parameters = { TargetAction: action };
      const turnWithRequest = async () => ({ ...(await turn()), parameters, signal });
      return withQuickRetries(async () => {
        const { reply, agent } = await sender.send({ name: 'CreateUploadUrl', region, turn: turnWithRequest, signal });
        const link = parseUploadUrlReply(reply);
        if (link === null) throw replyShapeFailure(reply, agent);
        return link;
      }, signal);
    },

    async detect(action, region, turn, signal) {
      const turnWithRequest = async () => {
        const { input, ...paidTurn } = await turn();
        return { ...paidTurn, parameters: 'body' in input ? input.body : linkParameters(action, input) };
      };
      const { reply, agent } = await sender.send({ name: action, region, turn: turnWithRequest, signal });
      const answer = parseDetectReply(action, reply, Date.now());
      if (answer === null) throw replyShapeFailure(reply, agent);
      return answer;
    },

    async secondOpinion(region, turn, signal) {
      const turnWithRequest = async () => {
        const { input, ...paidTurn } = await turn();
        return { ...paidTurn, parameters: input };
      };
      const { reply, agent } = await sender.send({ name: OPINION_CALL, region, turn: turnWithRequest, signal });
      const answer = parseOpinionReply(reply);
      if (answer === null) throw replyShapeFailure(reply, agent);
      return answer;
    },

    ...flowCalls(sender),
    prepareCall: (signal) => sender.prepare(signal),
    forgetCall: (signal) => sender.forget(signal),

    async generateSequence(region, input, turn, signal) {
      const turnWithRequest = async () => ({ ...(await turn()), parameters: sequenceParameters(input), signal });
      const { reply, agent } = await sender.send({ name: SEQUENCE_CALL, region, turn: turnWithRequest, signal });
      const link = parseSequenceReply(reply);
      if (link === null) throw replyShapeFailure(reply, agent);
      return link;
    },

    async inspect(name, region, parameters, signal) {
      let clockAheadMs: number | null = null;
      let answer: AnswerHead | null = null;
      const onAnswer = (head: AnswerHead) => {
        answer = head;
        const { date = '' } = head.headers;
        // The Date header is cut to whole seconds, so the real time is half a second later on average.
        const ahead = Date.parse(date) + 500 - Date.now();
        clockAheadMs = Number.isFinite(ahead) ? ahead : null;
      };
      try {
        const turn = async () => ({ parameters, signal, missed: () => false });
        const { reply } = await sender.send({ name, region, turn, signal, onAnswer });
        return { reply: reply as Readonly<Record<string, unknown>>, failure: null, clockAheadMs, answer };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return { reply: null, failure: error, clockAheadMs, answer };
      }
    },

    async close() {
      sender.close();
    },
  };
}

function linkParameters(
  action: CheckName,
  { links, liveness }: Extract<DetectInput, { links: unknown }>,
): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, { parameter, md5Parameter }] of resourcesOf(action)) {
    const resource = links[name];
    if (resource === undefined || md5Parameter === null) throw new Error(`${action} takes no link to ${name}`);
    parameters[parameter] = resource.link;
    parameters[md5Parameter] = resource.md5;
  }
  return { ...parameters, ...(liveness === undefined ? {} : livenessParameters(liveness)) };
}

function sequenceParameters({ link, md5, securityLevel }: SequenceInput): Record<string, string> {
  const { urlParameter, md5Parameter, levelParameter } = SEQUENCE;
  const level = securityLevel === undefined ? {} : { [levelParameter]: securityLevel };
  return { [urlParameter]: link, [md5Parameter]: md5, ...level };
}
