import { describe, expect, it } from 'vitest';
import { localFailure } from '../../../src/domain/errors/failure.ts';
import { CODES } from '../../../src/domain/errors/index.ts';
import { redisFailure } from '../../../src/redis/connection.ts';
import { redisTrouble, redisTroubleOf } from '../../../src/redis/trouble.ts';

function error(message: string, name = 'Error', more: object = {}): Error {
  return Object.assign(new Error(message), { name, ...more });
}

const ANSWERS = [
  ["READONLY You can't write against a read only replica.", 'is a replica'],
  ['LOADING Redis is loading the dataset in memory', 'loading its data'],
  ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'busy with a script'],
  ['CLUSTERDOWN Hash slot not served', 'no primary'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'out of memory'],
  ['MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.', 'its disk'],
  ['ERR max number of clients reached', 'no more connections'],
  ['NOAUTH Authentication required.', 'the password'],
  ['DENIED Redis is running in protected mode because protected mode is enabled', 'in protected mode'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'the password'],
] as const;

describe.each(ANSWERS)('the answer "%s"', (message, words) => {
  const answered = error(message, 'ReplyError');

  it.each([
    ['of a command', answered],
    ['as the cause of a Failure', redisFailure(answered)],
    [
      'of the last node of a Cluster',
      error('Failed to refresh slots cache.', 'ClusterAllFailedError', { lastNodeError: answered }),
    ],
  ])('%s is named in words', (_where, thrown) => {
    expect(redisTrouble(thrown)).toContain(words);
    expect(redisTroubleOf(thrown)).toBe(redisTrouble(thrown));
  });
});

it.each([
  error('connect ECONNREFUSED 10.0.0.7:6379', 'Error', { syscall: 'connect', code: 'ECONNREFUSED' }),
  error('read ECONNRESET', 'Error', { syscall: 'read', code: 'ECONNRESET' }),
  error('Reached the max retries per request limit (which is 1).', 'MaxRetriesPerRequestError'),
  error('Connection is closed.'),
  error('Command timed out'),
  error("Stream isn't writeable and enableOfflineQueue options is false"),
])('$message means that Redis cannot be reached, and the address is not shown', (thrown) => {
  expect(redisTroubleOf(thrown)).toContain('cannot be reached');
  expect(redisTroubleOf(thrown)).not.toContain('10.0.0.7');
});

it('a Redis that closes connections may be in protected mode', () => {
  for (const code of ['EPIPE', 'ECONNRESET'])
    expect(redisTroubleOf(error(`write ${code}`, 'Error', { syscall: 'write', code }))).toContain('protected mode');
});

it.each([
  error('WRONGTYPE Operation against a key holding the wrong kind of value', 'ReplyError'),
  error('ERR user_script:3: attempt to compare nil with number', 'ReplyError'),
  new TypeError('x is not a function'),
  localFailure(CODES.SEAL_KEY_MISSING, 'a key is missing'),
  'a text',
  undefined,
])('an error that is no trouble with Redis has no words: %s', (thrown) => {
  expect(redisTroubleOf(thrown)).toBeNull();
});
