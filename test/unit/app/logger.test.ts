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

it('removes fields that could hold a secret, at every depth, also from errors and from the fields of a child', () => {
  const out = new PassThrough();
  const log = loggerTo(out);
  const error = Object.assign(new TypeError('no answer'), { token: 'secret', command: { name: 'get', key: 'secret' } });
  log.info({ token: 'secret', request: { link: 'secret', bytes: 7, parts: [{ url: 'secret', part: 1 }] } }, 'read');
  log.child({ id: 'v1', path: 'secret' }).error({ err: error }, 'failed');
  const lines = linesOf(out);
  expect(lines).toMatchObject([
    { msg: 'read', mode: 'test', request: { bytes: 7, parts: [{ part: 1 }] } },
    { id: 'v1', err: { type: 'TypeError', message: 'no answer', command: { name: 'get' } } },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

it('logs an error whose fields refer to one another', () => {
  const out = new PassThrough();
  const peer: Record<string, unknown> = { name: 'peer' };
  peer.self = peer;
  loggerTo(out).error({ err: Object.assign(new Error('circular'), { peer }) }, 'failed');
  expect(linesOf(out)).toMatchObject([
    { err: { message: 'circular', peer: { name: 'peer', self: { name: 'peer' } } } },
  ]);
});
