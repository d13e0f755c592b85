/** Waits for the end of a process that runs until it is told to stop. */
import { onClosedOutput } from './closed-output.ts';

/**
 * Two signals within this time count as one. A signal to the whole process group (Ctrl-C) arrives twice: once from the kernel,
 * and once from the parent process, which forwards it.
 */
const REPEAT_MS = 1_000;

export function waitForSignal(): Promise<string> {
  return new Promise((resolve) => {
    const done = (signal: string) => {
      resolve(signal);
      setTimeout(() => {
        process.off('SIGTERM', done);
        process.off('SIGINT', done);
      }, REPEAT_MS).unref();
      process.off('disconnect', abandoned);
    };
    const abandoned = () => done('abandoned');
    process.on('SIGTERM', done);
    process.on('SIGINT', done);
    onClosedOutput(() => done('EPIPE'));
    if (process.connected) {
      process.on('disconnect', abandoned);
      process.channel?.unref(); // Listening for the disconnect must not keep a finished process alive.
    }
  });
}
