/**
 * The log of all calls: one line of JSON per call. Tests treat it as the truth.
 *
 * What must hold:
 * - An entry is on disk before the answer leaves.
 * - No entry contains a signature, a link or a secret.
 * - After the copy in memory was cleared, it contains only calls that arrived later.
 */
import { type FileHandle, open } from 'node:fs/promises';

export interface CallEntry {
  /** Counts from the emulator's start. A reset does not restart it. */
  readonly seq: number;
  /** When the call arrived, ms since 1970, by this machine's clock. */
  readonly at: number;
  /** Present if the emulator's process was stalled: the call may have arrived up to this many ms before `at`. */
  readonly waitedMs?: number;
  /**
   * `held`: a fault is holding the call, either before it is performed or before it is answered. `attempt`: no call, but an attempt
   * on a phone or page, in the session whose token `action` issued.
   */
  readonly event: 'call' | 'held' | 'attempt';
  readonly service: 'faceid' | 'cos' | 'origin' | 'sts' | 'metadata';
  /** `CreateUploadUrl`, `PutObject`, `AssumeRole`, … */
  readonly action: string;
  readonly region?: string;
  /** `bucket/key` of the objects concerned. */
  readonly objects?: readonly string[];
  /** The session concerned, by its id: the token is a secret. */
  readonly session?: string;
  readonly bytes?: number;
  /** HTTP status. */
  readonly status?: number;
  /**
   * FaceID: `Success`, an error code or a Result. COS: `OK` or an error code. Origins: the HTTP status. Any service:
   * `HTTP <status>` or `dropped` because of a fault, `aborted` if the caller disconnected before the call was done.
   */
  readonly code?: string;
  readonly requestId?: string;
  readonly billed?: boolean;
  /** Kind of the fault that was applied. */
  readonly fault?: string;
  /** False if no answer, or only half of one, was sent. */
  readonly replied?: boolean;
}

export interface CallQuery {
  readonly event?: string;
  readonly service?: string;
  readonly action?: string;
  readonly code?: string;
  readonly object?: string;
  readonly session?: string;
  readonly billed?: boolean;
}

type NewEntry = Omit<CallEntry, 'seq'>;

export class CallLog {
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #entries: CallEntry[] = [];
  readonly #watchers = new Set<() => void>();
  #seq = 0;
  #era = 0;
  #pending: string[] = [];
  /** A write that has not started yet. When it starts, it writes every line that was added until then. */
  #queuedWrite: Promise<void> | null = null;
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  static async open(file: string): Promise<CallLog> {
    return new CallLog(file, await open(file, 'a', 0o600));
  }

  /** The number of times that the copy in memory was cleared. */
  get era(): number {
    return this.#era;
  }

  /**
   * Resolves when the entry is on the disk.
   * @param era the era in which the call arrived. Default: now
   */
  async add(newEntry: NewEntry, era: number = this.#era): Promise<void> {
    this.#seq += 1;
    const entry: CallEntry = { seq: this.#seq, ...newEntry };
    this.#pending.push(`${JSON.stringify(entry)}\n`);
    await this.#flush();
    if (era !== this.#era) return;
    this.#entries.push(entry);
    for (const watcher of this.#watchers) watcher();
  }

  /** Matching entries that are on disk, in the order in which they were written. */
  find(query: CallQuery): CallEntry[] {
    return this.#entries.filter(
      (entry) =>
        entry.event === (query.event ?? 'call') &&
        (query.service === undefined || entry.service === query.service) &&
        (query.action === undefined || entry.action === query.action) &&
        (query.code === undefined || entry.code === query.code) &&
        (query.session === undefined || entry.session === query.session) &&
        (query.billed === undefined || entry.billed === query.billed) &&
        (query.object === undefined || entry.objects?.some((object) => object.includes(query.object ?? '')) === true),
    );
  }

  /** Resolves with the matching entries once there are `atLeast` of them, or with fewer after `timeoutMs`. */
  async wait(query: CallQuery, atLeast: number, timeoutMs: number): Promise<CallEntry[]> {
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      const found = this.find(query);
      const remainingMs = endsAt - performance.now();
      if (found.length >= atLeast || remainingMs <= 0) return found;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#watchers.delete(done);
          resolve();
        };
        const timer = setTimeout(done, remainingMs);
        this.#watchers.add(done);
      });
    }
  }

  /** Clears the copy in memory. */
  clear(): void {
    this.#era += 1;
    this.#entries.length = 0;
  }

  async close(): Promise<void> {
    await this.#lastWrite.catch(() => undefined); // the caller of `add` has already seen this error
    await this.#handle.close();
  }

  /** Lines added while a write runs share the next write and fsync. Each caller waits only for its own line. */
  #flush(): Promise<void> {
    this.#queuedWrite ??= this.#lastWrite.catch(() => undefined).then(() => this.#writePending());
    this.#lastWrite = this.#queuedWrite;
    return this.#queuedWrite;
  }

  async #writePending(): Promise<void> {
    this.#queuedWrite = null;
    const lines = this.#pending.join('');
    this.#pending = [];
    await this.#handle.appendFile(lines);
    await this.#handle.datasync();
  }
}
