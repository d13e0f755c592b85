/** The user that docs/redis.md shows may run what the product runs on any of its ways, and no more. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { documentedUser } from '../../support/redis-user.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Beside scripts, and not in the list of a Cluster. */
const DIRECT = {
  'scripts, and commands that go together': ['eval', 'evalsha', 'multi', 'exec'],
  'of ours: list, view, sweeper, outbox, waiting': [
    ...['exists', 'hdel', 'hget', 'hgetall', 'hlen', 'hscan', 'lrange', 'set', 'subscribe', 'zcount', 'zrange', 'zrem'],
    ...['zrevrange', 'zscan'],
  ],
  'of the HTTP API: keys, pages, receipts': [
    ...['get', 'hgetall', 'hmget', 'hset', 'pexpire', 'zadd', 'zrange', 'zrevrangebyscore'],
  ],
  'of BullMQ: waiting for a job, its worker’s name, the dashboard’s counts': [
    ...['bzpopmin', 'client|setname', 'hexists', 'hmget', 'hset', 'llen', 'smembers', 'zcard', 'zscore'],
  ],
  'the connection itself, and doctor': ['info', 'ping'],
};

/** Of BullMQ, by what is done with it: workers, producers, sweeper, dashboard. */
const BULLMQ = [
  ...['moveToActive', 'moveToFinished', 'moveToDelayed', 'moveStalledJobsToWait', 'changePriority', 'extendLocks'],
  ...['retryJob', 'addStandardJob', 'addPrioritizedJob', 'addDelayedJob', 'removeJob', 'getState', 'getStateV2'],
  ...['reprocessJob', 'updateData', 'promote', 'getCounts', 'getRanges', 'getJobs', 'getRateLimitTtl', 'isFinished'],
];

function ours(): string[] {
  const dir = join(ROOT, 'src', 'queue', 'lua');
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
  return files.flatMap((name) => commandsIn(readFileSync(join(dir, name), 'utf8')));
}

function bullmqs(): string[] {
  const dir = join(ROOT, 'node_modules', 'bullmq', 'dist', 'esm', 'scripts');
  const files = readdirSync(dir).filter((name) => name.endsWith('.js'));
  return BULLMQ.flatMap((script) => {
    const file = files.find((name) => name.startsWith(`${script}-`));
    if (file === undefined) throw new Error(`BullMQ has no script ${script} any more`);
    return commandsIn(readFileSync(join(dir, file), 'utf8'));
  });
}

/** Named in the call, or chosen before it. */
function commandsIn(lua: string): string[] {
  const calls = [...lua.matchAll(/(?:rcall|redis\.p?call)\(\s*["'](\w+)["']/g)];
  return [...calls, ...lua.matchAll(/["'](LPUSH|RPUSH)["']/g)].map(([, name = '']) => name.toLowerCase());
}

it('no command is missing, and none is too many', () => {
  const allowed = documentedUser().rules.flatMap((rule) => (rule.startsWith('+') ? [rule.slice(1)] : []));
  expect(ours().length).toBeGreaterThan(50);
  const needed = new Set([...Object.values(DIRECT).flat(), ...ours(), ...bullmqs()]);
  expect([...allowed].sort()).toEqual([...needed].sort());
});
