/** start: makes the call that returns the token of a session, once. The photo for the comparison is part of the request. */
import { faceIdDependency } from '../../domain/operations/breakers.ts';
import { FLOWS, type FlowName, type FlowParameters } from '../../domain/verification/flows.ts';
import type { StartOutcome } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';
import { closeResources, type OpenedResource, openResources } from './upload.ts';

/** @param spooled resources that were opened before this stage, or null. This function closes them. */
export async function start(
  input: StageInput,
  context: StageContext,
  spooled: readonly OpenedResource[] | null,
): Promise<StartOutcome> {
  const { action, region, session } = input.order;
  const flow = action as FlowName;
  const opened = spooled ?? (await openResources(input, context));
  let parameters: FlowParameters;
  try {
    parameters = { ...withId(session?.parameters ?? {}, input.id), ...(await photoOf(flow, opened)) };
  } finally {
    await closeResources(opened);
  }
  const faceId = { about: 'deployment', dependency: faceIdDependency(flow) } as const;
  return context.payStart(
    async () => parameters,
    (turn, signal) => concerning(faceId, () => context.edges.faceId.startFlow(flow, region, turn, signal)),
  );
}

/** The photo is held in memory as Base64: at most 8 MB, and only during the start. */
async function photoOf(flow: FlowName, [opened]: readonly OpenedResource[]): Promise<FlowParameters> {
  const { photo } = FLOWS[flow];
  if (opened === undefined || photo === null) return {};
  const pieces: Uint8Array[] = [];
  for await (const piece of streamConcerning(opened.origin, opened.source.stream())) pieces.push(piece);
  return { [photo.parameter]: Buffer.concat(pieces).toString('base64') };
}

/** The page to which the person returns may need the id of the session. */
function withId({ RedirectURL: url, ...rest }: FlowParameters, id: string): FlowParameters {
  return typeof url === 'string' ? { ...rest, RedirectURL: url.replaceAll('{id}', id) } : rest;
}
