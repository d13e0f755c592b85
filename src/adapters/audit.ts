/**
 * Writes the audit log: one line of JSON for each sensitive action, such as reading a face, erasing a verification, pausing a gate
 * or creating a key. The line is written before the action happens.
 *
 * What must hold:
 * 1. An action that cannot be logged does not happen: `write` fails, and its caller stops.
 * 2. Lines are appended whole and never changed. In a file, a line is flushed to disk when `write` resolves.
 * 3. A line contains ids, words and times, and never a face, link, path or key.
 * 4. Each line names its predecessor by hash (`domain/operations/audit.ts`), also after the file was rotated.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { AuditChain, type AuditEntry, CLOSING, lineHash, parseLine } from '../domain/operations/audit.ts';

export interface Audit {
  /** @throws Failure AUDIT_UNAVAILABLE */
  write(entry: AuditEntry): Promise<void>;
  /** Waits for pending writes and closes the chain. Idempotent. */
  close(): Promise<void>;
}

/** @param target `stdout`, `stderr` or the path of a file. @throws Failure AUDIT_UNAVAILABLE */
export async function openAudit(target: string): Promise<Audit> {
  if (target === 'stdout' || target === 'stderr') return auditToStream(process[target]);
  try {
    const file = await openLog(target);
    return new FileAudit(target, file, await lastLineHash(target));
  } catch (error) {
    throw auditUnavailable(error);
  }
}

function openLog(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
}

function auditToStream(stream: NodeJS.WriteStream): Audit {
  const ignore = () => undefined; // `write` reports the error too; an `error` event without a listener ends the process
  stream.on('error', ignore);
  let chain = new AuditChain(null);
  let closing: Promise<void> | null = null;
  const write = (entry: AuditEntry) =>
    new Promise<void>((resolve, reject) => {
      const { head } = chain;
      stream.write(`${chain.next(entry, Date.now())}\n`, (error) => {
        if (!error) return resolve();
        chain = new AuditChain(head);
        reject(auditUnavailable(error));
      });
    });
  return {
    write,
    close: () => {
      closing ??= (chain.isEmpty ? Promise.resolve() : write(CLOSING).catch(ignore)).then(
        () => void stream.off('error', ignore),
      );
      return closing;
    },
  };
}

interface PendingLine {
  readonly entry: AuditEntry;
  readonly at: number;
  done(error?: unknown): void;
}

/** Lines that arrive during a write are all written by the next write, so that many lines share one flush. */
class FileAudit implements Audit {
  readonly #path: string;
  #file: FileHandle;
  #chain: AuditChain;
  #pending: PendingLine[] = [];
  #writing: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  /** Whether the file may end in the middle of a line, because a write failed. */
  #isTorn = false;

  constructor(path: string, file: FileHandle, link: string | null) {
    this.#path = path;
    this.#file = file;
    this.#chain = new AuditChain(link);
  }

  write(entry: AuditEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: unknown) => (error === undefined ? resolve() : reject(auditUnavailable(error)));
      this.#pending.push({ entry, at: Date.now(), done });
      this.#writing ??= this.#drain();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#writing;
    // Nothing depends on the closing line: without it, the chain counts as open.
    if (!this.#chain.isEmpty) await this.write(CLOSING).catch(() => undefined);
    await this.#writing;
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      const { head } = this.#chain;
      try {
        await this.#followRotation();
        const lines = batch.map(({ entry, at }) => `${this.#chain.next(entry, at)}\n`);
        await this.#file.appendFile(`${this.#isTorn ? '\n' : ''}${lines.join('')}`);
        await this.#file.datasync();
        this.#isTorn = false;
        for (const { done } of batch) done();
      } catch (error) {
        this.#isTorn = true;
        this.#chain = new AuditChain(head);
        for (const { done } of batch) done(error);
      }
    }
    this.#writing = null;
  }

  /** Opens the file again if it was renamed or removed, as a log rotation does. The chain continues in the new file. */
  async #followRotation(): Promise<void> {
    // A path that cannot be read counts as renamed: opening it again reports the reason.
    const [own, named] = await Promise.all([this.#file.stat(), stat(this.#path).catch(() => null)]);
    if (named !== null && named.ino === own.ino && named.dev === own.dev) return;
    const file = await openLog(this.#path);
    await this.#file.close();
    this.#file = file;
    this.#isTorn = false;
  }
}

const TAIL_BYTES = 64 * 1024;

/**
 * Hash of the last whole line of a file. Null if the file is empty, cannot be read or ends with other text: the new chain then has
 * no link to the previous one.
 */
async function lastLineHash(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return null;
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
    const whole = buffer.subarray(0, bytesRead).toString().split('\n').slice(0, -1);
    const last = whole.findLast((line) => parseLine(line) !== null);
    return last === undefined ? null : lineHash(last);
  } finally {
    await file.close();
  }
}

function auditUnavailable(cause: unknown): Failure {
  const message = 'the audit log cannot be written, so nothing was done: check its file, its permissions and the disk';
  return localFailure(CODES.AUDIT_UNAVAILABLE, message, { cause });
}
