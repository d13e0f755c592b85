/**
 * detect: the paid call, once. Links of the own bucket are signed inside the intent and die with it, so that a call that is
 * sent too late fails unbilled.
 */
import type { DetectOutcome } from '../domain/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { readyLinks } from './links.ts';

export function detect(input: StageInput, context: StageContext): Promise<DetectOutcome> {
  const { action, region, liveness } = input.order;
  return context.pay(
    async (callMs) => {
      const links = await readyLinks(input, context, callMs);
      const named = Object.fromEntries(links.map(({ name, link, md5 }) => [name, { link, md5 }]));
      return { links: named, ...(liveness === undefined ? {} : { liveness }) };
    },
    (turn, signal) => context.edges.faceId.detect(action, region, turn, signal),
  );
}
