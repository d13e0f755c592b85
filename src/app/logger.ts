/** The logger of a process: JSON Lines, or readable text on a terminal. Fields that could hold a secret are removed. */
import { type LogFn, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';
import { LogLevel } from './log-level.ts';

const REDACTED = ['url', 'link', 'path', 'key', 'secretId', 'secretKey', 'token', 'authorization', 'cause'];

/** @param level may change later. */
export function createLogger(
  config: Pick<Config, 'log' | 'logLevel' | 'mode'>,
  out: NodeJS.WriteStream,
  level = new LogLevel(config.logLevel),
): Logger {
  const style = config.log ?? (out.isTTY ? 'pretty' : 'json');
  const options = {
    level: style === 'silent' ? 'silent' : 'debug', // the hook drops lines, because a child of a pino logger keeps its level
    hooks: {
      // Before the line is made: to make and redact one takes tens of microseconds.
      logMethod(this: Logger, args: Parameters<LogFn>, log: LogFn, ofLine: number) {
        if (level.covers(ofLine)) log.apply(this, args);
      },
    },
    formatters: { level: (level: string) => ({ level }) }, // as a word, not as pino's number
    base: { mode: config.mode, pid: process.pid },
    redact: { paths: REDACTED.flatMap((field) => [field, `*.${field}`]), remove: true },
  };
  if (style !== 'pretty') return pino(options, out);
  return pino(
    options,
    pretty({
      colorize: out.isTTY,
      ignore: 'pid,mode',
      singleLine: true,
      translateTime: 'SYS:HH:MM:ss.l',
      destination: out,
      sync: true,
    }),
  );
}
