/** Measures the calls to FaceID, and traces them, from the slot of a call to its answer. */
import { Failure } from '../domain/errors/failure.ts';
import { classify } from '../domain/errors/index.ts';
import type { Observer } from '../domain/operations/process-metrics.ts';
import { NO_TRACER, type Span, type SpanFacts } from '../domain/operations/tracing.ts';
import type { FaceId, Turn } from '../domain/ports.ts';
import { OPINION_CALL } from '../domain/verification/actions.ts';
import { FLOWS } from '../domain/verification/flows.ts';
import type { Region } from '../domain/verification/regions.ts';

export function observeVendor(faceId: FaceId, observer: Observer, tracer = NO_TRACER): FaceId {
  /** Measures a call. A call that was never sent is left out. */
  async function measured<T extends Turn, Answer extends { readonly requestId: string | null }>(
    { region, action }: { region: Region; action: string },
    turn: () => Promise<T>,
    call: (turn: () => Promise<T>) => Promise<Answer>,
  ): Promise<Answer> {
    let sentAt: number | null = null;
    let span: Span | null = null;
    const noted = async () => {
      const taken = await turn();
      sentAt = performance.now();
      span = tracer.begin(action, { kind: 'client', facts: { region, action } });
      return taken;
    };
    let failure: Failure | null = null;
    try {
      const answer = await call(noted);
      endSpan(span, { requestId: answer.requestId });
      return answer;
    } catch (error) {
      endSpan(span, {}, error);
      if (error instanceof Failure) failure = error;
      else sentAt = null; // no answer of the vendor, and no failure to reach it
      throw error;
    } finally {
      if (sentAt !== null && failure?.sent !== 'no') {
        const result = failure === null ? 'ok' : classify(failure).class;
        observer.measure('vendorCall', { region, action, result }, performance.now() - sentAt);
      }
    }
  }

  function endSpan(span: Span | null, facts: SpanFacts, error?: unknown): void {
    span?.note(facts);
    span?.end(error);
  }

  return {
    createUploadUrl: (action, region, turn, signal) =>
      measured({ region, action: 'CreateUploadUrl' }, turn, (noted) =>
        faceId.createUploadUrl(action, region, noted, signal),
      ),
    detect: (action, region, turn, signal) =>
      measured({ region, action }, turn, (noted) => faceId.detect(action, region, noted, signal)),
    secondOpinion: (region, turn, signal) =>
      measured({ region, action: OPINION_CALL }, turn, (noted) => faceId.secondOpinion(region, noted, signal)),
    startFlow: (flow, region, turn, signal) =>
      measured({ region, action: flow }, turn, (noted) => faceId.startFlow(flow, region, noted, signal)),
    flowResult: (session, turn, signal) =>
      measured({ region: session.region, action: FLOWS[session.flow].resultCall }, turn, (noted) =>
        faceId.flowResult(session, noted, signal),
      ),
    prepareCall: (signal) => faceId.prepareCall(signal),
    forgetCall: (signal) => faceId.forgetCall(signal),
    generateSequence: (region, input, turn, signal) =>
      measured({ region, action: 'GenerateReflectSequence' }, turn, (noted) =>
        faceId.generateSequence(region, input, noted, signal),
      ),
  };
}
