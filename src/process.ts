/** How a worker process lives: starts what it is given, drains on SIGTERM or SIGINT, and says by its exit code how that went. */
import type { Logger } from 'pino';
import type { Running } from './compose.ts';
import { type Config, checkFiles, readConfig } from './config.ts';
import { Failure } from './domain/failure.ts';
import { createLogger } from './logger.ts';

export type Open = (config: Config, log: Logger) => Promise<Running>;

export const EXIT = { ok: 0, failed: 1, badInput: 2, notDrained: 3 } as const;

/**
 * Runs until a signal; resolves with the exit code. A second signal ends it at once. Under a parent with a channel it says
 * `ready` there, and a channel that closes (the parent died) counts as a signal.
 */
export async function runUntilSignal(
  opens: readonly Open[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  let config: Config;
  let log: Logger;
  const running: Running[] = [];
  // From the first moment on: a signal must not find the process without a handler, and kill it outright.
  const signalled = untilSignal();
  let early = true;
  signalled.then(() => early && process.exit(EXIT.ok)); // while it starts there is nothing to finish
  try {
    config = readConfig(env);
    log = createLogger(config, process.stderr);
    await checkFiles(config);
    for (const open of opens) running.push(await open(config, log));
  } catch (error) {
    await Promise.all(running.map((each) => each.stop(0)));
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.code}: ${error.message}\n`);
    return EXIT.badInput;
  }
  early = false;
  process.send?.('ready');
  const signal = await signalled;
  log.info({ event: 'draining', signal, drainMs: config.drainMs }, `${signal}: taking no more, finishing what runs`);
  const drained = await Promise.all(running.map((each) => each.stop(config.drainMs)));
  const clean = drained.every(Boolean);
  log.info(
    { event: 'stopped', drained: clean },
    clean ? 'stopped; nothing was left running' : 'stopped; what was left comes back by its lease',
  );
  return clean ? EXIT.ok : EXIT.notDrained;
}

/** A signal that reaches a whole process group comes once from the kernel and once from our parent: that is one, not two. */
const REPEAT_MS = 1_000;

export function untilSignal(): Promise<string> {
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
    if (process.connected) {
      process.on('disconnect', abandoned);
      process.channel?.unref(); // to hear of its end must not keep a process that is done
    }
  });
}
