/** Who runs a command, and why. Both go into the audit log. */
import { userInfo } from 'node:os';
import { inputFailure } from '../domain/errors/failure.ts';

export const BY_OPTION = ['--by <name>', 'name of the person responsible (default: the user of this machine)'] as const;

/** @param read reads the user of this machine; it throws if the user has no name */
export function operatorName(by: string | undefined, read: () => { username: string } = userInfo): string {
  return by ?? userName(read);
}

/** In a container, the user may have a number and no name. */
function userName(read: () => { username: string }): string {
  try {
    return read().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

/** @throws Failure if the reason is missing. */
export function requireReason(why: string | undefined): string {
  if (why !== undefined && why.trim() !== '') return why;
  throw inputFailure('INVALID_VERIFICATION', 'why', '--why is missing: give a reason, which is kept on record');
}
