/** Who runs a command, and why. Both go into the audit log. */
import { userInfo } from 'node:os';
import { inputFailure } from '../domain/errors/failure.ts';

export const BY_OPTION = ['--by <name>', 'name of the person responsible (default: the user of this machine)'] as const;

export function operatorName(by: string | undefined): string {
  return by ?? userName();
}

/** In a container, the user may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

/** @throws Failure if the reason is missing. */
export function requireReason(why: string | undefined): string {
  if (why !== undefined && why.trim() !== '') return why;
  throw inputFailure('INVALID_VERIFICATION', 'why', '--why is missing: give a reason, which is kept on record');
}
