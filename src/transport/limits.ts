/**
 * One signal out of several and a time limit. By hand: on Node 20, a signal made by `AbortSignal.any` may be collected, and
 * then never fires, while only its listeners are held; and the sources keep growing lists of their dependants.
 */
export interface Limited {
  readonly signal: AbortSignal;
  /** Fires it now, where it has not fired yet. */
  abort(reason: Error): void;
  /** Lets go of timer and listeners; to be called when the work has ended either way. */
  release(): void;
}

export function limited(signals: readonly AbortSignal[], limitMs: number, reason: () => Error): Limited {
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
