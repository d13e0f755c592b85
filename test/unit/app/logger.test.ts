import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { LogLevel } from '../../../src/app/log-level.ts';
import { createLogger } from '../../../src/app/logger.ts';

function loggerTo(out: PassThrough, level = new LogLevel('info')) {
  return createLogger({ log: 'json', logLevel: 'info', mode: 'test' }, out as unknown as NodeJS.WriteStream, level);
}

function linesOf(out: PassThrough): Record<string, unknown>[] {
  const lines = String(out.read() ?? '').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

it('makes no line that is below the level', () => {
  let made = 0;
  const facts = { toJSON: () => ({ made: ++made }) };
  const out = new PassThrough();
  const log = loggerTo(out);
  log.debug({ facts }, 'dropped');
  expect(made).toBe(0);
  log.info({ facts }, 'kept');
  expect(linesOf(out)).toMatchObject([{ level: 'info', facts: { made: 1 }, msg: 'kept' }]);
});

it('changes the level of loggers that exist', () => {
  const out = new PassThrough();
  const level = new LogLevel('info');
  const child = loggerTo(out, level).child({ id: 'v1' });
  for (const msg of ['dropped', 'kept', 'dropped again']) {
    child.debug(msg);
    level.toggleDebug();
  }
  expect(linesOf(out)).toMatchObject([{ level: 'debug', id: 'v1', msg: 'kept' }]);
});

it('removes fields that could hold a secret', () => {
  const out = new PassThrough();
  loggerTo(out).info({ token: 'secret', request: { link: 'secret', bytes: 7 } }, 'read');
  const [line] = linesOf(out);
  expect(line).toMatchObject({ request: { bytes: 7 } });
  expect(JSON.stringify(line)).not.toContain('secret');
});
