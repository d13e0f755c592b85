/** Runs services until SIGTERM or SIGINT, drains them, and returns the exit code of the process. */
import type { Logger } from 'pino';
import { Failure } from '../domain/errors/failure.ts';
import type { Observer } from '../domain/operations/process-metrics.ts';
import type { RedisProbe } from '../redis/probe.ts';
import { checkFiles } from './check-files.ts';
import { type Config, readConfig } from './config.ts';
import { EXIT } from './exit-codes.ts';
import { LogLevel } from './log-level.ts';
import { createLogger } from './logger.ts';
import { openMonitor, type ProcessMonitor } from './monitor.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { openProbe } from './redis.ts';
import type { Running } from './running.ts';
import { startTracing, type Tracing } from './tracing.ts';
import { waitForSignal } from './wait-for-signal.ts';
import { watchRedis } from './watch-redis.ts';

export type OpenService = (config: Config, log: Logger, observer?: Observer) => Promise<Running>;

/**
 * Resolves with the exit code. A wedged worker counts as a signal, and so does a reader of the output that went away. A second signal
 * ends the process at once. If the parent opened an IPC channel, `ready` is sent over it after the start, and a closed channel (the
 * parent died) counts as a signal.
 *
 * @param name name of the process in traces
 */
export async function runUntilSignal(
  name: string,
  openers: readonly OpenService[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  let config: Config;
  let log: Logger;
  let monitor: ProcessMonitor | undefined;
  let tracing: Tracing | undefined;
  let probe: RedisProbe | undefined;
  const running: Running[] = [];
  // The handlers are installed before anything starts: a signal without a handler kills the process outright.
  const signalled = waitForSignal();
  let isStarting = true;
  signalled.then(() => isStarting && process.exit(EXIT.ok)); // During the start there is no work to drain.
  try {
    config = readConfig(env);
    const level = new LogLevel(config.logLevel);
    log = createLogger(config, process.stderr, level);
    toggleDebugOnSignal(level, log);
    for (const warning of config.warnings) log.warn({ event: 'setting_ignored' }, warning);
    await checkFiles(config);
    tracing = await startTracing(config.tracing, name, log);
    const { registry, observer } = createProcessMetrics(config.metricsTenants);
    probe = openProbe(config);
    monitor = await openMonitor(config, { registry, log, probe });
    for (const open of openers) running.push(await open(config, log, observer));
  } catch (error) {
    await Promise.all(running.map((each) => each.stop(0)));
    await monitor?.close();
    await tracing?.close();
    probe?.close();
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.code}: ${error.message}\n`);
    return EXIT.badInput;
  }
  isStarting = false;
  monitor.started(running);
  const stopWatch = watchRedis(probe, log);
  process.send?.('ready');
  const failures = running.flatMap(({ failed }) =>
    failed === undefined ? [] : [failed.then(() => 'wedged' as const)],
  );
  const signal = await Promise.race([signalled, ...failures]);
  monitor.draining();
  log.info(
    { event: 'draining', signal, drainMs: config.drainMs },
    `${signal}: accepting no more work, waiting for running work`,
  );
  const drained = await Promise.all(running.map((each) => each.stop(config.drainMs)));
  stopWatch();
  await monitor.close();
  await tracing.close();
  probe.close();
  const clean = drained.every(Boolean);
  log.info(
    { event: 'stopped', drained: clean },
    clean ? 'stopped, all work finished' : 'stopped, unfinished work resumes when its lease expires',
  );
  if (signal === 'wedged') return EXIT.wedged;
  return clean ? EXIT.ok : EXIT.notDrained;
}

/** SIGUSR2 switches the log to debug, and back. */
function toggleDebugOnSignal(level: LogLevel, log: Logger): void {
  process.on('SIGUSR2', () => {
    const wasDebug = level.isDebug;
    if (!wasDebug) level.toggleDebug();
    const logLevel = wasDebug ? level.configured : 'debug';
    log.info({ event: 'log_level', logLevel }, `SIGUSR2: the log level is now ${logLevel}`); // seen at debug, whatever is configured
    if (wasDebug) level.toggleDebug();
  });
}
