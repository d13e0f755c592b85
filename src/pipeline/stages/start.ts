/** start: makes the call that returns the token of a session, once. The call carries the photo for the comparison. */
import { faceIdDependency } from '../../domain/operations/breakers.ts';
import type { FlowName, FlowParameters } from '../../domain/verification/flows.ts';
import type { StartOutcome } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';
import { encodeResources, type OpenedResource } from './resources.ts';

/** @param opened the photo, if the mode of the flow takes one. */
export async function start(
  input: StageInput,
  context: StageContext,
  opened: readonly OpenedResource[],
): Promise<StartOutcome> {
  const { action, region, session } = input.order;
  const flow = action as FlowName;
  const body = await encodeResources(opened, withId(session?.parameters ?? {}, input.id));
  const faceId = { about: 'deployment', dependency: faceIdDependency(flow) } as const;
  return context.payStart(
    async () => body,
    (turn, signal) => concerning(faceId, () => context.edges.faceId.startFlow(flow, region, turn, signal)),
  );
}

/** The page to which the person returns may need the id of the session. */
function withId({ RedirectURL: url, ...rest }: FlowParameters, id: string): FlowParameters {
  return typeof url === 'string' ? { ...rest, RedirectURL: url.replaceAll('{id}', id) } : rest;
}
