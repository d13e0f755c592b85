/**
 * The health of the machine on which a worker runs. A fault of the machine takes its worker out of service, and counts against no
 * verification: the worker passes its work to other workers, accepts no new work, and resumes once its probes succeed.
 *
 * What must hold:
 * 1. A failure is blamed on the machine only if a probe confirms it. So one caller's bad file or host never stops a worker.
 * 2. A probe that hangs counts as failed, and is not started a second time while it hangs.
 */
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import { type CODES, classify } from '../domain/errors/index.ts';
import { sleep } from './sleep.ts';

/** Checks one property of the machine. */
export interface MachineProbe {
  /** Whether the fault that this probe detects may have caused the failure. */
  explains(failure: Failure): boolean;
  /**
   * @param suspected true if a verification met this fault, or if the last round of probes found it. The probe is then thorough.
   */
  run(suspected: boolean, signal: AbortSignal): Promise<void>;
  /** The failure that is reported while the probe hangs. */
  readonly hanging: Failure;
}

export interface MachineOptions {
  readonly probes: readonly MachineProbe[];
  readonly log: Logger;
  /** Called after each round of probes and by `Machine.report`, with the current fault. */
  report(fault: Failure | null, since: number): Promise<void>;
  /** Time between two rounds of probes. Default 5,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;
/** Time between two rounds of probes while the machine is out of service. */
const CURE_MS = 1_000;
const PROBE_LIMIT_MS = 5_000;

type Listener = (fault: Failure | null) => void;

export class Machine {
  readonly #options: MachineOptions;
  readonly #listeners = new Set<Listener>();
  readonly #hanging = new Set<MachineProbe>();
  readonly #stopped = new AbortController();
  #fault: Failure | null = null;
  #since = Date.now();
  #checking: Promise<void> | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  /** What is wrong with this machine; null while it is in service. */
  get fault(): Failure | null {
    return this.#fault;
  }

  /** The listener is called at every change, and immediately if there is a fault now. */
  subscribe(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.#fault !== null) listener(this.#fault);
  }

  /** Probes once before the promise resolves, and from then on periodically. */
  async start(): Promise<void> {
    await this.#check(null);
    this.#loop = this.#probePeriodically();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    await this.#checking;
  }

  /** @returns the fault of this machine that caused the failure; null if the machine is not the cause. */
  async blame(failure: Failure): Promise<Failure | null> {
    const { probes } = this.#options;
    if (!probes.some((probe) => probe.explains(failure))) return null;
    await this.#checking; // a running round may have begun before the failure, and then proves nothing
    if (this.#fault === null) await this.#check(failure);
    return this.#fault;
  }

  async #probePeriodically(): Promise<void> {
    const { everyMs = EVERY_MS } = this.#options;
    for (;;) {
      try {
        await sleep(this.#fault === null ? everyMs : Math.min(CURE_MS, everyMs), this.#stopped.signal);
      } catch {
        return; // stopped
      }
      await this.#check(null);
    }
  }

  /** Runs a round of probes, or joins the round that is already running. */
  #check(suspect: Failure | null): Promise<void> {
    this.#checking ??= this.#probeAll(suspect).finally(() => {
      this.#checking = null;
    });
    return this.#checking;
  }

  async #probeAll(suspect: Failure | null): Promise<void> {
    let found: Failure | null = null;
    for (const probe of this.#options.probes) {
      const suspected = [suspect, this.#fault].some((failure) => failure !== null && probe.explains(failure));
      found ??= await this.#probe(probe, suspected);
    }
    this.#change(found);
    await this.report();
  }

  /** Reports the current state. This also happens after each round of probes. Never rejects. */
  async report(): Promise<void> {
    await this.#options.report(this.#fault, this.#since).catch((error: unknown) => {
      const name = error instanceof Error ? error.name : 'unknown';
      this.#options.log.debug({ event: 'beat_failed', error: name }, 'the state of this worker could not be written');
    });
  }

  async #probe(probe: MachineProbe, suspected: boolean): Promise<Failure | null> {
    if (this.#hanging.has(probe)) return probe.hanging;
    this.#hanging.add(probe);
    const limit = AbortSignal.timeout(PROBE_LIMIT_MS);
    const hangs = new Promise<Failure>((resolve) => limit.addEventListener('abort', () => resolve(probe.hanging)));
    const ends = probe
      .run(suspected, limit)
      .then(
        () => null,
        (error: unknown) => asFault(error, probe),
      )
      .finally(() => this.#hanging.delete(probe));
    return Promise.race([ends, hangs]);
  }

  #change(found: Failure | null): void {
    const before = this.#fault;
    this.#fault = found;
    if (before?.code === found?.code) return;
    this.#since = Date.now();
    const { log } = this.#options;
    if (found === null) log.info({ event: 'machine_ready' }, 'this machine is in order again: taking work');
    else {
      const facts = { event: 'machine_fault', code: found.code };
      log.error(facts, `out of service: ${found.message}; work goes to other workers until this is mended`);
    }
    for (const listener of this.#listeners) listener(found);
  }
}

function asFault(error: unknown, probe: MachineProbe): Failure {
  return error instanceof Failure && classify(error).class === 'machine' ? error : probe.hanging;
}

/** Returns a function that checks whether a failure has one of these codes. */
export function hasCode(...codes: readonly (keyof typeof CODES)[]): (failure: Failure) => boolean {
  const all: ReadonlySet<string> = new Set(codes);
  return ({ code }) => all.has(code);
}
