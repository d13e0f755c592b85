/** How far the demo's verifications are, by the workers' own log lines: a bar on a terminal, else a line for each end. */
import cliProgress from 'cli-progress';
import { STAGES, type StageName } from '../domain/states.ts';

interface LogLine {
  readonly id?: string;
  readonly stage?: StageName;
  readonly event?: string;
  readonly state?: string;
  readonly decision?: string | null;
  readonly code?: string | null;
}

export class Progress {
  readonly #total: number;
  readonly #at = new Map<string, StageName | 'ended'>();
  readonly #bar: cliProgress.SingleBar | null;
  #ended = 0;
  #done = false;

  constructor(total: number) {
    this.#total = total;
    const format = '{bar} {value}/{total} ended   upload {upload}  md5 {md5}  detect {detect}  download {download}';
    const options = { format, hideCursor: true, stream: process.stderr, barsize: 24 };
    this.#bar = process.stderr.isTTY ? new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic) : null;
    this.#bar?.start(total, 0, this.#counts());
  }

  /** @param line one line of a worker's JSON log. */
  line(line: string): void {
    let facts: LogLine;
    try {
      facts = JSON.parse(line) as LogLine;
    } catch {
      return; // not a log line: Node's own words, for instance
    }
    const { id, stage, event } = facts;
    if (this.#done || id === undefined || this.#at.get(id) === 'ended') return;
    if (event === 'ended') {
      this.#at.set(id, 'ended');
      this.#ended += 1;
      if (this.#bar === null)
        process.stderr.write(
          `[${this.#ended}/${this.#total}] ${id} ${facts.state}${facts.decision ? `: ${facts.decision}` : ''}${facts.code ? ` (${facts.code})` : ''}\n`,
        );
    } else if (stage !== undefined) this.#at.set(id, stage);
    this.#bar?.update(this.#ended, this.#counts());
  }

  /** All have ended, whatever log lines are still on their way. */
  finish(): void {
    if (!this.#done) this.#bar?.update(this.#total, Object.fromEntries(STAGES.map((stage) => [stage, 0])));
    this.stop();
  }

  stop(): void {
    this.#done = true;
    this.#bar?.stop();
  }

  #counts(): Record<StageName, number> {
    const at = [...this.#at.values()];
    return Object.fromEntries(STAGES.map((stage) => [stage, at.filter((each) => each === stage).length])) as Record<
      StageName,
      number
    >;
  }
}
