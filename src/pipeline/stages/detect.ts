/**
 * detect: makes the paid call, once. A call that carries its files returns the frame in its answer, which is stored before the
 * outcome is recorded. For a call that takes links, those to the company's own bucket are signed after the intent is declared, and expire
 * with the intent. So if a call arrives too late, Tencent cannot read the links, and the call fails without being billed.
 */
import { Failure } from '../../domain/errors/failure.ts';
import { failureCode } from '../../domain/errors/index.ts';
import { faceIdDependency } from '../../domain/operations/breakers.ts';
import type { AnsweredFrame } from '../../domain/ports.ts';
import type { CheckName } from '../../domain/verification/actions.ts';
import type { CallBody } from '../../domain/verification/call-body.ts';
import type { DetectOutcome } from '../../domain/verification/outcomes.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning } from './evidence.ts';
import { storeFrame } from './held-frame.ts';
import { isStaged, readyLinks } from './links.ts';

/** The vendor's message about a link that it cannot use. */
const BAD_LINK = 'invalid resourceUrl';

interface DetectedFiles {
  readonly decided: DetectOutcome;
  /** The frame of the answer, if it could not be stored. */
  readonly heldFrame: AnsweredFrame | null;
  /** How long it took to store the frame, ms. */
  readonly ms: number;
}

/** Makes a call that carries its files. */
export async function detectFiles(input: StageInput, context: StageContext, body: CallBody): Promise<DetectedFiles> {
  const { region } = input.order;
  const action = input.order.action as CheckName;
  const faceId = { about: 'deployment', dependency: faceIdDependency(action) } as const;
  let heldFrame: AnsweredFrame | null = null;
  let ms = 0;
  const decided = await context.pay(
    async () => ({ body }),
    (turn, signal) => concerning(faceId, () => context.edges.faceId.detect(action, region, turn, signal)),
    async (outcome, { frame }, signal) => {
      if (frame === undefined || input.order.frame.to === 'none') return outcome;
      const startedAt = performance.now();
      try {
        const stored = await storeFrame(input, context, { decided: outcome, frame, signal });
        ms = performance.now() - startedAt;
        return { ...outcome, stored };
      } catch {
        heldFrame = frame;
        return { ...outcome, frameHeld: true }; // the download tries again, and says what is wrong
      }
    },
  );
  return { decided, heldFrame, ms };
}

export function detect(input: StageInput, context: StageContext): Promise<DetectOutcome> {
  const { region, liveness } = input.order;
  const action = input.order.action as CheckName;
  const faceId = { about: 'deployment', dependency: faceIdDependency(action) } as const;
  return context.pay(
    async (callMs) => {
      const links = await readyLinks(input, context, callMs);
      const linksByName = Object.fromEntries(links.map(({ name, link, md5 }) => [name, { link, md5 }]));
      return { links: linksByName, ...(liveness === undefined ? {} : { liveness }) };
    },
    (turn, signal) =>
      concerning(faceId, () => blameNamedLinks(context.edges.faceId.detect(action, region, turn, signal))),
  );

  /**
   * If a link leads to an object that the caller named, a failure may be caused by that object, so the failure is attributed to
   * the caller.
   */
  async function blameNamedLinks<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof Failure) || failureCode(error) !== BAD_LINK) throw error;
      const resources = Object.values(input.outcomes.upload?.resources ?? {});
      throw resources.every((each) => isStaged(each, input, context))
        ? error
        : error.concerning({ ...faceId, about: 'caller' });
    }
  }
}
