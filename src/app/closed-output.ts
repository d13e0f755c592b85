/** What a process does when the reader of its stdout or stderr goes away: by default Node ends it with a stack trace. */

/** 128 + SIGPIPE, as a shell reports other programs that end for this reason. */
const BROKEN_PIPE = 141;

let react: (() => void) | undefined;

/** For a command: ends the process without a word. A command that runs until a signal replaces this with `onClosedOutput`. */
export function endOnClosedOutput(): void {
  onClosedOutput(() => process.exit(BROKEN_PIPE));
}

/** Replaces what happens. It may happen several times, because each later write fails, too. */
export function onClosedOutput(reaction: () => void): void {
  const isFirst = react === undefined;
  react = reaction;
  if (!isFirst) return;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      react?.();
    });
  }
}
