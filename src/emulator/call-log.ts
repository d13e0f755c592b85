/**
 * What was asked and what was done about it: one line of JSON a call, in the file and on the disk before the answer leaves.
 * Tests take it for the truth. No signature, link or secret is in it.
 */
import { type FileHandle, open } from 'node:fs/promises';

export interface CallEntry {
  /** Counts from the emulator's start, also across resets. */
  readonly seq: number;
  /** ms since 1970, by this machine's clock; when the call came in. */
  readonly at: number;
  /** The emulator's process was stopped when it came in: it may have come in so much earlier. */
  readonly waitedMs?: number;
  /** `held`: it is being held back by a fault, before it is done or before it is answered. */
  readonly event: 'call' | 'held';
  readonly service: 'faceid' | 'cos' | 'origin';
  /** `CreateUploadUrl`, `PutObject`, … */
  readonly action: string;
  readonly region?: string;
  /** `bucket/key` of the objects concerned. */
  readonly objects?: readonly string[];
  readonly bytes?: number;
  /** HTTP status. */
  readonly status?: number;
  /**
   * FaceID: `Success`, an error code or a Result. COS: `OK` or an error code. Of no vendor's: `HTTP <status>` and `dropped`
   * by a fault, `aborted` where the caller went away before the call was done.
   */
  readonly code?: string;
  readonly requestId?: string;
  readonly billed?: boolean;
  /** Kind of the fault that took part. */
  readonly fault?: string;
  /** False where no answer left, or half of one. */
  readonly replied?: boolean;
}

export interface CallQuery {
  readonly event?: string;
  readonly service?: string;
  readonly action?: string;
  readonly code?: string;
  readonly object?: string;
  readonly billed?: boolean;
}

type Draft = Omit<CallEntry, 'seq'>;

export class CallLog {
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #entries: CallEntry[] = [];
  readonly #watchers = new Set<() => void>();
  #seq = 0;
  #pending: string[] = [];
  /** The write that has not begun, and takes all that comes until it does. */
  #next: Promise<void> | null = null;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  static async open(file: string): Promise<CallLog> {
    return new CallLog(file, await open(file, 'a', 0o600));
  }

  /** Resolves when the entry is on the disk. */
  async add(draft: Draft): Promise<void> {
    this.#seq += 1;
    const entry: CallEntry = { seq: this.#seq, ...draft };
    this.#pending.push(`${JSON.stringify(entry)}\n`);
    await this.#written();
    this.#entries.push(entry);
    for (const watcher of this.#watchers) watcher();
  }

  /** What is on the disk, in the order in which it came there. */
  find(query: CallQuery): CallEntry[] {
    return this.#entries.filter(
      (entry) =>
        entry.event === (query.event ?? 'call') &&
        (query.service === undefined || entry.service === query.service) &&
        (query.action === undefined || entry.action === query.action) &&
        (query.code === undefined || entry.code === query.code) &&
        (query.billed === undefined || entry.billed === query.billed) &&
        (query.object === undefined || entry.objects?.some((object) => object.includes(query.object ?? '')) === true),
    );
  }

  /** Resolves with what is there once there are `atLeast` such entries, or when the time is up. */
  async wait(query: CallQuery, atLeast: number, timeoutMs: number): Promise<CallEntry[]> {
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      const found = this.find(query);
      const left = endsAt - performance.now();
      if (found.length >= atLeast || left <= 0) return found;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#watchers.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left);
        this.#watchers.add(done);
      });
    }
  }

  clear(): void {
    this.#entries.length = 0;
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined); // whoever added the line has been told
    await this.#handle.close();
  }

  /** One write and one fsync for all that came while the last one ran; each caller waits for its own and no further. */
  #written(): Promise<void> {
    this.#next ??= this.#writing.catch(() => undefined).then(() => this.#write());
    this.#writing = this.#next;
    return this.#next;
  }

  async #write(): Promise<void> {
    this.#next = null;
    const lines = this.#pending.join('');
    this.#pending = [];
    await this.#handle.appendFile(lines);
    await this.#handle.datasync();
  }
}
