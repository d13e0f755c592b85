/** Shows the progress of the demo: on a terminal a bar with the stages, else one line for each verification that ended. */
import cliProgress from 'cli-progress';
import { STAGES, type StageName } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';

/** In `await`, no worker works, so no log line names it. */
const SHOWN = STAGES.filter((stage) => stage !== 'await');

interface LogLine {
  readonly id?: string;
  readonly stage?: StageName;
}

export class Progress {
  readonly #total: number;
  readonly #stages = new Map<string, StageName>();
  readonly #ended = new Set<string>();
  readonly #bar: cliProgress.SingleBar | null;

  constructor(total: number) {
    this.#total = total;
    const format = `{bar} {value}/{total} ended   ${SHOWN.map((stage) => `${stage} {${stage}}`).join('  ')}`;
    const options = { format, hideCursor: true, stream: process.stderr, barsize: 24 };
    this.#bar = process.stderr.isTTY ? new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic) : null;
    this.#bar?.start(total, 0, this.#counts());
  }

  /** Reads the current stage of a verification from a line of a worker's JSON log. */
  readLogLine(line: string): void {
    let facts: LogLine;
    try {
      facts = JSON.parse(line) as LogLine;
    } catch {
      return; // The line is not part of the log, for example a warning that Node prints.
    }
    const { id, stage } = facts;
    if (id === undefined || stage === undefined || this.#ended.has(id)) return;
    this.#stages.set(id, stage);
    this.#bar?.update(this.#ended.size, this.#counts());
  }

  recordEnd({ id, state, decision, reason }: VerificationView): void {
    this.#ended.add(id);
    this.#stages.delete(id);
    this.#bar?.update(this.#ended.size, this.#counts());
    if (this.#bar !== null) return;
    const outcome = [state, ...(decision === null ? [] : [decision]), ...(reason === null ? [] : [reason.code])].join(
      ', ',
    );
    process.stderr.write(`[${this.#ended.size}/${this.#total}] ${id} ${outcome}\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }

  #counts(): Record<StageName, number> {
    const stages = [...this.#stages.values()];
    return Object.fromEntries(STAGES.map((stage) => [stage, stages.filter((each) => each === stage).length])) as Record<
      StageName,
      number
    >;
  }
}
