/** A progress bar on stderr. Without a terminal there is none. */
import cliProgress from 'cli-progress';

export interface ProgressBar {
  update(step: string, done: number): void;
  stop(): void;
}

export function startProgress(total: number, step: string): ProgressBar {
  if (process.stderr.isTTY !== true) return { update: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {value}/{total} {step}', noTTYOutput: false, hideCursor: true, stream: process.stderr },
    cliProgress.Presets.rect,
  );
  bar.start(total, 0, { step });
  return { update: (next, done) => bar.update(done, { step: next }), stop: () => bar.stop() };
}
