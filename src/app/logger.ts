/** The logger of a process: JSON Lines, or readable text on a terminal. Fields that could hold a secret are removed. */
import { createRequire } from 'node:module';
import { type LogFn, type Logger, pino } from 'pino';
import type PinoPretty from 'pino-pretty';
import type { Config } from './config.ts';
import { LogLevel } from './log-level.ts';

const SECRET = new Set(['url', 'link', 'path', 'key', 'secretId', 'secretKey', 'token', 'authorization', 'cause']);
type Child = (this: Logger, fields: pino.Bindings, options?: pino.ChildLoggerOptions) => Logger;
/** Values that are nested deeper are left out. */
const MAX_DEPTH = 4;

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
    formatters: {
      level: (level: string) => ({ level }), // as a word, not as pino's number
      log: withoutSecrets,
    },
    serializers: { err: (error: Error) => withoutSecrets({ ...pino.stdSerializers.err(error) }) },
    base: { mode: config.mode, pid: process.pid },
  };
  if (style !== 'pretty') return withCleanChildren(pino(options, out));
  // Loaded here, because only processes on a terminal need it.
  const pretty: typeof PinoPretty = createRequire(import.meta.url)('pino-pretty');
  const readable = pretty({
    colorize: out.isTTY,
    ignore: 'pid,mode',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    destination: out,
    sync: true,
  });
  return withCleanChildren(pino(options, readable));
}

/** pino calls no formatter for the fields of a child. Children inherit the method. */
function withCleanChildren(log: Logger): Logger {
  const child: Child = log.child;
  const cleanChild: Child = function (this: Logger, fields, options) {
    return child.call(this, withoutSecrets(fields), options);
  };
  return Object.assign(log, { child: cleanChild });
}

/**
 * Removes the fields that could hold a secret, at every depth. pino's own `redact` does this for given paths; with these paths, it was
 * a tenth of what a verify worker allocates.
 */
function withoutSecrets(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return cleaned(fields, 0) as Record<string, unknown>;
}

function cleaned(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return value.map((each) => cleaned(each, depth + 1));
  if (!isPlain(value)) return value; // pino serializes it
  const kept: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) if (!SECRET.has(name)) kept[name] = cleaned(field, depth + 1);
  return kept;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
