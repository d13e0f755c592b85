/**
 * Combines several signals and a time limit into one signal.
 *
 * `AbortSignal.any` is avoided for two reasons. On Node 20 a combined signal can be garbage-collected while only its listeners
 * are referenced, and then it never fires. The source signals also accumulate references to their combined signals.
 */
export interface LimitedSignal {
  readonly signal: AbortSignal;
  /** Fires the signal, unless it has fired already. */
  abort(reason: Error): void;
  /** Releases the timer and the listeners. Call it when the work has ended, successfully or not. */
  release(): void;
}

export function limitSignal(signals: readonly AbortSignal[], limitMs: number, reason: () => Error): LimitedSignal {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(reason()), limitMs);
  const listeners = signals.map((signal) => {
    const onAbort = () => controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release() {
      clearTimeout(timer);
      for (const remove of listeners) remove();
    },
  };
}
