/** collect: asks for the result of a session. The call is free, and may be made any number of times. */
import { faceIdDependency } from '../../domain/operations/breakers.ts';
import { FLOWS, type FlowName } from '../../domain/verification/flows.ts';
import type { FlowResult } from '../../domain/verification/session-result.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';

export function collect(input: StageInput, context: StageContext): Promise<FlowResult> {
  const { action, region } = input.order;
  const flow = action as FlowName;
  const { resultCall } = FLOWS[flow];
  const { start } = input.outcomes;
  if (start === undefined) throw new Error('collect was called before the session had a token');
  return concerning({ about: 'deployment', dependency: faceIdDependency(resultCall) }, () =>
    context.edges.faceId.flowResult({ flow, region, token: start.token }, context.resultTurn, context.signal),
  );
}
