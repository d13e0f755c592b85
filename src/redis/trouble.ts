/**
 * Says in words why Redis cannot be used, for health checks and logs. The text of an error is never shown, because it may contain
 * an address or a value.
 */
import { Failure } from '../domain/errors/failure.ts';

export const REPLICA = 'Redis is a replica and refuses writes: check the address, or the failover';
const UNREACHABLE = 'Redis cannot be reached: check that it runs and that the Redis URL is correct';
/** A Redis in protected mode closes each connection so early that a client rarely gets to read why. */
const CLOSES =
  'Redis cannot be reached: it closes connections. Check that it runs, and if it has no password, whether it is in protected mode';

const TROUBLES: readonly (readonly [answer: RegExp, words: string])[] = [
  [/\bOOM\b/, 'Redis is out of memory and refuses writes: raise maxmemory, or free memory'],
  [/\bMISCONF\b/, 'Redis cannot write to its disk and refuses writes: check its disk'],
  [/\bREADONLY\b/, REPLICA],
  [/\bNOREPLICAS\b/, 'Redis has too few replicas and refuses writes: check the replicas'],
  [/\bLOADING\b/, 'Redis is still loading its data'],
  [/\bBUSY\b/, 'Redis is busy with a script'],
  [/\b(?:MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/, 'Redis has no primary: check the failover'],
  [
    /\b(?:NOAUTH|WRONGPASS|NOPERM)\b/,
    'Redis refuses the user, the password or the command: check the Redis URL and the rights',
  ],
  [
    /\bDENIED\b/,
    'Redis is in protected mode and refuses other machines: give its user a password and put it into the Redis URL',
  ],
  [/\bmax number of clients\b/, 'Redis accepts no more connections: raise maxclients'],
];

/** What ioredis says when it has no usable connection. */
const DISCONNECTED =
  /^Connection is closed|^Command timed out|^Stream isn't writeable|^Socket timeout|^None of startup nodes|^Failed to refresh slots|^connect ETIMEDOUT|^All sentinels are unreachable/;

/** @param error an error of a command or of a connection to Redis. */
export function redisTrouble(error: unknown): string {
  const cause = causeOf(error);
  const named = TROUBLES.find(([answer]) => answer.test(cause?.message ?? ''))?.[1];
  const isClosed = cause !== undefined && 'code' in cause && (cause.code === 'EPIPE' || cause.code === 'ECONNRESET');
  return named ?? (isClosed ? CLOSES : UNREACHABLE);
}

/** @param error any error. @returns null if it does not come from Redis, or is a mistake in a command. */
export function redisTroubleOf(error: unknown): string | null {
  const cause = causeOf(error);
  if (cause === undefined) return null;
  if (cause.name === 'ReplyError') return TROUBLES.find(([answer]) => answer.test(cause.message))?.[1] ?? null;
  const isDisconnected = cause.name === 'MaxRetriesPerRequestError' || DISCONNECTED.test(cause.message);
  return isDisconnected || 'syscall' in cause ? redisTrouble(cause) : null;
}

/** A Failure wraps the error of ioredis. A Cluster reports only that no node is usable; its last node's error has the reason. */
function causeOf(error: unknown): Error | undefined {
  const cause = error instanceof Failure ? error.cause : error;
  const reason = cause instanceof Error && 'lastNodeError' in cause ? (cause.lastNodeError ?? cause) : cause;
  return reason instanceof Error ? reason : undefined;
}
