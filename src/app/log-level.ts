/** The lowest level that a process logs. It can change while the process runs, also for loggers that exist already. */
import { pino } from 'pino';

export class LogLevel {
  readonly configured: string;
  #isDebug = false;

  constructor(configured: string) {
    this.configured = configured;
  }

  /** Whether `toggleDebug` switched to debug. */
  get isDebug(): boolean {
    return this.#isDebug;
  }

  /** Switches to debug, and at the next call back. */
  toggleDebug(): void {
    this.#isDebug = !this.#isDebug;
  }

  /** @param level as pino's number */
  covers(level: number): boolean {
    return level >= (pino.levels.values[this.#isDebug ? 'debug' : this.configured] ?? 0);
  }
}
