import { accessSync, constants, existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Env } from '../env.ts';
import { packageRoot } from '../package-info.ts';

/**
 * Folder in which `demo` and `dev` keep what they start: `.bestframe` of a checkout; if Bestframe is installed or the checkout is
 * read-only, `bestframe` in the state folder of the user (`$XDG_STATE_HOME`, by default `~/.local/state`).
 * @param root folder of package.json
 */
export function stateDir(env: Env, root = packageRoot): string {
  const isCheckout = existsSync(join(root, 'package-lock.json')); // npm never publishes this file
  if (isCheckout && isWritable(root)) return join(root, '.bestframe');
  const { XDG_STATE_HOME: state = '' } = env;
  // A relative path is invalid, says the specification.
  return join(state.startsWith('/') ? state : join(homedir(), '.local', 'state'), 'bestframe');
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
