import { expect, it } from 'vitest';
import type { RedisClient } from '../../../src/redis/connection.ts';
import { runScriptMany } from '../../../src/redis/scripts/run.ts';

const UNKNOWN = new Error('NOSCRIPT No matching script');

/** Answers the calls of each pipeline with these replies, and records them as `command id`. */
function scripted(replies: (string | Error)[][]) {
  const pipelines: string[][] = [];
  const pipeline = () => {
    const sent: string[] = [];
    pipelines.push(sent);
    const send =
      (command: string) =>
      (...args: unknown[]) =>
        sent.push(`${command} ${args.at(-1)}`);
    const answered = () =>
      (replies.shift() ?? []).map((reply) => (reply instanceof Error ? [reply, null] : [null, reply]));
    return { eval: send('eval'), evalsha: send('evalsha'), exec: async () => answered() };
  };
  return { redis: { pipeline } as unknown as RedisClient, pipelines };
}

it('sends only those calls again that Redis has refused because it did not know the script', async () => {
  const failed = new Error('OOM');
  const { redis, pipelines } = scripted([
    [UNKNOWN, UNKNOWN, 'c', failed],
    ['a', 'b'],
  ]);
  const calls = ['1', '2', '3', '4'].map((id) => ({
    keys: { journal: 'j', history: 'h', frames: 'f' },
    args: { id, entry: id },
  }));
  expect(await runScriptMany(redis, 'forget-frame', calls)).toEqual(['a', 'b', 'c', failed]);
  expect(pipelines).toEqual([
    ['evalsha 1', 'evalsha 2', 'evalsha 3', 'evalsha 4'],
    ['eval 1', 'evalsha 2'],
  ]);
});
