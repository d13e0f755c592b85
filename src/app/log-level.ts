/** The lowest level that a process logs. It can change while the process runs, also for loggers that exist already. */
import { pino } from 'pino';

/** Where pino says which level a line has. It sets `lastLevel` before each `write` on a stream with this property. */
const METADATA = Symbol.for('pino.metadata');

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

  /** Wraps a stream: lines below the level are dropped. */
  filter(out: NodeJS.WritableStream) {
    const lowest = () => pino.levels.values[this.#isDebug ? 'debug' : this.configured] ?? 0;
    return {
      [METADATA]: true,
      lastLevel: 0,
      write(line: string): void {
        if (this.lastLevel >= lowest()) out.write(line);
      },
    };
  }
}
