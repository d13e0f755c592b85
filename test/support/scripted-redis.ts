/**
 * A Redis that runs no script: a test gives the reply of each script, and sees the arguments by name. With it, the classes of
 * `src/pipeline` are tested without Redis; whether the scripts themselves are right is tested in `test/integration`.
 */
import type { RedisClient } from '../../src/redis/connection.ts';
import { createDeployment, type Deployment } from '../../src/redis/deployment.ts';
import { LUA } from '../../src/redis/scripts/lua.ts';
import { loadScript, SCRIPT_NAMES, type ScriptName } from '../../src/redis/scripts/run.ts';

/** The named arguments of a script call; `rest` has what follows them. */
export type ScriptArguments = Readonly<Record<string, string | number>>;

export interface ScriptedCall {
  readonly name: ScriptName;
  readonly keys: Readonly<Record<string, string>>;
  readonly args: ScriptArguments;
}

type Reply = (args: ScriptArguments) => unknown;

/** @param replies the reply of each script that the test expects to run. Any other script fails the test. */
export function scriptedDeployment(replies: Partial<Record<ScriptName, Reply>>): {
  readonly deployment: Deployment;
  readonly calls: ScriptedCall[];
} {
  const calls: ScriptedCall[] = [];
  const redis = {
    async evalsha(sha: string, count: number, ...given: (string | number)[]) {
      await null; // like Redis, answers later
      const name = SCRIPT_NAMES.find((each) => loadScript(each).sha === sha);
      const reply = name && replies[name];
      if (name === undefined || reply === undefined) throw new Error(`the test gives no reply for ${name ?? sha}`);
      const keys = named(LUA[name].keys, given.slice(0, count).map(String));
      const args = named(LUA[name].args, given.slice(count));
      calls.push({ name, keys, args });
      return reply(args);
    },
  };
  return { deployment: createDeployment(redis as unknown as RedisClient, '{unit}'), calls };
}

function named<T>(names: readonly string[], values: readonly T[]): Record<string, T> {
  return Object.fromEntries(names.flatMap((name, index) => (index in values ? [[name, values[index] as T]] : [])));
}
