import { setTimeout as wait } from 'node:timers/promises';

/** Sleeps. @throws the signal's reason, not Node's AbortError. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms <= 0) return;
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
