import { expect, it } from 'vitest';
import { isNotNow } from '../../../src/redis/connection.ts';

it.each([
  "READONLY You can't write against a read only replica.",
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'CLUSTERDOWN Hash slot not served',
  'NOREPLICAS Not enough good replicas to write.',
  "OOM command not allowed when used memory > 'maxmemory'.",
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  'ERR max number of clients reached',
  'NOAUTH Authentication required.',
  'WRONGPASS invalid username-password pair or user is disabled.',
  "NOPERM User bestframe has no permissions to run the 'evalsha' command",
])('"%s" is a temporary refusal, so the command is repeated', (message) => {
  expect(isNotNow(new Error(message))).toBe(true);
});

it.each([
  'BUSYGROUP Consumer Group name already exists',
  'WRONGTYPE Operation against a key holding the wrong kind of value',
  'ERR user_script:3: attempt to compare nil with number',
  'Connection is closed.',
])('"%s" is not a temporary refusal', (message) => {
  expect(isNotNow(new Error(message))).toBe(false);
});
