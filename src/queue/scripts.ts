/**
 * The Lua scripts, loaded from `lua/*.lua`. Each file opens with its keys, arguments and answers; `--@include part` takes in
 * a part from `lua/parts`. Scripts go by EVALSHA, and by EVAL where Redis does not know them (yet, or any more).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisClient } from './connection.ts';

export const SCRIPT_NAMES = [
  'claim',
  'begin',
  'admit',
  'reserve',
  'renew',
  'commit',
  'intent',
  'outcome',
  'unknown',
  'handback',
  'settle',
  'cancel',
  'slow',
  'trip',
  'heal',
  'steer',
  'hold',
  'resolve',
  'expire',
  'erase',
  'law',
  'unframe',
  'adopt',
  'pass',
  'leave',
  'enter',
  'knock',
  'heard',
] as const;
export type ScriptName = (typeof SCRIPT_NAMES)[number];

interface Script {
  readonly text: string;
  readonly sha: string;
}

const scripts = new Map<ScriptName, Script>(SCRIPT_NAMES.map((name) => [name, load(name)]));

type Arg = string | number;

/** Runs one script. */
export async function run(
  redis: RedisClient,
  name: ScriptName,
  keys: readonly string[],
  args: readonly Arg[],
): Promise<unknown> {
  const script = scriptNamed(name);
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return redis.eval(script.text, keys.length, ...keys, ...args);
  }
}

/** Runs one script many times in one round trip (two where Redis did not know the script). Errors come back in place. */
export async function runMany(
  redis: RedisClient,
  name: ScriptName,
  calls: readonly { readonly keys: readonly string[]; readonly args: readonly Arg[] }[],
): Promise<(unknown | Error)[]> {
  const script = scriptNamed(name);
  const attempt = async (first: 'evalsha' | 'eval') => {
    const pipeline = redis.pipeline();
    for (const [index, { keys, args }] of calls.entries()) {
      if (index === 0 && first === 'eval') pipeline.eval(script.text, keys.length, ...keys, ...args);
      else pipeline.evalsha(script.sha, keys.length, ...keys, ...args);
    }
    const replies = await pipeline.exec();
    return (replies ?? []).map(([error, reply]) => error ?? reply);
  };
  const replies = await attempt('evalsha');
  // The first one brings the script along, to the server that has the keys: SCRIPT LOAD might go to another one of a Cluster.
  return replies.some(isUnknownScript) ? attempt('eval') : replies;
}

/** Its text with all parts in it, and the digest that Redis knows it by. */
export function scriptNamed(name: ScriptName): Script {
  const script = scripts.get(name);
  if (script === undefined) throw new Error(`no script named ${name}`);
  return script;
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function load(name: ScriptName): Script {
  const text = read(`./lua/${name}.lua`).replace(/^--@include (\w+)$/gm, (_line, part: string) =>
    read(`./lua/parts/${part}.lua`),
  );
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}
