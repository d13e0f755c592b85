/** A progress line on stderr: rewritten on a terminal, repeated every ten seconds elsewhere. */

interface At {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
}

const TERMINAL_MS = 200;
const FILE_MS = 10_000;

export class Progress {
  readonly #running = new Map<string, At>();
  readonly #startedAt = performance.now();
  #finished = 0;
  #scenarios = 0;
  #shownAt = 0;

  show(scenario: string, at: At): void {
    this.#running.set(scenario, at);
    const now = performance.now();
    if (now - this.#shownAt < (process.stderr.isTTY ? TERMINAL_MS : FILE_MS)) return;
    this.#shownAt = now;
    const all = [...this.#running.values()];
    const states = this.#finished + all.reduce((sum, each) => sum + each.states, 0);
    const perSecond = Math.round(states / ((now - this.#startedAt) / 1_000));
    const depth = Math.max(...all.map((each) => each.depth));
    const names = [...this.#running.keys()].join('; ');
    const line = `${this.#scenarios} done, ${states} states, ${perSecond} states/s, depth ${depth}: ${names}`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end(scenario: string): void {
    this.#finished += this.#running.get(scenario)?.states ?? 0;
    this.#scenarios += 1;
    this.#running.delete(scenario);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}
