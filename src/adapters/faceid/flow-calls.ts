/** The two calls of a token flow: the one that returns a token, and the one that returns its result. */
import type { FaceId } from '../../domain/ports.ts';
import { FLOWS } from '../../domain/verification/flows.ts';
import { replyShapeFailure } from './call-failures.ts';
import type { CallSender } from './call-sender.ts';
import { parseResultReply, parseStartReply } from './flow-replies.ts';

export function flowCalls(sender: CallSender): Pick<FaceId, 'startFlow' | 'flowResult'> {
  return {
    async startFlow(flow, region, turn, signal) {
      const turnWithRequest = async () => {
        const { input, ...paidTurn } = await turn();
        return { ...paidTurn, parameters: input };
      };
      const { reply, agent } = await sender.send({ name: flow, region, turn: turnWithRequest, signal });
      const started = parseStartReply(flow, reply);
      if (started === null) throw replyShapeFailure(reply, agent);
      return started;
    },

    async flowResult({ flow, region, token }, turn, signal) {
      const { resultCall, token: parameter } = FLOWS[flow];
      const turnWithRequest = async () => ({ ...(await turn()), parameters: { [parameter]: token }, signal });
      const { reply, agent } = await sender.send({ name: resultCall, region, turn: turnWithRequest, signal });
      const result = parseResultReply(flow, reply);
      if (result === null) throw replyShapeFailure(reply, agent);
      return result;
    },
  };
}
