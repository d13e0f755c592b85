/** How far the demo's verifications are: a bar by stage on a terminal, else a line for each end. */
import cliProgress from 'cli-progress';
import { STAGES, type StageName } from '../domain/states.ts';
import type { VerificationView } from '../domain/view.ts';

interface LogLine {
  readonly id?: string;
  readonly stage?: StageName;
}

export class Progress {
  readonly #total: number;
  readonly #at = new Map<string, StageName>();
  readonly #ended = new Set<string>();
  readonly #bar: cliProgress.SingleBar | null;

  constructor(total: number) {
    this.#total = total;
    const format = '{bar} {value}/{total} ended   upload {upload}  md5 {md5}  detect {detect}  download {download}';
    const options = { format, hideCursor: true, stream: process.stderr, barsize: 24 };
    this.#bar = process.stderr.isTTY ? new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic) : null;
    this.#bar?.start(total, 0, this.#counts());
  }

  /** @param line one line of a worker's JSON log: says which stage a verification is in. */
  line(line: string): void {
    let facts: LogLine;
    try {
      facts = JSON.parse(line) as LogLine;
    } catch {
      return; // not a log line: Node's own words, for instance
    }
    const { id, stage } = facts;
    if (id === undefined || stage === undefined || this.#ended.has(id)) return;
    this.#at.set(id, stage);
    this.#bar?.update(this.#ended.size, this.#counts());
  }

  ended({ id, state, decision, reason }: VerificationView): void {
    this.#ended.add(id);
    this.#at.delete(id);
    this.#bar?.update(this.#ended.size, this.#counts());
    if (this.#bar !== null) return;
    const words = [state, ...(decision === null ? [] : [decision]), ...(reason === null ? [] : [reason.code])].join(
      ', ',
    );
    process.stderr.write(`[${this.#ended.size}/${this.#total}] ${id} ${words}\n`);
  }

  stop(): void {
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
