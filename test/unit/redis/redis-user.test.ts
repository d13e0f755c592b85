/**
 * Tests that the Redis user in docs/redis.md may run exactly the commands that are sent by the product or its scripts, on a
 * single server, with Sentinel and in a Cluster.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { documentedUser } from '../../support/redis-user.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Commands that are sent outside scripts, grouped by their sender. */
const DIRECT = {
  'to run scripts and transactions': ['eval', 'evalsha', 'multi', 'exec'],
  'ours: lists, views, sweeper, outbox, waits': [
    ...['exists', 'hdel', 'hget', 'hgetall', 'hlen', 'hscan', 'lrange', 'set', 'subscribe', 'zcount', 'zrange', 'zrem'],
    ...['zrevrange', 'zscan'],
  ],
  'ours: the regions that workers serve': ['time', 'zadd'],
  'ours, for the HTTP API: keys, pages, receipts': [
    ...['get', 'hgetall', 'hmget', 'hset', 'pexpire', 'zadd', 'zcount', 'zrange', 'zrevrangebyscore'],
  ],
  'BullMQ: waiting for a job, worker names, counts for the dashboard': [
    ...['bzpopmin', 'client|setname', 'hexists', 'hmget', 'hset', 'llen', 'smembers', 'zcard', 'zscore'],
  ],
  'ours, for the sessions of the site': [
    'del',
    'hgetall',
    'hset',
    'pexpire',
    'zadd',
    'zrange',
    'zrem',
    'zremrangebyscore',
  ],
  'ours, for the tenants on the site': ['zcard'],
  'for connections and doctor': ['info', 'ping'],
};

/** The BullMQ scripts that are run by workers, producers, the sweeper and the dashboard. */
const BULLMQ_SCRIPTS = [
  ...['moveToActive', 'moveToFinished', 'moveToDelayed', 'moveStalledJobsToWait', 'changePriority', 'extendLocks'],
  ...['retryJob', 'addStandardJob', 'addPrioritizedJob', 'addDelayedJob', 'removeJob', 'getState', 'getStateV2'],
  ...['reprocessJob', 'updateData', 'promote', 'getCounts', 'getRanges', 'getJobs', 'getRateLimitTtl', 'isFinished'],
];

function commandsOfOurScripts(): string[] {
  const dir = join(ROOT, 'src', 'redis', 'scripts');
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
  return files.flatMap((name) => commandsIn(readFileSync(join(dir, name), 'utf8')));
}

function commandsOfBullmq(): string[] {
  const dir = join(ROOT, 'node_modules', 'bullmq', 'dist', 'esm', 'scripts');
  const files = readdirSync(dir).filter((name) => name.endsWith('.js'));
  return BULLMQ_SCRIPTS.flatMap((script) => {
    const file = files.find((name) => name.startsWith(`${script}-`));
    if (file === undefined) throw new Error(`BullMQ no longer has a script ${script}`);
    return commandsIn(readFileSync(join(dir, file), 'utf8'));
  });
}

/** Returns the commands that a script calls directly, and the push commands that it selects through a variable. */
function commandsIn(lua: string): string[] {
  const calls = [...lua.matchAll(/(?:rcall|redis\.p?call)\(\s*["'](\w+)["']/g)];
  return [...calls, ...lua.matchAll(/["'](LPUSH|RPUSH)["']/g)].map(([, name = '']) => name.toLowerCase());
}

it('allows exactly the commands that the product needs', () => {
  const allowed = documentedUser().rules.flatMap((rule) => (rule.startsWith('+') ? [rule.slice(1)] : []));
  expect(commandsOfOurScripts().length).toBeGreaterThan(50);
  const needed = new Set([...Object.values(DIRECT).flat(), ...commandsOfOurScripts(), ...commandsOfBullmq()]);
  expect([...allowed].sort()).toEqual([...needed].sort());
});
