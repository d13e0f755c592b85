/**
 * What was asked and what was done about it: one line of JSON a call, in the file and on the disk before the answer leaves.
 * Tests take it for the truth. No signature, link or secret is in it.
 */
import { type FileHandle, open } from 'node:fs/promises';

export interface CallEntry {
  readonly seq: number;
  /** ms since 1970, by this machine's clock; when the call came in. */
  readonly at: number;
  /** `held`: it is being held back by a fault, and has not been done. */
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
  /** `Success`, an error code, or a Result. */
  readonly code?: string;
  readonly requestId?: string;
  readonly billed?: boolean;
  /** Kind of the fault that took part. */
  readonly fault?: string;
  /** False where it was done but the answer was dropped. */
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
  #pending: string[] = [];
  #flushing: Promise<void> | null = null;

  private constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  static async open(file: string): Promise<CallLog> {
    return new CallLog(file, await open(file, 'a', 0o600));
  }

  /** Resolves when the entry is on the disk. */
  async add(draft: Draft): Promise<void> {
    const entry: CallEntry = { seq: this.#entries.length + 1, ...draft };
    this.#entries.push(entry);
    this.#pending.push(`${JSON.stringify(entry)}\n`);
    await this.#flushed();
    for (const watcher of this.#watchers) watcher();
  }

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
    await this.#flushed();
    await this.#handle.close();
  }

  /** One write and one fsync for all that came while the last one ran. */
  async #flushed(): Promise<void> {
    while (this.#pending.length > 0) {
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = null;
      });
      await this.#flushing;
    }
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    const lines = this.#pending.join('');
    this.#pending = [];
    await this.#handle.appendFile(lines);
    await this.#handle.datasync();
  }
}
