/** Waits within a request until there is a decision, the time is up, the client disconnects or the process stops. */
import type { FastifyReply } from 'fastify';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { VerificationView } from '../../domain/verification/view.ts';

export interface Wait {
  readonly seconds: number;
  readonly reply: FastifyReply;
  /** Aborts when the process stops. */
  readonly closing: AbortSignal;
}

/** @returns the verification after the wait, or null if it does not exist. */
export async function waitForDecision(
  client: BestframeClient,
  id: string,
  { seconds, reply, closing }: Wait,
): Promise<VerificationView | null> {
  if (seconds === 0) return client.get(id);
  const signal = AbortSignal.any([closing, disconnectSignal(reply)]);
  try {
    return await client.wait(id, { timeoutMs: seconds * 1_000, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    return client.get(id);
  }
}

/** Aborts if the client disconnects before the answer is complete. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
