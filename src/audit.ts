/**
 * Who looked at a face, decided about one, erased it, steered a gate or made a key: one line of JSON for each act, written
 * before it is done.
 *
 * 1. What cannot be written is not done: `write` fails, and its caller stops.
 * 2. Lines are only ever appended, whole, and are on the disk when `write` answers (of a file).
 * 3. No face, link, path or key is in a line: ids, words and times.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CODES } from './domain/errors/index.ts';
import { Failure } from './domain/failure.ts';

export const ACTS = [
  'frame.read',
  'timeline.read',
  'receipt.read',
  'export',
  'erase',
  'legal-hold.change',
  'held.resolve',
  'gate.steer',
  'webhook.change',
  'key.create',
  'key.revoke',
  'key.rotate',
  'login',
  'login.refused',
] as const;

export interface AuditEntry {
  readonly act: (typeof ACTS)[number];
  /** Id of an API key, or the user of the command line; null where nobody knows. */
  readonly actor: string | null;
  readonly tenant: string | null;
  /** Of the verification, the API key or the gate. */
  readonly on?: string;
  /** What was decided, or why it was refused. */
  readonly what?: string;
  /** What the caller says that it is for. */
  readonly purpose?: string;
  readonly requestId?: string;
}

export interface Audit {
  /** @throws Failure AUDIT_UNAVAILABLE */
  write(entry: AuditEntry): Promise<void>;
  /** Waits for what is being written. Idempotent. */
  close(): Promise<void>;
}

/** @param where `stdout`, `stderr` or the path of a file. @throws Failure AUDIT_UNAVAILABLE */
export async function openAudit(where: string): Promise<Audit> {
  if (where === 'stdout' || where === 'stderr') return toStream(process[where]);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  return toFile(await open(where, flags, 0o600).catch((error: unknown) => Promise.reject(unavailable(error))));
}

function lineOf(entry: AuditEntry): string {
  return `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`;
}

function toStream(stream: NodeJS.WriteStream): Audit {
  const broken = () => undefined; // each write says it; without a listener a closed pipe would end the process
  stream.on('error', broken);
  return {
    write: (entry) =>
      new Promise((resolve, reject) => {
        stream.write(lineOf(entry), (error) => (error ? reject(unavailable(error)) : resolve()));
      }),
    close: async () => void stream.off('error', broken),
  };
}

interface Waiting {
  readonly line: string;
  done(error?: unknown): void;
}

/** Lines that come while the disk is busy go with its next write: the more at once, the fewer flushes for each. */
function toFile(file: FileHandle): Audit {
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      try {
        await file.appendFile(now.map(({ line }) => line).join(''));
        await file.datasync();
        for (const { done } of now) done();
      } catch (error) {
        for (const { done } of now) done(error);
      }
    }
    writing = null;
  }

  return {
    write: (entry) =>
      new Promise((resolve, reject) => {
        const done = (error?: unknown) => (error === undefined ? resolve() : reject(unavailable(error)));
        waiting.push({ line: lineOf(entry), done });
        writing ??= drain();
      }),
    close: () => {
      closing ??= (writing ?? Promise.resolve()).then(() => file.close());
      return closing;
    },
  };
}

function unavailable(cause: unknown): Failure {
  const message = 'the audit log cannot be written: nothing was done';
  const facts = { service: 'bestframe', channel: 'local', code: CODES.AUDIT_UNAVAILABLE, sent: 'no' } as const;
  return new Failure(facts, message, { cause });
}
