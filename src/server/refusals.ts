/**
 * Records every refused login and API key: in the metrics, and in the audit log, where the first ones of each second have a line of
 * their own and the others are counted, so that a flood of refused requests does not fill the disk.
 *
 * What must hold:
 * 1. Each refusal is in exactly one line, either its own or one with `count`. While the audit log cannot be written, the counts are
 *    kept in memory.
 * 2. A refusal is answered even if it cannot be recorded, because it has no effect that must be audited.
 */
import type { Audit } from '../adapters/audit.ts';
import type { LoginLimiter } from '../client/redis/login-limiter.ts';
import type { AuditEntry } from '../domain/operations/audit.ts';

export interface Refusal {
  /** Id of the API key; null if it is unknown. A name is not recorded: people type passwords into the wrong field. */
  readonly actor: string | null;
  readonly address: string;
  readonly requestId: string;
  /** The way in and the reason, in fixed terms. */
  readonly what: string;
}

export const FULL_LINES_PER_WINDOW = 20;
const WINDOW_MS = 1_000;

export class Refusals {
  readonly #audit: Pick<Audit, 'write'>;
  readonly #limiter: Pick<LoginLimiter, 'countRefusal'>;
  readonly #windowMs: number;
  #timer: NodeJS.Timeout | undefined;
  #inWindow = 0;
  /** Refusals without a line of their own, by reason. */
  readonly #counts = new Map<string, number>();
  #closed = false;

  constructor(audit: Pick<Audit, 'write'>, limiter: Pick<LoginLimiter, 'countRefusal'>, windowMs: number = WINDOW_MS) {
    this.#audit = audit;
    this.#limiter = limiter;
    this.#windowMs = windowMs;
  }

  /** Resolves when the refusal is in the log or counted. Never rejects. */
  async record(refusal: Refusal): Promise<void> {
    this.#inWindow += 1;
    const hasOwnLine = this.#inWindow <= FULL_LINES_PER_WINDOW;
    if (!this.#closed) this.#timer ??= setTimeout(() => void this.#endWindow(), this.#windowMs);
    await this.#limiter.countRefusal().catch(() => undefined);
    if (!hasOwnLine || !(await this.#write(refusal))) this.#count(refusal.what, 1);
  }

  /** Writes the remaining counts. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writeCounts();
  }

  async #endWindow(): Promise<void> {
    this.#inWindow = 0;
    await this.#writeCounts();
    this.#timer = undefined;
    if ((this.#inWindow > 0 || this.#counts.size > 0) && !this.#closed)
      this.#timer = setTimeout(() => void this.#endWindow(), this.#windowMs);
  }

  async #writeCounts(): Promise<void> {
    const counts = [...this.#counts];
    this.#counts.clear();
    for (const [what, count] of counts) {
      if (!(await this.#write({ actor: null, what, count }))) this.#count(what, count);
    }
  }

  #count(what: string, count: number): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  #write(entry: Pick<AuditEntry, 'actor' | 'what' | 'address' | 'requestId' | 'count'>): Promise<boolean> {
    return this.#audit.write({ act: 'login.refused', tenant: null, ...entry }).then(
      () => true,
      () => false,
    );
  }
}
