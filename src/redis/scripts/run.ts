/**
 * Runs the Lua scripts. Each script has its own typed function in this folder (`<name>.ts` next to `<name>.lua`);
 * nothing outside this folder names a key or an argument.
 *
 * What must hold:
 * 1. Callers pass keys and arguments by name. Only the script's header defines their order and number.
 * 2. Scripts run by EVALSHA, and by EVAL if Redis does not have them in its cache.
 */
import { createHash } from 'node:crypto';
import { openPipeline, type RedisClient } from '../connection.ts';
import { INCLUDES, LUA } from './lua.ts';

export type ScriptName = keyof typeof LUA;
export const SCRIPT_NAMES = Object.keys(LUA) as ScriptName[];

type Lua<Name extends ScriptName> = (typeof LUA)[Name];
type Arg = string | number;

export type ScriptKeys<Name extends ScriptName> = Readonly<Record<Lua<Name>['keys'][number], string>>;
export type ScriptArgs<Name extends ScriptName> = Readonly<Record<Lua<Name>['args'][number], Arg>> &
  (Lua<Name>['rest'] extends string ? Readonly<Record<Lua<Name>['rest'], readonly Arg[]>> : unknown);

export interface ScriptCall<Name extends ScriptName> {
  readonly keys: ScriptKeys<Name>;
  readonly args: ScriptArgs<Name>;
}

interface LoadedScript {
  /** The script's text with its includes, and with its keys and arguments as local variables. */
  readonly text: string;
  /** SHA-1 of the text: the name by which Redis knows it. */
  readonly sha: string;
}

const loaded = new Map<ScriptName, LoadedScript>();

/** @returns the script's reply as Redis sent it. */
export async function runScript<Name extends ScriptName>(
  redis: RedisClient,
  name: Name,
  keys: ScriptKeys<Name>,
  args: ScriptArgs<Name>,
): Promise<unknown> {
  const { text, sha } = loadScript(name);
  const [count, ...rest] = positional(name, { keys, args });
  try {
    return await redis.evalsha(sha, count, ...rest);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return redis.eval(text, count, ...rest);
  }
}

/**
 * Runs one script many times in one round trip, or two if Redis does not know the script.
 * @returns the replies in order; a failed call is an Error in its place.
 */
export async function runScriptMany<Name extends ScriptName>(
  redis: RedisClient,
  name: Name,
  calls: readonly ScriptCall<Name>[],
): Promise<(unknown | Error)[]> {
  const [only] = calls;
  if (only === undefined) return [];
  // A pipeline of one costs twice as much as the command.
  if (calls.length === 1) return [await runScript(redis, name, only.keys, only.args).catch((error: Error) => error)];
  const { text, sha } = loadScript(name);
  const send = async (some: readonly ScriptCall<Name>[], first: 'evalsha' | 'eval') => {
    const pipeline = openPipeline(redis);
    for (const [index, call] of some.entries()) {
      const [count, ...rest] = positional(name, call);
      if (index === 0 && first === 'eval') pipeline.eval(text, count, ...rest);
      else pipeline.evalsha(sha, count, ...rest);
    }
    const replies = await pipeline.exec();
    return (replies ?? []).map(([error, reply]) => error ?? reply);
  };
  const replies = await send(calls, 'evalsha');
  // Another client may have loaded the script meanwhile, so only some calls may have been refused.
  const refused = calls.filter((_, index) => isUnknownScript(replies[index]));
  if (refused.length === 0) return replies;
  // EVAL loads the script on the server that has the keys. In a Cluster, SCRIPT LOAD might reach another server.
  const again = await send(refused, 'eval');
  return replies.map((reply) => (isUnknownScript(reply) ? again.shift() : reply));
}

/** The script as it is sent to Redis. Each script is loaded once and cached. */
export function loadScript(name: ScriptName): LoadedScript {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const { keys, args, rest, includes, text: body } = LUA[name];
  const prelude = [
    `local ${keys.map((key) => `${key}Key`).join(', ')} = unpack(KEYS)`,
    `local ${args.join(', ')} = unpack(ARGV)`,
    ...(rest === null ? [] : [`local ${rest} = { unpack(ARGV, ${args.length + 1}) }`]),
  ].join('\n');
  const text = [prelude, ...includes.map((part) => INCLUDES[part]), body].join('');
  const script = { text, sha: createHash('sha1').update(text).digest('hex') };
  loaded.set(name, script);
  return script;
}

function positional<Name extends ScriptName>(name: Name, { keys, args }: ScriptCall<Name>): [number, ...Arg[]] {
  const { keys: keyNames, args: argNames, rest } = LUA[name];
  const given = args as unknown as Readonly<Record<string, Arg>>;
  const more = rest === null ? [] : (args as unknown as Readonly<Record<string, readonly Arg[]>>)[rest];
  return [
    keyNames.length,
    ...keyNames.map((key) => keys[key as keyof typeof keys]),
    ...argNames.map((arg) => given[arg] ?? ''),
    ...(more ?? []),
  ];
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
