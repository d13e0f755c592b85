/** Waiting in place for a decision: until it is there, the time is up, the client has gone, or the process stops. */
import type { FastifyReply } from 'fastify';
import { isEnough } from '../client/bestframe.ts';
import type { BestframeClient } from '../client/client.ts';
import type { VerificationView } from '../domain/view.ts';

/** Whether the caller has what it waits for. */
export function isAnswered(view: VerificationView): boolean {
  return isEnough(view, 'decided');
}

/** @returns what is known then; null where there is no such verification. */
export async function waitFor(
  client: BestframeClient,
  id: string,
  seconds: number,
  reply: FastifyReply,
  closing: AbortSignal,
): Promise<VerificationView | null> {
  if (seconds === 0) return client.get(id);
  const signal = AbortSignal.any([closing, goneSignal(reply)]);
  try {
    return await client.wait(id, { timeoutMs: seconds * 1_000, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    return client.get(id);
  }
}

/** Aborts where the client hangs up before it was answered. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
