/** The logger of a process: JSON Lines, or readable text on a terminal. Fields that could hold a secret are removed. */
import { type Logger, pino } from 'pino';
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
    level: style === 'silent' ? 'silent' : 'debug', // `level` drops lines, because a child of a pino logger keeps its level
    formatters: { level: (level: string) => ({ level }) }, // as a word, not as pino's number
    base: { mode: config.mode, pid: process.pid },
    redact: { paths: REDACTED.flatMap((field) => [field, `*.${field}`]), remove: true },
  };
  if (style !== 'pretty') return pino(options, level.filter(out));
  return pino(
    options,
    level.filter(
      pretty({
        colorize: out.isTTY,
        ignore: 'pid,mode',
        singleLine: true,
        translateTime: 'SYS:HH:MM:ss.l',
        destination: out,
        sync: true,
      }),
    ),
  );
}
