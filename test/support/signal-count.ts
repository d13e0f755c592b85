/** Counts the AbortSignals that are made in this process. */
export interface SignalCount {
  /** How many were made since the start. */
  readonly made: number;
  stop(): void;
}

export function countSignals(): SignalCount {
  const { AbortController: Original } = globalThis;
  const { any, timeout } = AbortSignal;
  let made = 0;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      made += 1;
    }
  };
  AbortSignal.any = (signals) => {
    made += 1;
    return any.call(AbortSignal, signals);
  };
  AbortSignal.timeout = (ms) => {
    made += 1;
    return timeout.call(AbortSignal, ms);
  };
  return {
    get made() {
      return made;
    },
    stop() {
      globalThis.AbortController = Original;
      Object.assign(AbortSignal, { any, timeout });
    },
  };
}
