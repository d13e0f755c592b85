/** Runs the scripts that append an entry to the history of a verification. */
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { Deployment } from '../deployment.ts';
import { entryText } from '../history.ts';
import { runScript, type ScriptArgs, type ScriptKeys, type ScriptName } from './run.ts';

/** A sealed entry needs another try only if another process wrote at the same time. */
const MOST_TRIES = 20;

type EntryScript = { [Name in ScriptName]: ScriptArgs<Name> extends { entry: unknown } ? Name : never }[ScriptName];

export interface Append {
  readonly deployment: Deployment;
  /** The verification. */
  readonly id: string;
  /** Null: nothing is appended. */
  readonly entry: HistoryEntry | null;
  /** Whether a reply means that the entry was appended, so that the next guess is right. Default: every reply. */
  readonly isAppended?: (reply: unknown) => boolean;
}

/**
 * Runs a script with its argument `entry`: sealed for the position that it will have, if there is a key ring. If another process
 * has appended meanwhile, the script changes nothing, and runs again with the entry sealed for the next position.
 * @returns the script's reply as Redis sent it.
 */
export async function runWithEntry<Name extends EntryScript>(
  { deployment, id, entry, isAppended = () => true }: Append,
  name: Name,
  keys: ScriptKeys<Name>,
  args: Omit<ScriptArgs<Name>, 'entry'>,
): Promise<unknown> {
  const { redis, sealer, positions } = deployment;
  const run = (text: string) => runScript(redis, name, keys, { ...args, entry: text } as unknown as ScriptArgs<Name>);
  if (entry === null) return run('');
  let position = positions.get(id);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const reply = await run(entryText(sealer, id, position, entry));
    const moved = movedTo(reply);
    if (moved === null) {
      if (sealer.seals) positions.set(id, isAppended(reply) ? position + 1 : position);
      return reply;
    }
    position = moved;
  }
  throw new Error(`The history of ${id} changed during each of ${MOST_TRIES} writes`);
}

function movedTo(reply: unknown): number | null {
  return Array.isArray(reply) && reply[0] === 'moved' ? Number(reply[1]) : null;
}
